// Aiming: what is wrong with the faces seen now, and the parts that count or are covered, drawn with the mouse.
import { $, ask, node, say } from "./common.js";

let on = false, region = [0, 0, 1, 1], covered = [], start = null, drawn = null;
const fields = ["r0", "r1", "r2", "r3"].map($);

export function aim() {
  $("aim").onclick = () => {
    on = !on;
    $("aim").setAttribute("aria-pressed", on);
    $("aiming").hidden = !on;
    $("overlay").classList.toggle("aiming", on);
    if (on) look(); else paint(null);
  };
  const canvas = $("overlay");
  canvas.onpointerdown = (event) => { if (on && !$("preview").hidden) { start = place(event); canvas.setPointerCapture(event.pointerId); } };
  canvas.onpointermove = (event) => { if (start) { drawn = box(start, place(event)); paint(drawn); } };
  canvas.onpointerup = () => { if (start && drawn && drawn[2] - drawn[0] > 0.03 && drawn[3] - drawn[1] > 0.03) fill(inside(drawn)); start = null; };
  $("region-save").onclick = () => save("camera.region", chosen(), "The part that counts");
  $("region-whole").onclick = () => save("camera.region", [0, 0, 1, 1], "The part that counts");
  $("cover").onclick = () => save("camera.covered", [...covered, chosen()], "What is covered");
  $("uncover").onclick = () => save("camera.covered", [], "What is covered");
}

// Where the picture lies in the canvas, which also covers the black beside it.
function frame() {
  const stage = $("overlay").getBoundingClientRect(), image = $("preview").getBoundingClientRect();
  return { x: image.left - stage.left, y: image.top - stage.top, width: image.width, height: image.height, left: image.left, top: image.top };
}

function place(event) {
  const f = frame(), clamp = (v) => Math.min(Math.max(v, 0), 1);
  return [clamp((event.clientX - f.left) / f.width), clamp((event.clientY - f.top) / f.height)];
}

function box([ax, ay], [bx, by]) { return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)]; }

// The picture shows the region that is in force: what is drawn in it is a part of that part.
function inside([x0, y0, x1, y1]) {
  const [l, t, r, b] = region, w = r - l, h = b - t;
  return [l + x0 * w, t + y0 * h, l + x1 * w, t + y1 * h];
}

function chosen() { return fields.map((field) => field.valueAsNumber / 100); }

function fill(values) { values.forEach((value, i) => { fields[i].value = Math.round(value * 100); }); }

function paint(shape) {
  const canvas = $("overlay"), f = frame(), pen = canvas.getContext("2d");
  canvas.width = canvas.clientWidth; canvas.height = canvas.clientHeight;
  if (!shape) return;
  const [x0, y0, x1, y1] = shape;
  pen.fillStyle = "rgb(0 0 0 / 55%)";
  pen.fillRect(f.x, f.y, f.width, f.height);
  pen.clearRect(f.x + x0 * f.width, f.y + y0 * f.height, (x1 - x0) * f.width, (y1 - y0) * f.height);
  pen.lineWidth = 2; pen.strokeStyle = "#fff"; pen.setLineDash([8, 4]);
  pen.strokeRect(f.x + x0 * f.width, f.y + y0 * f.height, (x1 - x0) * f.width, (y1 - y0) * f.height);
}

async function save(key, values, what) {
  say($("done"), "Saving …");
  try {
    await ask("/api/settings", "PATCH", { [key]: values });
    say($("done"), `${what} is saved; the camera opens anew.`);
    if (key === "camera.covered") { covered = values; fill(region); }
    drawn = null; paint(null);
  } catch (error) { say($("done"), error.message, true); }
}

async function look() {
  while (on) {
    try {
      const said = await ask("/api/aim");
      if (!start && !drawn && String(region) !== String(said.region)) { region = said.region; fill(region); }
      covered = said.covered; $("uncover").hidden = !covered.length;
      if (fields.every((field) => field.value === "")) fill(said.region);
      const items = said.faces.map((face) => node("li", {},
        node("strong", { textContent: `#${face.track}: ${face.width} × ${face.height} pixels` }),
        ` brightness ${face.brightness} of 255${face.tilt === null ? "" : `, tilt ${face.tilt}°`}. `,
        node("span", { className: face.problems.length ? "problem" : "on", textContent: face.problems.length ? face.problems.join("; ") : "✔ good" })));
      if (said.blind) items.unshift(node("li", { className: "problem", textContent: said.blind }));
      $("faces").replaceChildren(...(items.length ? items : [node("li", { textContent: "No face: stand where people will stand." })]));
    } catch { /* the state says that the connection is lost */ }
    await new Promise((done) => setTimeout(done, 1000));
  }
}
