// While a slider moves: the picture at its own stops, exact. The nearest known stop is drawn at once; missing ones are
// asked for, nearest first in the direction of travel. Streamlit tells a page of a move only when it ends, but writes
// every stop into the thumb's aria-valuetext; where it does not, nothing here happens and the page behaves as without.
const AT_ONCE = 2; // requests in flight
const MOST_STOPS = 8; // of a request; the server takes no more
const ANSWER = 100; // milliseconds that a request should take: as many stops as fit, for the finger goes on
const AHEAD = 12; // stops beyond the present one that are asked for
const NEAR = 8; // stops from the present one within which a known one is drawn
const REST = 150; // milliseconds without a move, for those who asked for less motion
const RUNGS = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const CHART = '[data-testid="stVegaLiteChart"]';
const PARTS = ["stMetricLabel", "stMetricValue", "stMetricDelta"];

let page = null; // what the last run of the page sent
let home = null; // the element of the component that shows it
let drag = null; // the slider that moves or is about to: setting, context, known stops, place
const drags = new Map(); // by context: what is known at the present values of the other settings
let shown = null; // the frame on the screen
let held = null; // the domain of norms while a slider moves

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function widened(domain) {
  let [low, high] = held ?? domain;
  high = Math.max(high, domain[1]);
  if (domain[0] < low) low = high - (RUNGS.find(rung => high - rung <= domain[0]) ?? high - domain[0]);
  return (held = [low, high]);
}

function write(element, texts) {
  if (!element || !texts) return;
  const nodes = [], walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.nodeValue.trim()) nodes.push(walker.currentNode);
  if (nodes.length === texts.length) texts.forEach((text, n) => { if (nodes[n].nodeValue !== text) nodes[n].nodeValue = text; });
}

function show(frame, domain) {
  shown = { ...frame, norms: domain };
  window.dispatchEvent(new CustomEvent(page.event, { detail: shown }));
  write(document.querySelector(".st-key-followed_sentence"), frame.sentence);
  const cards = document.querySelectorAll('[data-testid="stMetric"]');
  frame.cards.forEach((card, n) => PARTS.forEach((part, k) => {
    write(cards[n]?.querySelector(`[data-testid="${part}"]`), card[k]);
  }));
}

function draw() {
  const { at, known, stops } = drag;
  for (let distance = 0; distance <= NEAR; distance++) {
    for (const n of distance ? [at - distance, at + distance] : [at]) {
      const frame = known.get(stops[n]);
      if (frame) {
        if (drag.drawn === n && shown) return;
        drag.drawn = n;
        return show(frame, widened(frame.norms));
      }
    }
  }
}

async function ask() {
  const own = drag;
  while (own === drag && page && own.flying < AT_ONCE) {
    const { at, way, stops, known, asked, pace } = own, want = [];
    const most = Math.max(1, Math.min(MOST_STOPS, Math.floor(ANSWER / pace)));
    for (let distance = 0; distance <= AHEAD && want.length < most; distance++) {
      for (const n of distance ? [at + way * distance, at - way * Math.ceil(distance / 3)] : [at]) {
        const stop = stops[n];
        if (stop !== undefined && !known.has(stop) && !asked.has(stop) && want.length < most) {
          want.push(stop);
          asked.add(stop);
        }
      }
    }
    if (!want.length) return;
    own.flying++;
    const query = new URLSearchParams({ picture: page.picture, setting: own.setting, stops: want.join(",") });
    const start = performance.now();
    fetch(`live/stops?${query}&${page.query}`)
      .then(answer => (answer.ok ? answer.json() : Promise.reject(answer.status)))
      .then(found => {
        own.pace = (performance.now() - start) / want.length;
        for (const stop of want) known.set(stop, found[stop] ?? null);
        if (own === drag) tell(own, known.get(stops[own.at]) === null);
      })
      .catch(() => setTimeout(() => {
        want.forEach(stop => asked.delete(stop));
        if (own === drag) ask();
      }, 300))
      .finally(() => {
        own.flying--;
        if (own !== drag || !page) return;
        if (own.moved && !calm.matches) draw();
        ask();
      });
  }
}

