// Plain words and small DOM helpers. Everything that came from outside is set as text, never as markup.

export const KINDS = {send: "Sent", hold: "Held", suppress: "Suppressed", miss: "No match"};

const CAUSES = {
  enter: "entered", exit: "left", dwell: "stayed at", cross: "crossed", approach: "came near",
};

export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (key === "class") node.className = value;
    else node.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// What the page works with, from what the server says: a moment of /v1/moments or its stream, or a miss of the stream.
export function understood(raw, miss = false) {
  const decision = raw.decision || {};
  return {
    raw, id: raw.id, seq: raw.seq, at: raw.at, person: raw.person, device: raw.device, rule: raw.rule, purpose: raw.purpose, test: raw.test,
    kind: !miss && decision.verdict in KINDS ? decision.verdict : "miss",
    reason: decision.reason || "", until: decision.until, zone: miss ? null : decision.time_zone,
    cause: raw.trigger || {}, message: raw.message, sentence: raw.sentence || decision.reason || "",
    channels: raw.channels || [], conditions: raw.conditions || [], checks: raw.checks || [], attempts: raw.attempts || [],
    release: raw.release,
  };
}

export function happened(cause) {
  if (cause.fence) return `${CAUSES[cause.kind] || cause.kind} ${cause.fence}`;
  return cause.event ? `did ${cause.event}` : cause.kind || "";
}

export function initials(name) {
  const parts = String(name).split(/[\s_-]+/).filter(Boolean);
  const letters = parts.length > 1 ? parts[0][0] + parts[1][0] : String(name).slice(0, 2);
  return letters.toUpperCase();
}

export function hue(text) {
  let sum = 0;
  for (const letter of String(text)) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % 8;
}

export function seconds(value) {
  return typeof value === "number" ? value : Date.parse(value) / 1000;
}

export function clockTime(at, zone, withDay = false) {
  const when = new Date(seconds(at) * 1000);
  if (Number.isNaN(when.getTime())) return "";
  const options = {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"};
  if (withDay) Object.assign(options, {weekday: "short", second: undefined});
  try {
    return new Intl.DateTimeFormat("en-GB", {...options, timeZone: zone || undefined}).format(when);
  } catch {
    return new Intl.DateTimeFormat("en-GB", options).format(when);
  }
}

export function shown(value) {
  if (value === undefined || value === null) return "nothing";
  return typeof value === "string" ? value : JSON.stringify(value);
}
