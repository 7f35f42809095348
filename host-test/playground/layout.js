// Three columns on a wide screen, whose borders can be moved; two on a tablet; one, chosen by tabs, on a phone. The
// columns are tab panels only where there are tabs.

import { $ } from "./format.js";

const STEP = 24; // px for a key

export function createLayout() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const wide = matchMedia("(min-width: 1080px)");
  const phone = matchMedia("(max-width: 719px)");

  function show(name) {
    document.body.dataset.tab = name;
    for (const tab of tabs) {
      const on = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      $(tab.dataset.tab).classList.toggle("shown", on);
    }
  }

  function adapt() {
    for (const tab of tabs) $(tab.dataset.tab).role = wide.matches ? null : "tabpanel";
    // On a tablet the lines are always there, beside the rules or the volume.
    if (!phone.matches && document.body.dataset.tab === "lines") show("rules");
  }

  const list = document.querySelector("[role=tablist]");
  list.onclick = ({ target }) => show(target.closest("[role=tab]")?.dataset.tab ?? document.body.dataset.tab);
  list.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const visible = tabs.filter((tab) => tab.offsetParent);
    const next = visible[(visible.indexOf(document.activeElement) + step + visible.length) % visible.length];
    show(next.dataset.tab);
    next.focus();
    event.preventDefault();
  };

  for (const splitter of document.querySelectorAll("[role=separator]")) createSplitter(splitter);
  show(document.body.dataset.tab);
  adapt();
  wide.onchange = phone.onchange = adapt;
  return { show, narrow: () => phone.matches };
}

function createSplitter(splitter) {
  const { side } = splitter.dataset;
  const left = side === "left";
  const pane = left ? splitter.previousElementSibling : splitter.nextElementSibling;
  // The style sheet says how narrow and how wide a column may be.
  const move = (by) => {
    splitter.parentElement.style.setProperty(`--${side}`, `${pane.offsetWidth + (left ? by : -by)}px`);
  };
  splitter.onpointerdown = (event) => splitter.setPointerCapture(event.pointerId);
  splitter.onpointermove = (event) => splitter.hasPointerCapture(event.pointerId) && move(event.movementX);
  splitter.onkeydown = ({ key }) => move({ ArrowLeft: -STEP, ArrowRight: STEP }[key] ?? 0);
  new ResizeObserver(() => splitter.setAttribute("aria-valuenow", pane.offsetWidth)).observe(pane);
}
