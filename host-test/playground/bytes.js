// Bytes through the browser's own (de)compression: links are deflated, the sample and rotated logs are gzipped.

/** Fails when more than `most` bytes come out, for what strangers made. */
export async function through(bytes, transform, most = Infinity) {
  const chunks = [];
  let size = 0;
  for (const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    if ((size += value.length) > most) {
      reader.cancel();
      throw new Error("too large");
    }
    chunks.push(value);
  }
}

/** Whatever the name says: a server may have taken the gzip off, and a file need not be called .gz. */
export const gunzip = (bytes, most) =>
  bytes[0] === 0x1f && bytes[1] === 0x8b ? through(bytes, new DecompressionStream("gzip"), most) : bytes;
