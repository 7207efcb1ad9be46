// While a slider moves: the picture at its own stops, exact. The nearest known stop is drawn at once; missing ones are
// asked for, nearest first in the direction of travel. Streamlit tells a page of a move only when it ends, but writes
// every stop into the thumb's aria-valuetext; where it does not, nothing here happens and the page behaves as without.
const AT_ONCE = 2; // requests in flight
const MOST_STOPS = 8; // of a request; the server takes no more
const ANSWER = 100; // milliseconds that a request should take: as many stops as fit, for the finger goes on
const AHEAD = 12; // stops beyond the present one that are asked for while a pointer is down
const NEAR = 8; // stops from the present one within which a known one is drawn
const REST = 150; // milliseconds without a move, for those who asked for less motion
const AGAIN = 300; // milliseconds until a request that failed is made again
const RUNGS = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const CHART = '[data-testid="stVegaLiteChart"]';
const PARTS = ["stMetricLabel", "stMetricValue", "stMetricDelta"];

let page = null; // what the last run of the page sent
let home = null; // the element of the component that shows it
let drag = null; // the slider that moves or is about to: setting, context, known stops, place
const drags = new Map(); // by context: what is known at the present values of the other settings
let shown = null; // the frame on the screen
let held = null; // the domain that only widens while a slider moves
let isDown = false; // whether a pointer is

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
  shown = { ...frame, domains: { ...frame.domains, [frame.held]: domain } };
  window.dispatchEvent(new CustomEvent(page.event, { detail: shown }));
  write(document.querySelector(".st-key-followed_sentence"), frame.sentence);
  const cards = document.querySelectorAll('[data-testid="stMetric"]');
  frame.cards.forEach((card, n) => PARTS.forEach((part, k) => {
    write(cards[n]?.querySelector(`[data-testid="${part}"]`), card[k]);
  }));
  name();
}

// What the picture says to those who cannot see it; a new description from the server would draw the chart anew.
function name() {
  const label = `${page.title}. ${shown.sentence.join("")}`;
  for (const chart of document.querySelectorAll(CHART)) {
    const before = chart.getAttribute("aria-label");
    if (before?.startsWith(page.title) && before !== label) chart.setAttribute("aria-label", label);
  }
}

function draw() {
  const { at, known, stops } = drag;
  for (let distance = 0; distance <= NEAR; distance++) {
    for (const n of distance ? [at - distance, at + distance] : [at]) {
      const frame = known.get(stops[n]);
      if (frame?.rows) {
        if (drag.drawn === n && shown) return;
        drag.drawn = n;
        return show(frame, widened(frame.domains[frame.held]));
      }
    }
  }
}

// A pointer that is down goes on to the stops ahead; a key press may be the only one.
async function ask() {
  const own = drag;
  while (own === drag && page && own.flying < AT_ONCE) {
    const { at, way, stops, known, asked, pace } = own, want = [], ahead = isDown ? AHEAD : 1;
    const most = Math.max(1, Math.min(MOST_STOPS, Math.floor(ANSWER / pace)));
    for (let distance = 0; distance <= ahead && want.length < most; distance++) {
      for (const n of distance && isDown ? [at + way * distance, at - way * Math.ceil(distance / 3)] : [at + way * distance]) {
        const stop = stops[n];
        if (stop !== undefined && !known.has(stop) && !asked.has(stop) && want.length < most) {
          want.push(stop);
          asked.add(stop);
        }
      }
    }
    if (!want.length) return;
    own.flying++;
    const query = new URLSearchParams({ page: page.page, dark: page.dark, setting: own.setting, stops: want.join(",") });
    const start = performance.now();
    fetch(`following/stops?${query}&${page.query}`)
      .then(answer => (answer.ok ? answer.json() : Promise.reject(answer.status)))
      .then(found => {
        own.pace = (performance.now() - start) / want.length;
        for (const stop of want) known.set(stop, found[stop]);
        if (own === drag) tell(own);
      })
      .catch(() => setTimeout(() => {
        want.forEach(stop => asked.delete(stop));
        if (own === drag) ask();
      }, AGAIN))
      .finally(() => {
        own.flying--;
        if (own !== drag || !page) return;
        if (own.moved && !calm.matches) draw();
        ask();
      });
  }
}

