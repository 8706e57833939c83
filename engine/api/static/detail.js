// The pane that answers "why": conditions with the values they saw, the decision, and what became of the message.

import {KINDS, clockTime, el, happened, shown} from "./words.js";

const MARKS = {true: ["✓", "yes", "held"], false: ["✗", "no", "did not hold"], null: ["?", "unknown", "not known"]};

export function panel(view, zone, close) {
  const button = el("button", {type: "button", "aria-label": "Close"}, "×");
  button.addEventListener("click", close);
  return el("div", {class: `panel ${view.kind}`},
    el("div", {class: "panel-top"}, el("span", {class: "pill"}, `${KINDS[view.kind]} · ${view.reason}`), button),
    el("h2", {}, `${view.person} ${happened(view.cause)}`),
    el("p", {class: "why"}, view.sentence),
    message(view.message),
    el("h3", {}, "What"), facts(view, zone),
    list("Conditions, with what they saw", view.conditions.map((item) => check(item, zone))),
    list("Decision, in order", view.checks.map((item) => check(item, zone))),
    list("Message", view.attempts.map(attempt)),
    el("details", {}, el("summary", {}, "Everything, as data"), el("pre", {}, JSON.stringify(view.raw, null, 2))),
  );
}

export function message(text) {
  if (!text || !(text.title || text.body)) return null;
  return el("div", {class: "bubble"}, text.title ? el("b", {}, text.title) : null, text.body || null);
}

function facts(view, zone) {
  const seen = view.raw.transition || {};
  const sure = seen.probability === undefined ? null : `${Math.round(seen.probability * 100)} %` + (seen.metres === undefined ? "" : `, ${Math.abs(seen.metres).toFixed(0)} m ${seen.metres < 0 ? "outside" : "inside"} the border`);
  const rows = [
    ["Rule", view.rule], ["Person", view.person + (view.test ? " (test)" : "")], ["Device", view.device], ["Trigger", happened(view.cause)],
    ["At", `${clockTime(view.at, zone, true)}${zone ? ` (${zone})` : ""}`], ["Held until", view.until && clockTime(view.until, zone, true)],
    ["Inside", sure], ["Channels", view.channels.join(", then ")], ["Purpose", view.purpose],
    ["Release", view.release && view.release.slice(0, 12)], ["Moment", view.id],
  ];
  return el("dl", {class: "facts"}, rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function list(title, items) {
  return items.length ? el("div", {}, el("h3", {}, title), el("ol", {class: "checks"}, items)) : null;
}

function check(item, zone) {
  const notes = [];
  if (item.saw !== undefined && item.saw !== null) notes.push(`saw ${shown(item.saw)}`);
  if (item.needs) notes.push(`needs ${item.needs}`);
  if (item.note) notes.push(item.note);
  if (item.free_at) notes.push(`free at ${clockTime(item.free_at, zone, true)}`);
  if (item.where) notes.push(item.where);
  return line(item.ok ?? null, item.name + (item.reason && item.ok !== true ? ` (${item.reason})` : ""), notes.join(" · "), item.depth);
}

function attempt(row) {
  const ok = row.status === "sent" ? true : row.status === "waiting" || row.status === "sending" ? null : false;
  return line(ok, `${row.channel}: ${row.status}`, [row.sentence, row.detail].filter(Boolean).join(" · "));
}

function line(ok, name, notes, depth = 0) {
  const [mark, kind, spoken] = MARKS[String(ok)];
  return el("li", {class: depth ? `depth-${Math.min(depth, 3)}` : null},
    el("span", {class: `mark ${kind}`, role: "img", "aria-label": spoken}, mark),
    el("span", {}, name),
    notes ? el("small", {}, notes) : null,
  );
}
