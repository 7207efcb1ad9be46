// Entries of a legend that a click toggles, by the keyboard too. Vega knows clicks on them alone: each becomes a button
// for Tab, Enter and Space, which says whether its lines stand out, and a key on it is a click where Vega listens.
// And a legend's bar of colours keeps them when the address changes: Vega names them by the address that they had.
const ENTRIES = '[data-testid="stVegaLiteChart"] [class*="_legend_entries"] > g';
const SHADED = '[data-testid="stVegaLiteChart"] [fill^="url("]', ADDRESS = /(?<=^url\("?)[^#"]+(?=#)/;
const LABEL = ".role-legend-label text", SYMBOL = ".role-legend-symbol path";

const set = (element, name, value) => element.getAttribute(name) === value || element.setAttribute(name, value);
const opacity = entry => Number(entry.querySelector(LABEL)?.getAttribute("opacity") ?? 1);

function name() {
  for (const entry of document.querySelectorAll(ENTRIES)) {
    const legend = entry.closest(".role-legend"), others = [...entry.parentElement.children];
    const title = legend.querySelector(".role-legend-title text")?.textContent ?? "";
    legend.querySelectorAll("[role]").forEach(part => part.matches(ENTRIES) || part.removeAttribute("role"));
    set(legend, "role", "group");
    legend.removeAttribute("aria-roledescription");
    set(legend, "aria-label", title || legend.closest('[data-testid="stVegaLiteChart"]').getAttribute("aria-label") || "");
    set(entry, "role", "button");
    set(entry, "tabindex", "0");
    set(entry, "aria-label", `${title} ${entry.querySelector(LABEL)?.textContent ?? ""}`.trim());
    set(entry, "aria-pressed", String(opacity(entry) === 1 && others.some(other => opacity(other) < 1)));
  }
}

function shade() {
  for (const bar of document.querySelectorAll(SHADED)) set(bar, "fill", bar.getAttribute("fill").replace(ADDRESS, ""));
}

let waiting = 0;
const soon = () => { waiting ||= requestAnimationFrame(() => { waiting = 0; name(); shade(); }); };
new MutationObserver(soon).observe(document.body, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["opacity", "fill"],
});

document.addEventListener("keydown", event => {
  const entry = event.target instanceof Element && event.target.matches(ENTRIES) && event.target;
  if (!entry || (event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat) entry.querySelector(SYMBOL)?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
}, true);

export default function () { soon(); }