// Where the picture does not follow, the slider says why: the server's sentence stands in place of a frame.
function tell({ box, known, stops, at }, isOver = false) {
  const why = known.get(stops[at]);
  if (typeof why === "string" && !isOver) box.setAttribute("data-follows", why);
  else box.removeAttribute("data-follows");
}

function slider(target) {
  const input = target instanceof Element && (target.matches("input[type=range]") ? target : target.querySelector("input[type=range]"));
  const box = target instanceof Element && target.closest('[class*="st-key-"]');
  const setting = box && [...box.classList].find(name => name.startsWith("st-key-"))?.slice(7);
  return page && setting && page.ladders[setting] ? { input: input || box.querySelector("input[type=range]"), box, setting } : null;
}

const contextOf = setting => {
  const others = new URLSearchParams(page.query);
  others.delete(setting);
  return `${page.page} ${page.dark} ${setting} ${others}`;
};

function begin({ input, box, setting }) {
  const context = contextOf(setting), { texts, stops, value } = page.ladders[setting];
  const at = texts.indexOf(input.getAttribute("aria-valuetext"));
  if (!drags.has(context)) {
    const known = new Map([[value, page.frame]]);
    drags.set(context, { setting, context, stops, known, asked: new Set(), at, way: 1, flying: 0, moved: false, pace: 40 });
  }
  if (drag && drag.context !== context) tell(drag, true);
  drag = drags.get(context);
  drag.box = box;
  return at;
}

// Streamlit writes a slider's text again whenever it draws it, a pointer passing over it being enough.
const seen = new WeakMap();
function isNew({ input, setting }) {
  const text = input.getAttribute("aria-valuetext"), { texts, stops, value } = page.ladders[setting];
  const before = seen.get(input) ?? texts[stops.indexOf(value)];
  seen.set(input, text);
  return text !== before;
}

let resting;
function moved(found) {
  const before = drag?.setting === found.setting ? drag.at : page.ladders[found.setting].stops.indexOf(page.ladders[found.setting].value);
  const at = begin(found);
  if (at < 0) return;
  if (at !== before) drag.way = at < before ? -1 : 1;
  drag.at = at;
  drag.moved = true;
  clearTimeout(resting);
  if (calm.matches) resting = setTimeout(draw, REST);
  else draw();
  tell(drag);
  ask();
}

// A pointer that goes down on a slider asks for the stops beside the present one before anything moves.
function down(event) {
  isDown = true;
  const found = slider(event.target);
  if (!found?.input) return;
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
  if (anew && shown) {
    window.dispatchEvent(new CustomEvent(page.event, { detail: shown }));
    name();
  }
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-valuetext"] });
document.addEventListener("pointerdown", down, true);
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { isDown = false; }, true);

export default function ({ data, parentElement }) {
  const run = `${data.page} ${data.dark} ${data.query}`;
  if (!page || page.run !== run) {
    page = { ...data, run, frame: JSON.parse(data.frame) };
    home = parentElement;
    held = null;
    for (const [context, { setting }] of drags) if (context !== contextOf(setting)) drags.delete(context);
    if (drag && !drags.has(drag.context)) {
      tell(drag, true);
      drag = null;
    }
    for (const own of drags.values()) {
      own.moved = false;
      own.drawn = undefined;
      own.known.set(page.ladders[own.setting].value, page.frame);
    }
    show(page.frame, page.frame.domains[page.frame.held]);
  }
  return () => { if (home === parentElement) { page = home = drag = shown = null; drags.clear(); } };
}
