// Labels one picture after the other: what the networks guess is shown, and counts only once somebody keeps it.
import { $, ask, node } from "./common.js";

const COLOURS = { with_mask: "#2bd19b", without_mask: "#ff6b57", mask_worn_incorrectly: "#ffb02e", not_a_face: "#9aa7ff", face: "#e8e8e8" };
const NAMES = { with_mask: "Mask", without_mask: "No mask", mask_worn_incorrectly: "Worn incorrectly", not_a_face: "No face", face: "Cannot tell" };
const canvas = $("canvas"), pen = canvas.getContext("2d");
let picture = null, image = null, chosen = 0, said = new Set(), skipped = [], drag = null, busy = false;

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

async function doing(work) {
  if (busy) return;
  busy = true;
  try { await work(); problem(""); } catch (error) { problem(error.message); } finally { busy = false; }
}

function progress(state) {
  $("count").textContent = `${state.labelled} of ${state.total} labelled`;
  $("progress").value = state.total ? state.labelled / state.total : 0;
  const waiting = state.looked_at < state.total ? `, looked at ${state.looked_at}` : "";
  const bad = state.unreadable ? `, ${state.unreadable} cannot be read` : "";
  $("file").textContent = `${state.file}${waiting}${bad}`;
}

async function show(found) {
  progress(found);
  picture = found.picture;
  chosen = 0;
  said = new Set(picture?.labelled ? picture.faces.keys() : []);
  image = null;
  if (picture) {
    const loaded = new Image();
    loaded.src = `/picture/${picture.id}.jpg`;
    try { await loaded.decode(); image = loaded; } catch { problem(`${picture.name} cannot be shown`); }
    canvas.width = image?.naturalWidth ?? 640;
    canvas.height = image?.naturalHeight ?? 360;
    // A small crop would be a stamp: show it large, but never wider than its column.
    const scale = Math.max(1, Math.min(4, 640 / canvas.width));
    canvas.style.width = `${canvas.width * scale}px`;
  }
  draw();
}

const next = () => doing(async () => show(await ask(`/api/next?skipped=${skipped.join(",")}`)));

function draw() {
  const done = !picture;
  for (const button of document.querySelectorAll("main button")) button.disabled = done && button.id !== "undo";
  if (done) {
    canvas.width = 640; canvas.height = 200;
    pen.fillStyle = "#fff"; pen.font = "28px system-ui"; pen.textAlign = "center";
    pen.fillText("Everything is labelled", 320, 108);
    $("about").textContent = "Train with it: maskcam-train tune --data the file above";
    $("faces").replaceChildren();
    return;
  }
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (image) pen.drawImage(image, 0, 0);
  const unit = canvas.width / (canvas.getBoundingClientRect().width || canvas.width);
  picture.faces.forEach((face, k) => {
    const [x, y, w, h] = face.bbox;
    pen.lineWidth = (k === chosen ? 4 : 2) * unit;
    pen.setLineDash(said.has(k) ? [] : [8 * unit, 6 * unit]);
    pen.strokeStyle = COLOURS[face.label];
    pen.strokeRect(x, y, w, h);
    pen.setLineDash([]);
    if (k === chosen) for (const [cx, cy] of corners(face.bbox)) { pen.fillStyle = COLOURS[face.label]; pen.fillRect(cx - 5 * unit, cy - 5 * unit, 10 * unit, 10 * unit); }
  });
  const why = picture.why ? ` · kept because: ${picture.why}` : "";
  $("about").textContent = `${picture.name}${why}${picture.labelled ? " · labelled already" : ""}${picture.faces.length ? "" : " · no face found: draw one, or keep it as it is"}`;
  $("faces").replaceChildren(...picture.faces.map((face, k) => {
    const sure = said.has(k) || !face.sure ? "" : ` ? ${Math.round(face.sure * 100)} %`;
    const button = node("button", { type: "button", textContent: `${k + 1}. ${NAMES[face.label]}${sure}`, onclick: () => { chosen = k; draw(); } });
    button.setAttribute("aria-pressed", k === chosen);
    return node("li", {}, button);
  }));
}

const corners = ([x, y, w, h]) => [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];

function answer(label) {
  if (!picture || busy) return;
  if (!picture.faces.length) return problem("draw a box around the face first, or press Enter: no face in this picture");
  picture.faces[chosen].label = label;
  said.add(chosen);
  const open = picture.faces.findIndex((_, k) => !said.has(k));
  if (open < 0) return save();
  chosen = open;
  draw();
}

