// Dollars per GB and the number of nodes as a person types them. The rule it keeps: what is no such number is marked, and the
// figures stay those of the last that was.

import { $ } from "./format.js";

const FIELDS = { firehose: "price-firehose", cloudwatch: "price-cloudwatch", nodes: "nodes" };
const MOST = 1e6;

/** `onChange(prices)` is told of each change to numbers that are all good. */
export function createPrices(onChange) {
  const fields = Object.entries(FIELDS).map(([name, id]) => ({ name, input: $(id), usual: $(id).value }));

  function read() {
    const prices = {};
    for (const { name, input } of fields) {
      const text = input.value.trim().replace(",", ".");
      const price = text === "" ? NaN : Number(text);
      const good = price <= MOST && (name === "nodes" ? Number.isInteger(price) && price >= 1 : price >= 0);
      input.setAttribute("aria-invalid", !good);
      if (!good) return null;
      prices[name] = price;
    }
    return prices;
  }

  function changed() {
    const prices = read();
    if (prices) onChange(prices);
  }

  for (const { input } of fields) input.addEventListener("input", changed);

  return {
    /** What is typed, where it differs from what is usual. */
    given: () => (fields.some(({ input, usual }) => input.value !== usual) ? read() ?? undefined : undefined),
    /** Shows these, or the usual ones, and tells which they are; `onChange` is for a person's. */
    set(prices) {
      for (const { name, input, usual } of fields) input.value = prices?.[name] ?? usual;
      return read();
    },
  };
}
