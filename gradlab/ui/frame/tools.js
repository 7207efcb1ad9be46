// Copies the link in one click, and takes Ctrl+Z, Ctrl+Shift+Z (or Ctrl+Y) and Escape for the frame's own buttons. What
// runs in a click may write to the clipboard without asking; where it may not, the link stands in a box to be copied.
const SAID = 2500; // milliseconds
const TYPED = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, [contenteditable=true]";
let own = null; // the element whose page is shown; one at a time

const button = name => document.querySelector(`.st-key-${name} button:not(:disabled)`);

function pressed(event) {
  const key = event.key.toLowerCase(), typing = event.target instanceof Element && event.target.matches(TYPED);
  if (key === "escape" && !document.querySelector('[data-testid="stPopoverBody"], [role="listbox"], [role="dialog"]')) {
    button("leave_presentation")?.click();
    return;
  }
  if (typing || event.altKey || !(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y")) return;
  event.preventDefault();
  button(key === "y" || event.shiftKey ? "redo" : "undo")?.click();
}
// On a phone the sidebar lies over the page: what was chosen there is seen when it closes.
const NARROW = matchMedia("(max-width: 768px)");
const CHOICES = '[data-testid="stSidebarNavLink"], [class*="st-key-preset-"] button, .st-key-reset button';
document.addEventListener("click", event => {
  if (!NARROW.matches || !(event.target instanceof Element) || !event.target.closest(CHOICES)) return;
  if (event.target.closest('[data-testid="stSidebar"]')) {
    setTimeout(() => document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click(), 100);
  }
});

document.addEventListener("keydown", event => own && pressed(event));
// Arrows go through a story's steps; the row of steps would keep them once a pointer has chosen one.
document.addEventListener("click", event => {
  if (event.detail && event.target instanceof Element && event.target.closest(".st-key-step")) {
    setTimeout(() => document.activeElement?.blur());
  }
});

const SHELF = "gradlab shelf"; // in the tab's own storage: what the server keeps for it over a reload
let adopting = null; // the shelf that the tab had before this load, until the page has heard of it
try { adopting = sessionStorage.getItem(SHELF); } catch { /* a browser that stores nothing keeps nothing */ }
let measured = 0; // the window's height that the page knows

// Pictures are made for a theme: where the page was drawn for another, it runs once more, also where the theme changed
// before the page was there. It is asked once for each change, when that has come to rest: a page that stays as it was
// is not asked for ever.
const RESTS = 150; // milliseconds without another change
const APP = document.querySelector('[data-testid="stApp"]');
const isDark = () => getComputedStyle(APP).colorScheme === "dark";
let drawn = null; // for which theme the page was drawn, and what runs it
let asked = null; // for which theme it was to run last
let resting;
function followTheme() {
  clearTimeout(resting);
  resting = setTimeout(runForTheme, RESTS);
}
function runForTheme() {
  if (!drawn) return;
  const dark = isDark();
  if (drawn.dark === dark) asked = null;
  else if (asked !== dark) drawn.run((asked = dark));
}
new MutationObserver(followTheme).observe(APP, { attributes: true, attributeFilter: ["class"] });

export default function ({ data, parentElement, setStateValue }) {
  own = parentElement;
  if (adopting && adopting !== data.shelf) setStateValue("shelf", adopting);
  else try { sessionStorage.setItem(SHELF, data.shelf); } catch { /* as above */ }
  adopting = null;
  if (data.measured && measured !== innerHeight) setStateValue("height", (measured = innerHeight));
  drawn = { dark: data.dark, run: dark => setStateValue("dark", dark) };
  followTheme();
  const copy = parentElement.querySelector("button"), status = parentElement.querySelector("[role=status]");
  const box = parentElement.querySelector("input"), { texts } = data;
  copy.textContent = texts.copy;
  box.setAttribute("aria-label", texts.link);
  document.documentElement.lang = data.language;
  const link = () => location.origin + location.pathname + (data.query ? `?${data.query}` : "");
  if (box.value !== link()) box.hidden = true;
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(link());
      status.textContent = texts.copied;
      box.hidden = true;
    } catch {
      box.value = link();
      box.hidden = false;
      box.select();
      status.textContent = texts.refused;
      return;
    }
    setTimeout(() => { status.textContent = ""; }, SAID);
  };
  return () => { if (own === parentElement) own = drawn = null; };
}
