// The live page: backfills from GET /v1/moments, then follows GET /v1/moments/stream (SSE events: moment, miss, time).

import {message, panel} from "./detail.js";
import {KINDS, clockTime, el, happened, hue, initials, understood} from "./words.js";

const MOST_ROWS = 400;
const LOOK_AGAIN = 5000; // milliseconds: what was held or on its way may have gone out since
const $ = (id) => document.getElementById(id);
const feed = $("feed"), detail = $("detail");
const views = new Map(); // key -> view, newest last
const counts = {send: 0, hold: 0, suppress: 0, miss: 0};
const rules = new Set();
const hiddenKinds = new Set();
let paused = false, held = [], current = null, zone = null, source = null, ticking = null, pending = [], painting = false, newest = 0, cleared = 0;

// ------------------------------------------------------------------ talking to the server

const key = () => sessionStorage.getItem("herenow-key") || "";

async function ask(path) {
  const response = await fetch(path, {headers: key() ? {Authorization: `Bearer ${key()}`} : {}});
  if (response.status === 401 || response.status === 403) { askForKey(); throw new Error("a key is needed"); }
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.json();
}

function askForKey() {
  link("off", "a key is needed");
  if (!$("key-dialog").open) $("key-dialog").showModal();
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("key-dialog").close();
  sessionStorage.setItem("herenow-key", $("key").value.trim());
  $("key").value = "";
  start();
});

async function start() {
  if (source) source.close();
  link("", "connecting");
  try {
    await catchUp();
    paint();
  } catch (problem) {
    if ($("key-dialog").open) return;
    link("off", `no answer (${problem.message}); trying again`);
    setTimeout(start, 3000);
    return;
  }
  follow();
}

async function catchUp() {
  const answer = await ask("/v1/moments?limit=100");
  for (const raw of answer.moments.reverse()) take(understood(raw), false);
}

setInterval(() => {
  if (source && source.readyState === EventSource.OPEN && !document.hidden) catchUp().catch(() => {});
}, LOOK_AGAIN);

