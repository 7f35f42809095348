// Light, dark, or what the system says: the one thing that the page remembers. Without imports, so that it runs before
// the rest is there and the page never flashes.

const KEY = "nodesieve-theme";
const ORDER = ["auto", "light", "dark"];

export function apply(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (!button) return;
  button.lastChild.textContent = theme;
  button.setAttribute("aria-label", `Theme: ${theme}`);
}

function remembered() {
  try {
    const theme = localStorage.getItem(KEY);
    return ORDER.includes(theme) ? theme : "auto";
  } catch {
    return "auto"; // storage is forbidden, as in a private window
  }
}

let theme = remembered();
apply(theme);
document.getElementById("theme")?.addEventListener("click", () => {
  theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
  apply(theme);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds for this visit.
  }
});
