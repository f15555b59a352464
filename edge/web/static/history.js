// Counts per hour or day and the share of masks, as a picture over the time and as a table.
import { $, ask, node } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const parts = ["on", "incorrectly_worn", "off", "unsure"];
const names = { on: "mask", incorrectly_worn: "worn incorrectly", off: "no mask", unsure: "unsure" };
const HEIGHT = 220, LEFT = 34, TOP = 12, GROUND = 192;  // pixels
const HOUR = 3600000;
let shown = null;

export async function showHistory() {
  $("since").onchange = load;
  $("legend").replaceChildren(...parts.map((part) => node("span", {}, node("i", { className: `bar-${part}` }), ` ${names[part]}`)));
  new ResizeObserver(() => { if (shown) chart(shown); }).observe($("chart"));
  await load();
  setInterval(() => { if (!document.hidden) load(); }, 60000);
}

async function load() {
  const wanted = $("since").value;
  let said;
  $("history").ariaBusy = "true";
  try { said = await ask(`/api/history?since=${wanted}`); } catch (error) {
    if (error.status) $("history-problem").textContent = error.message;
    return;
  }
  $("history-problem").textContent = "";
  if (wanted !== $("since").value) return;  // meanwhile another period was chosen
  $("history").ariaBusy = "false";
  $("history-none").hidden = said.kept;
  $("history-some").hidden = !said.kept;
  if (said.kept) { shown = said; chart(said); table(said); }
}

function element(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Clock time of the camera, whatever the zone of the browser: a number to count with, and a text again.
const number = (begin) => Date.parse(begin.length > 10 ? `${begin}Z` : `${begin}T00:00Z`);
const words = (time, by) => new Date(time).toISOString().slice(0, by === "hour" ? 16 : 10);

function chart(said) {
  const step = said.by === "hour" ? HOUR : 24 * HOUR, begin = number(said.begin), slots = Math.round((number(said.end) - begin) / step) + 1;
  const width = Math.max($("chart").clientWidth, 200), slot = (width - LEFT) / slots;
  const most = Math.max(...said.counts.map((c) => c.people), 0), scale = (GROUND - TOP) / Math.max(most, 1);
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
  for (const count of new Set([0, Math.floor(most / 2), most])) {
    const y = GROUND - count * scale;
    svg.append(element("line", { class: "axis", x1: LEFT, x2: width, y1: y, y2: y }), element("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, count));
  }
  labels(svg, said.by, begin, step, slots, slot);
  for (const c of said.counts) bar(svg, c, LEFT + Math.round((number(c.day) - begin) / step) * slot, slot, scale);
  if (!most) svg.append(element("text", { x: LEFT + (width - LEFT) / 2, y: GROUND / 2, "text-anchor": "middle" }, "nobody came"));
  $("chart").replaceChildren(svg);
  const people = said.counts.reduce((sum, c) => sum + c.people, 0);
  $("chart").setAttribute("aria-label", `${people} people; at most ${most} per ${said.by}; the table below has the numbers`);
}

// As many times as fit below the axis, at even hours.
function labels(svg, by, begin, step, slots, slot) {
  const every = [1, 2, 3, 6, 12, 24, 48].find((n) => n * slot >= 52) ?? slots;
  for (let i = 0; i < slots; i++) {
    const time = begin + i * step, text = words(time, by), hour = new Date(time).getUTCHours();
    if (by === "hour" ? hour % every : (slots - 1 - i) % every) continue;
    const x = Math.min(LEFT + (i + 0.5) * slot, LEFT + slots * slot - 18);
    svg.append(element("text", { x, y: GROUND + 18, "text-anchor": "middle" }, by === "day" || !hour ? text.slice(5, 10) : text.slice(11)));
  }
}

function bar(svg, c, x, slot, scale) {
  const made = element("g", {}, element("title", {}, `${c.day.replace("T", " ")}: ${c.people} people, ${parts.map((part) => `${c[part]} ${names[part]}`).join(", ")}`));
  let y = GROUND;
  for (const part of parts) {
    const height = c[part] * scale;
    y -= height;
    if (height) made.append(element("rect", { class: `bar-${part}`, x: x + 1, y, width: Math.max(Math.min(slot - 2, 60), 2), height }));
  }
  svg.append(made);
}

function table(said) {
  const head = node("tr", {}, ...[said.by, "people", ...parts.map((p) => names[p]), "mask share"].map((t) => node("th", { scope: "col", textContent: t })));
  const rows = [...said.counts].reverse().map((c) => node("tr", {}, node("th", { scope: "row", textContent: c.day.replace("T", " ") }),
    ...[c.people, ...parts.map((p) => c[p]), c.mask_share === null ? "–" : `${Math.round(c.mask_share)} %`].map((t) => node("td", { textContent: t }))));
  $("counts").tHead.replaceChildren(head);
  $("counts").tBodies[0].replaceChildren(...(rows.length ? rows : [node("tr", {}, node("td", { colSpan: 7, textContent: "nobody yet" }))]));
}
