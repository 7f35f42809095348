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
  if (!kept) put(REST, null);
  return kept;
}

/** The state before a reload, or null. `lacks` when its lines were too many. */
export function draft() {
  const rules = get(RULES);
  if (rules === null || get(FROM) !== location.hash) return null;
  try {
    const rest = JSON.parse(get(REST));
    return rest ? { ...rest, rules } : { rules, inputs: [], sample: true, lacks: true };
  } catch {
    return null;
  }
}

function put(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
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