// Above the budget the picture follows on release, and the slider says so.
function tell({ box }, late) {
  if (late) box.setAttribute("data-follows", "on release");
  else box.removeAttribute("data-follows");
}

function slider(target) {
  const input = target instanceof Element && (target.matches("input[type=range]") ? target : target.querySelector("input[type=range]"));
  const box = target instanceof Element && target.closest('[class*="st-key-"]');
  const setting = box && [...box.classList].find(name => name.startsWith("st-key-"))?.slice(7);
  return page && setting && page.stops[setting] ? { input: input || box.querySelector("input[type=range]"), box, setting } : null;
}

const contextOf = setting => {
  const others = new URLSearchParams(page.query);
  others.delete(setting);
  return `${page.picture} ${setting} ${others}`;
};

function begin({ input, box, setting }) {
  const context = contextOf(setting);
  const at = page.texts[setting].indexOf(input.getAttribute("aria-valuetext"));
  if (!drags.has(context)) {
    const known = new Map([[page.values[setting], page.frame]]);
    drags.set(context, { setting, context, stops: page.stops[setting], known, asked: new Set(), at, way: 1, flying: 0, moved: false, pace: 40 });
  }
  if (drag && drag.context !== context) tell(drag, false);
  drag = drags.get(context);
  drag.box = box;
  return at;
}

// Streamlit writes a slider's text again whenever it draws it, a pointer passing over it being enough.
const texts = new WeakMap();
function isNew({ input, setting }) {
  const text = input.getAttribute("aria-valuetext");
  const before = texts.get(input) ?? page.texts[setting][page.stops[setting].indexOf(page.values[setting])];
  texts.set(input, text);
  return text !== before;
}

let resting;
function moved(found) {
  const before = drag?.setting === found.setting ? drag.at : null;
  const at = begin(found);
  if (at < 0) return;
  if (before !== null && at !== before) drag.way = at < before ? -1 : 1;
  drag.at = at;
  drag.moved = true;
  clearTimeout(resting);
  if (calm.matches) resting = setTimeout(draw, REST);
  else draw();
  if (drag.known.has(drag.stops[at])) tell(drag, drag.known.get(drag.stops[at]) === null);
  ask();
}

// A pointer over a slider, or the focus on it, asks for the stops beside the present one before anything moves.
function near(event) {
  const found = slider(event.target);
  if (!found?.input || event.buttons) return; // a finger that drags may pass over another slider
  const at = begin(found);
  if (at < 0) return;
  drag.at = at;
  ask();
}

new MutationObserver(changes => {
  if (!page) return;
  let anew = false; // Streamlit draws a chart anew when the window's width changes, with the rows it began with
  for (const { type, target, addedNodes } of changes) {
    if (type === "attributes") {
      const found = slider(target);
      if (found?.input === target && isNew(found)) moved(found);
    } else if (target instanceof HTMLElement && target.closest(CHART)) {
      anew ||= [...addedNodes].some(node => node instanceof Element && (node.matches(".marks") || node.querySelector(".marks")));
    }
  }
  if (anew && shown) window.dispatchEvent(new CustomEvent(page.event, { detail: shown }));
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-valuetext"] });
document.addEventListener("pointerover", near);
document.addEventListener("focusin", near);

export default function ({ data, parentElement }) {
  if (!page || page.run !== data.run) {
    page = data;
    home = parentElement;
    held = null;
    for (const [context, { setting }] of drags) if (context !== contextOf(setting)) drags.delete(context);
    if (drag && !drags.has(drag.context)) {
      tell(drag, false);
      drag = null;
    }
    for (const own of drags.values()) {
      own.moved = false;
      own.drawn = undefined;
      own.known.set(page.values[own.setting], page.frame);
    }
    show(page.frame, page.frame.norms);
  }
  return () => { if (home === parentElement) { page = home = drag = shown = null; drags.clear(); } };
}