const save = () => doing(async () => {
  if (!picture) return;
  const faces = picture.faces.map(({ bbox, label }) => ({ bbox, label }));
  await ask(`/api/picture/${picture.id}`, "POST", { faces });
  skipped = skipped.filter((id) => id !== picture.id);
  await show(await ask(`/api/next?skipped=${skipped.join(",")}`));
});

const undo = () => doing(async () => show(await ask("/api/undo", "POST", {})));

function later() {
  if (!picture) return;
  skipped = [...skipped.filter((id) => id !== picture.id), picture.id].slice(-500);
  next();
}

function remove() {
  if (!picture?.faces.length) return;
  picture.faces.splice(chosen, 1);
  said = new Set([...said].filter((k) => k !== chosen).map((k) => (k > chosen ? k - 1 : k)));
  chosen = Math.max(0, Math.min(chosen, picture.faces.length - 1));
  draw();
}

// The mouse: a corner resizes, the inside moves, anywhere else draws a new box.
function place(event) {
  const area = canvas.getBoundingClientRect();
  return [(event.clientX - area.left) * canvas.width / area.width, (event.clientY - area.top) * canvas.height / area.height, 14 * canvas.width / area.width];
}

canvas.onpointerdown = (event) => {
  if (!picture || event.button) return;
  canvas.setPointerCapture(event.pointerId);
  const [x, y, near] = place(event);
  const order = [chosen, ...picture.faces.keys()];
  for (const k of order) {
    const at = picture.faces[k] && corners(picture.faces[k].bbox).findIndex(([cx, cy]) => Math.hypot(cx - x, cy - y) < near);
    if (at >= 0) { const [ox, oy] = corners(picture.faces[k].bbox)[(at + 2) % 4]; chosen = k; drag = { kind: "corner", ox, oy }; return draw(); }
  }
  for (const k of order) {
    const [bx, by, w, h] = picture.faces[k]?.bbox ?? [0, 0, -1, -1];
    if (x > bx && x < bx + w && y > by && y < by + h) { chosen = k; drag = { kind: "move", dx: x - bx, dy: y - by }; return draw(); }
  }
  drag = { kind: "new", ox: x, oy: y };
};

canvas.onpointermove = (event) => {
  if (!drag) return;
  const [px, py] = place(event), x = Math.max(0, Math.min(px, canvas.width)), y = Math.max(0, Math.min(py, canvas.height));
  if (drag.kind === "new" && Math.hypot(x - drag.ox, y - drag.oy) > 6) {
    picture.faces.push({ bbox: [drag.ox, drag.oy, 1, 1], label: "face", sure: 0 });
    chosen = picture.faces.length - 1;
    drag.kind = "corner";
  }
  const face = picture.faces[chosen];
  if (drag.kind === "corner") face.bbox = [Math.min(x, drag.ox), Math.min(y, drag.oy), Math.abs(x - drag.ox), Math.abs(y - drag.oy)];
  if (drag.kind === "move") {
    const [, , w, h] = face.bbox;
    face.bbox = [Math.max(0, Math.min(px - drag.dx, canvas.width - w)), Math.max(0, Math.min(py - drag.dy, canvas.height - h)), w, h];
  }
  draw();
};
canvas.onpointerup = canvas.onpointercancel = () => { drag = null; };

const LABELS = Object.keys(NAMES);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.key.toLowerCase() === "z") { event.preventDefault(); return undo(); }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key >= "1" && event.key <= "5") answer(LABELS[event.key - 1]);
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") { event.preventDefault(); save(); }
  else if (event.key.toLowerCase() === "s") later();
  else if (event.key.toLowerCase() === "u") undo();
  else if (event.key === "Delete" || event.key === "Backspace") remove();
  else if (event.key === "Tab" && event.target === canvas && picture && chosen + 1 < picture.faces.length) { event.preventDefault(); chosen += 1; draw(); }
});
for (const button of document.querySelectorAll("[data-label]")) button.onclick = () => answer(button.dataset.label);
$("save").onclick = save;
$("skip").onclick = later;
$("undo").onclick = undo;
$("delete").onclick = remove;
setInterval(() => { if (!document.hidden && !busy) ask("/api/state").then(progress, () => { $("count").textContent = "no connection"; }); }, 3000);
next().then(() => canvas.focus());
