// Counts per hour or day and the share of masks, as a picture and as a table.
import { $, ask, node } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const parts = ["on", "incorrectly_worn", "off", "unsure"];
const names = { on: "mask", incorrectly_worn: "worn incorrectly", off: "no mask", unsure: "unsure" };

export async function showHistory() {
  $("since").onchange = load;
  await load();
  setInterval(() => { if (!document.hidden) load(); }, 60000);
}

async function load() {
  let said;
  try { said = await ask(`/api/history?since=${$("since").value}`); } catch { return; }
  $("history-none").hidden = said.kept;
  $("history-some").hidden = !said.kept;
  if (said.kept) { chart(said); table(said); }
}

function element(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function chart(said) {
  const counts = said.counts, most = Math.max(1, ...counts.map((c) => c.people));
  const svg = element("svg", { viewBox: "0 0 800 220", preserveAspectRatio: "none" });
  const width = 780 / Math.max(counts.length, 1);
  svg.append(element("line", { class: "axis", x1: 10, x2: 790, y1: 190, y2: 190 }));
  counts.forEach((c, i) => {
    let y = 190;
    for (const part of parts) {
      const height = (170 * c[part]) / most;
      y -= height;
      if (height) svg.append(element("rect", { class: part === "on" ? "bar-on" : part === "unsure" ? "bar-other" : "bar-off", x: 10 + i * width + 1, y, width: Math.max(width - 2, 1), height }));
    }
  });
  const people = counts.reduce((sum, c) => sum + c.people, 0);
  $("chart").replaceChildren(svg);
  $("chart").setAttribute("aria-label", `${people} people; at most ${most} per ${said.by}`);
}

function table(said) {
  const head = node("tr", {}, ...[said.by, "people", ...parts.map((p) => names[p]), "mask share"].map((t) => node("th", { scope: "col", textContent: t })));
  const rows = [...said.counts].reverse().map((c) => node("tr", {}, node("th", { scope: "row", textContent: c.day.replace("T", " ") }),
    ...[c.people, ...parts.map((p) => c[p]), c.mask_share === null ? "–" : `${Math.round(c.mask_share)} %`].map((t) => node("td", { textContent: t }))));
  $("counts").tHead.replaceChildren(head);
  $("counts").tBodies[0].replaceChildren(...(rows.length ? rows : [node("tr", {}, node("td", { colSpan: 7, textContent: "nobody yet" }))]));
}