function follow() {
  source = new EventSource("/v1/moments/stream" + (key() ? `?key=${encodeURIComponent(key())}` : ""));
  source.addEventListener("open", () => link("on", "live"));
  source.addEventListener("error", () => {
    link("off", "connection lost; trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(start, 3000);
  });
  const read = (handle) => (event) => { try { handle(JSON.parse(event.data)); } catch (problem) { console.warn("unreadable event", problem); } };
  source.addEventListener("moment", read((raw) => take(understood(raw), true)));
  source.addEventListener("miss", read((raw) => take(understood(raw, true), true)));
  source.addEventListener("time", read(setTime));
}

function link(state, text) {
  $("link-dot").className = `dot ${state}`;
  $("link-text").textContent = text;
}

// ------------------------------------------------------------------ time: the server's clock, which may be simulated

function setTime({now, speed = 1}) {
  const base = now, since = performance.now();
  const show = () => {
    const at = base + (performance.now() - since) / 1000 * speed;
    $("clock").textContent = clockTime(at, zone, true);
    $("clock-note").textContent = speed === 1 ? "" : `simulated, ${speed}× real time`;
  };
  clearInterval(ticking);
  ticking = setInterval(show, speed > 1 ? 250 : 1000);
  show();
}

function noteTime(view) {
  zone = view.zone || zone;
  if (!ticking) $("clock").textContent = clockTime(view.at, zone, true);
}

// ------------------------------------------------------------------ taking views in

const keyOf = (view) => view.id || `${view.at}|${view.person}|${view.rule}|${view.cause.id}`;

function take(view, live) {
  const id = keyOf(view), known = views.get(id);
  if (view.seq <= cleared) return;
  newest = Math.max(newest, view.seq || 0);
  if (known && known.sentence === view.sentence && known.kind === view.kind) return;
  if (!known) {
    counts[view.kind] += 1;
    addRule(view.rule);
  } else if (known.kind !== view.kind) {
    counts[known.kind] -= 1;
    counts[view.kind] += 1;
  }
  views.set(id, view);
  while (views.size > 4 * MOST_ROWS) views.delete(views.keys().next().value);
  noteTime(view);
  (paused ? held : pending).push([id, live]);
  if (held.length > MOST_ROWS) held.shift();
  if (!painting) { painting = true; requestAnimationFrame(paint); }
}

function paint() {
  painting = false;
  for (const [id, live] of pending) {
    const view = views.get(id);
    if (!view) continue;
    const old = feed.querySelector(`[data-key="${CSS.escape(id)}"]`);
    const item = row(id, view, live && !old);
    if (!old) feed.prepend(item);
    else {
      const focused = old === document.activeElement;
      old.closest("li").replaceWith(item);
      if (focused) item.firstElementChild.focus();
    }
  }
  pending = [];
  while (feed.children.length > MOST_ROWS) feed.lastElementChild.remove();
  for (const tile of document.querySelectorAll(".tile")) tile.firstElementChild.textContent = counts[tile.dataset.kind].toLocaleString("en");
  sift();
}

function row(id, view, fresh) {
  const said = view.kind === "send" || view.kind === "hold" ? message(view.message) : null;
  const why = el("div", {class: "why"}, view.sentence);
  const button = el("button", {type: "button", class: `row ${view.kind}${fresh ? " new" : ""}`, "data-key": id, "data-kind": view.kind, "aria-current": id === current ? "true" : null},
    el("span", {class: `face hue-${hue(view.person)}`, "aria-hidden": "true"}, initials(view.person)),
    el("span", {class: "what"}, el("b", {}, view.person), ` ${happened(view.cause)} `, el("span", {class: "rule"}, view.rule)),
    el("span", {class: "when"}, el("span", {class: "pill"}, KINDS[view.kind]), " ", el("time", {}, clockTime(view.at, view.zone || zone))),
    el("span", {class: "said"}, said, why),
  );
  button.addEventListener("click", () => open(id));
  return el("li", {}, button);
}

function addRule(rule) {
  if (!rule || rules.has(rule)) return;
  rules.add(rule);
  const option = el("option", {value: rule}, rule);
  const after = [...$("rule").options].slice(1).find((other) => other.value > rule);
  $("rule").insertBefore(option, after || null);
}

// ------------------------------------------------------------------ filters

function sift() {
  const rule = $("rule").value, person = $("person").value.trim().toLowerCase();
  let visible = 0;
  for (const item of feed.children) {
    const button = item.firstElementChild, view = views.get(button.dataset.key);
    const show = view && !hiddenKinds.has(button.dataset.kind) && (!rule || view.rule === rule) && (!person || view.person.toLowerCase().includes(person));
    item.hidden = !show;
    visible += show ? 1 : 0;
  }
  $("empty").hidden = feed.children.length > 0;
  $("shown").textContent = feed.children.length ? `${visible} of ${feed.children.length} shown${held.length ? `, ${held.length} waiting` : ""}` : "";
}

for (const tile of document.querySelectorAll(".tile")) {
  tile.addEventListener("click", () => {
    const show = tile.getAttribute("aria-pressed") !== "true";
    tile.setAttribute("aria-pressed", String(show));
    if (show) hiddenKinds.delete(tile.dataset.kind); else hiddenKinds.add(tile.dataset.kind);
    sift();
  });
}
$("rule").addEventListener("change", sift);
$("person").addEventListener("input", sift);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused) { pending = pending.concat(held); held = []; }
  paint();
});
$("clear").addEventListener("click", () => { cleared = newest; views.clear(); held = []; feed.replaceChildren(); close(); sift(); });

// ------------------------------------------------------------------ the detail pane

const hint = detail.firstElementChild;

async function open(id) {
  const view = views.get(id);
  if (!view) return;
  mark(id);
  show(view);
  if (!view.id) return;
  try {
    const trace = understood(await ask(`/v1/moments/${encodeURIComponent(view.id)}`));
    if (current === id) show(trace);
  } catch (problem) {
    if (current === id) detail.firstElementChild.append(el("p", {class: "why"}, `The trace could not be had: ${problem.message}.`));
  }
}

function show(view) {
  detail.replaceChildren(panel(view, view.zone || zone, close));
}

function mark(id) {
  current = id;
  for (const button of feed.querySelectorAll(".row")) {
    if (button.dataset.key === id) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  }
}

function close() {
  const last = current && feed.querySelector(`[data-key="${CSS.escape(current)}"]`);
  mark(null);
  detail.replaceChildren(hint);
  if (last) last.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, dialog")) return;
  if (event.key === "Escape" && current) close();
  if (event.key === " " && !event.target.closest("button, summary")) { event.preventDefault(); $("pause").click(); }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const rows = [...feed.querySelectorAll("li:not([hidden]) .row")];
  if (!rows.length) return;
  event.preventDefault();
  const step = event.key === "ArrowDown" ? 1 : -1, at = rows.indexOf(document.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + step))].focus();
});

start();
