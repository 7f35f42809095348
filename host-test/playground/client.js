// The page's end of the worker: questions with an answer as promises, everything else as events.

export function createClient(on) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const open = new Map();
  let last = 0;

  worker.onmessage = ({ data }) => {
    if (data.event !== "answer") return on[data.event]?.(data);
    open.get(data.id)?.(data.value);
    open.delete(data.id);
  };
  worker.onerror = (event) => on.fault({ message: event.message || "the engine could not be loaded" });

  return {
    tell: (message, transfer = []) => worker.postMessage(message, transfer),
    /** Null when the inputs have changed since `generation`, so that the question means nothing any more. */
    ask: (message) =>
      new Promise((resolve) => {
        open.set(++last, resolve);
        worker.postMessage({ ...message, id: last });
      }),
  };
}
