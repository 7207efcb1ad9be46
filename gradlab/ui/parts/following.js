// While a slider moves: the picture at its own stops, exact. The nearest known stop is drawn at once; missing ones are
// asked for, nearest first in the direction of travel. Streamlit tells a page of a move only when it ends, but writes
// every stop into the thumb's aria-valuetext; where it does not, nothing here happens and the page behaves as without.
const AT_ONCE = 2; // requests in flight
const MOST_STOPS = 8; // of a request; the server takes no more
const ANSWER = 100; // milliseconds that a request should take: as many stops as fit, for the finger goes on
const AHEAD = 12; // stops beyond the present one that are asked for while a pointer is down
const NEAR = 8; // stops from the present one within which a known one is drawn
const REST = 150; // milliseconds without a move, for those who asked for less motion
const BUSY = 503; // the only refusal that passes
const AGAIN = 300; // milliseconds until a request that failed is made again
const NOTHING = "\u200b"; // what a node holds whose text another one has; an empty one would not be found again
const DRAWN = 50; // milliseconds from an event until Vega has drawn
const AFTER = [0, 100]; // milliseconds from a page's run until its texts are surely Streamlit's own
const CHART = '[data-testid="stVegaLiteChart"]';
const PARTS = ["stMetricLabel", "stMetricValue", "stMetricDelta"];
const READ = "hover"; // the dataset that the pointer alone reads: places, and texts there

let page = null; // what the last run of the page sent
let home = null; // the element of the component that shows it
let drag = null; // the slider that moves or is about to: setting, context, known stops, place
const drags = new Map(); // by context: what is known at the present values of the other settings
let shown = null; // the frame on the screen
const held = new Map(); // by picture and name: the domains that only widen while a slider moves
let isDown = false; // whether a pointer is

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// A length that is reached in a few rungs: 1, 2 or 5 times a power of ten.
function rung(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return [1, 2, 5, 10].find(times => times * power >= length * (1 - 1e-9)) * power;
}

function widened(key, [first, last]) {
  let [low, high] = held.get(key) ?? [first, last];
  if (last > high) high = low + rung(last - low);
  if (first < low) low = high - rung(high - first);
  held.set(key, [low, high]);
  return [low, high];
}

// Lags run against steps: where the axis of steps is held, theirs is held beside it.
function held_of(picture, n) {
  const domains = { ...picture.domains };
  for (const name of picture.held) domains[name] = widened(`${n} ${name}`, domains[name]);
  const { steps, lags } = picture.domains;
  if (steps && lags && picture.held.includes("steps")) {
    domains.lags = domains.steps.map(step => lags[1] + steps[0] - step).reverse();
  }
  return domains;
}

// Streamlit's nodes stay, and their texts change; where a sentence has other bold parts, its last node has the rest.
function write(element, texts) {
  if (!element || !texts) return;
  const nodes = [], walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.nodeValue.trim()) nodes.push(walker.currentNode);
  nodes.forEach((node, n) => {
    const text = (n < nodes.length - 1 ? texts[n] : texts.slice(n).join("")) || NOTHING;
    if (node.nodeValue !== text) node.nodeValue = text;
  });
}

function same(one, other) {
  return one && one.length === other.length && one.every((value, n) => value === other[n]);
}

// What an event leaves as it was has to be the same object, or Vega draws it anew.
const events = []; // by picture: what it has got
function dispatch(picture, n) {
  const before = events[n]?.event === page.events[n] ? events[n].detail : { rows: {}, domains: {} };
  const domains = held_of(picture, n), rows = { ...picture.rows }, read = before.rows[READ];
  for (const name in domains) if (same(before.domains[name], domains[name])) domains[name] = before.domains[name];
  if (rows[READ]) rows[READ] = read && reread(n, read, rows[READ]) ? read : { ...rows[READ] };
  events[n] = { event: page.events[n], detail: { rows, domains } };
  send(n);
}

