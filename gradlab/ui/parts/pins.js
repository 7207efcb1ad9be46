// Keys of a comparison: p pins, x swaps, and while space is held the first pin stands alone, in its cells' colours.
// They are the row's own buttons; a key that somebody types into a field is a letter of it.
const TYPED = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]";
const OWN_SPACE = `${TYPED}, input, button, a, summary, [role], [tabindex]:not([tabindex="-1"])`; // what space acts on
const ALONE = "pin-alone";
let own = null; // the element whose page is shown; one at a time

const button = name => document.querySelector(`.st-key-${name} button:not(:disabled)`);
const chart = target => target.closest('[data-testid="stVegaLiteChart"]');
const hold = () => own?.querySelector("button:not([hidden])");

function alone(isOn) {
  document.body.classList.toggle(ALONE, Boolean(isOn && hold()));
  hold()?.setAttribute("aria-pressed", String(document.body.classList.contains(ALONE)));
}

function down(event) {
  const target = event.target;
  if (!own || !(target instanceof Element) || target.matches(TYPED) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.code === "Space") {
    const acts = target.matches(OWN_SPACE) && !chart(target) && target !== hold();
    if (acts || !hold()) return;
    event.preventDefault();
    alone(true);
  } else if (!event.repeat && (event.key === "p" || event.key === "x")) {
    button(event.key === "p" ? "pin" : "swap_pin")?.click();
  }
}

document.addEventListener("keydown", down);
document.addEventListener("keyup", event => { if (event.code === "Space") alone(false); });
window.addEventListener("blur", () => alone(false));
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => alone(false));
// A pointer's click leaves space to the comparison, and not to the button that was clicked.
document.addEventListener("click", event => {
  const clicked = event.detail && event.target instanceof Element && event.target.closest(".st-key-pin, .st-key-swap_pin");
  if (clicked) setTimeout(() => document.activeElement?.blur());
});

export default function ({ data, parentElement }) {
  own = parentElement;
  const held = parentElement.querySelector("button");
  held.hidden = !data.alone;
  held.textContent = `Hold: ${data.alone} alone`;
  held.title = `${data.alone} alone, as long as this or the space bar is held`;
  held.onpointerdown = () => alone(true);
  alone(false);
  return () => { if (own === parentElement) { alone(false); own = null; } };
}
