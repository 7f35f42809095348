// A link that holds everything itself, `#v1.` and base64url of deflated JSON: a fragment never leaves the browser. The
// rule it keeps: a link is whole or says what it lacks. Lines go in while it stays below 64 kB, which chats take.

import { through } from "./bytes.js";

const PREFIX = "#v1.";
const LONGEST = 64_000; // characters of the fragment
const LARGEST = 16e6; // bytes of JSON; a link that inflates to more is not ours

/** `state` is {rules, inputs: [{name, text}] or null when too large to keep, sample, pods?, prices?}. */
export async function encode(state) {
  const small = { rules: state.rules, inputs: [], sample: true, prices: state.prices, lacks: !state.sample || Boolean(state.pods) };
  const attempts = [{ lacks: small.lacks, state: small }];
  if (state.inputs) attempts.unshift({ lacks: false, state });
  for (const { lacks, state: part } of attempts) {
    const fragment = PREFIX + base64url(await through(new TextEncoder().encode(JSON.stringify(part)), new CompressionStream("deflate-raw")));
    if (fragment.length < LONGEST) return { fragment, lacks };
  }
  throw new Error("the rules alone are longer than a link can be");
}

/** Throws when the fragment is none of ours, damaged, or holds something else. */
export async function decode(hash) {
  if (!hash.startsWith(PREFIX)) throw new Error("another version");
  const bytes = Uint8Array.from(atob(hash.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = new TextDecoder("utf-8", { fatal: true }).decode(await through(bytes, new DecompressionStream("deflate-raw"), LARGEST));
  const { rules, inputs, sample, pods, prices, lacks } = JSON.parse(text);
  const isText = (value) => typeof value === "string";
  const right =
    isText(rules) && Array.isArray(inputs) && inputs.every((input) => isText(input?.name) && isText(input?.text)) &&
    (pods === undefined || isText(pods)) &&
    (prices === undefined || [prices?.firehose, prices?.cloudwatch, prices?.nodes ?? 1].every((price) => typeof price === "number"));
  if (!right) throw new Error("no rule file");
  return { rules, inputs, sample: sample === true, pods, prices, lacks: lacks === true };
}

function base64url(bytes) {
  let text = "";
  // In pieces, since a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