// What the pointer reads has a rule and an area at each of its places, which are most of what a chart draws. Where the
// places stay, the texts are written into the rows that Vega has; false where that cannot be, and all is drawn anew.
function reread(n, read, next) {
  const columns = Object.keys(next), places = columns.filter(name => typeof next[name][0] === "number");
  const isRow = row => row && columns.every(name => name in row);
  if (!same(columns, Object.keys(read)) || !places.every(name => same(read[name], next[name]))) return false;
  const marks = kind => [...document.querySelectorAll(`.st-key-followed_picture_${n} ${CHART} ${kind}`)].map(e => e.__data__);
  const rules = marks(".mark-rule line").filter(item => isRow(item?.datum));
  const count = next[columns[0]].length, areas = new Map(marks(".mark-path path").map(item => [item?.datum, item]));
  if (rules.length !== count || !rules.every((rule, k) => areas.has(rule) && places.every(name => rule.datum[name] === next[name][k]))) {
    return false;
  }
  Object.assign(read, next);
  rules.forEach((rule, k) => {
    for (const name of columns) rule.datum[name] = next[name][k];
    for (const item of [rule, areas.get(rule)]) if (typeof item.tooltip === "string") item.tooltip = rule.datum.says;
  });
  return true;
}

function send(n) {
  window.dispatchEvent(new CustomEvent(events[n].event, { detail: events[n].detail }));
}

function show(frame) {
  shown = frame;
  frame.pictures.forEach(dispatch);
  say();
  setTimeout(tellPointer, DRAWN);
}

// What a pointer that rests on a picture was told is told again: the picture is another.
let pointer = null; // the last place of a mouse
document.addEventListener("pointermove", event => { if (event.isTrusted && event.pointerType === "mouse") pointer = event; }, true);
function tellPointer() {
  if (!pointer || !document.querySelector("#vg-tooltip-element.visible")) return;
  const { clientX, clientY } = pointer, under = document.elementFromPoint(clientX, clientY);
  if (under?.closest(CHART)) under.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY }));
}

function say() {
  shown.sentences.forEach((texts, n) => write(document.querySelector(`.st-key-followed_${n}`), texts));
  shown.cards.forEach((card, n) => PARTS.forEach((part, k) => {
    write(document.querySelector(`.st-key-followed_card_${n} [data-testid="${part}"]`), card[k]);
  }));
  name();
}

// What a picture says to those who cannot see it; a new description from the server would draw the chart anew.
function name() {
  shown.labels.forEach((label, n) => {
    const chart = document.querySelector(`.st-key-followed_picture_${n} ${CHART}`);
    if (chart && chart.getAttribute("aria-label") !== label) chart.setAttribute("aria-label", label);
  });
}

// Rows that a stop leaves out are those of the page.
function whole(frame, of) {
  if (typeof frame === "string") return frame;
  frame.pictures.forEach((picture, n) => { picture.rows = { ...of.pictures[n].rows, ...picture.rows }; });
  return frame;
}

function draw() {
  const { at, known, stops } = drag;
  for (let distance = 0; distance <= NEAR; distance++) {
    for (const n of distance ? [at - distance, at + distance] : [at]) {
      const frame = known.get(stops[n]);
      if (frame?.pictures) {
        if (drag.drawn === n && shown) return;
        drag.drawn = n;
        return show(frame);
      }
    }
  }
}

// A pointer that is down goes on to the stops ahead; a key press may be the only one, and its stops may take longer.
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
    const query = new URLSearchParams({
      page: page.page, dark: page.dark, setting: own.setting, stops: want.join(","), dragged: isDown,
    });
    const start = performance.now(), frame = page.frame;
    fetch(`following/stops?${query}&${page.query}`)
      .then(answer => (answer.ok ? answer.json() : Promise.reject(answer.status)))
      .then(found => {
        own.pace = (performance.now() - start) / want.length;
        for (const stop of want) known.set(stop, whole(found[stop], frame));
        if (own === drag) tell(own);
      })
      .catch(refused => refused !== BUSY && typeof refused === "number" || setTimeout(() => {
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
    for (const [stop, frame] of Object.entries(page.known[setting] ?? {})) known.set(stop, whole(frame, page.frame));
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
    events.forEach((_, n) => send(n));
    name();
  }
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-valuetext"] });
document.addEventListener("pointerdown", down, true);
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { isDown = false; }, true);

export default function ({ data, parentElement }) {
  const run = `${data.page} ${data.dark} ${data.query}`;
  if (!page || page.run !== run) {
    page = { ...data, run, frame: JSON.parse(data.frame), known: JSON.parse(data.known ?? "{}") };
    home = parentElement;
    held.clear();
    events.length = 0;
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
    show(page.frame);
    for (const later of AFTER) setTimeout(() => { if (page?.run === run && shown === page.frame) say(); }, later);
  }
  return () => { if (home === parentElement) { page = home = drag = shown = null; drags.clear(); } };
}
