// What a reload would lose: the rules as they are typed, and lines while they are few. The tab keeps it until it is closed, beside
// the link that it began from: another link is another beginning.

const RULES = "nodesieve.rules";
const REST = "nodesieve.rest";
const FROM = "nodesieve.from";

/** Rules, as they change; false when there is no room for them. */
export function keepRules(text) {
  return put(RULES, text) && put(FROM, location.hash);
}

/** Everything else of a state; false when there is no room for it. */
export function keepRest({ rules, ...rest }) {
  const kept = Array.isArray(rest.inputs) && put(REST, JSON.stringify(rest));
  if (!kept) put(REST, JSON.stringify({ inputs: [], sample: true, prices: rest.prices, lacks: true }));
  return kept;
}

/** The state before a reload, or null. `lacks` when its lines were too many; without lines yet it is the sample. */
export function draft() {
  const rules = get(RULES);
  if (rules === null || get(FROM) !== location.hash) return null;
  try {
    return { inputs: [], sample: true, ...JSON.parse(get(REST)), rules };
  } catch {
    return null;
  }
}

function put(key, value) {
  try {
    sessionStorage.setItem(key, value);
    return true;
  } catch {
    return false; // full, or forbidden to this page
  }
}

function get(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}
