// The page: asks for the state every second, for the picture as fast as it comes, and for nothing while it is hidden.
import { $, ask, bytes, clock, marks, node, outcome, say, tone, words } from "./common.js";
import { aim } from "./aim.js";
import { showHistory } from "./history.js";
import { loadSettings } from "./settings.js";
import { updates } from "./update.js";
import { wizard } from "./wizard.js";

let paused = false, run = null, lastEvent = 0, lastLine = 0, offered = false, guarded = false;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function forever(every, work, failed = lost) {
  for (;;) {
    if (!document.hidden) {
      try { await work(); } catch (error) { if (error.status === undefined) failed(); }
    }
    await sleep(every);
  }
}

function lost() {
  $("state").textContent = "no connection";
  $("state").className = "pill bad";
}

function showState(said) {
  const trouble = { "camera lost": "bad", "configuration error": "unsure", blind: "unsure" };
  const stale = said.age > 5;
  const alert = said.alert && !["camera lost", "engine fault", "stopping"].includes(said.state);  // as the light
  const text = stale ? "the loop stands still" : alert ? "no mask: alert" : said.state === "blind" ? "cannot judge" : said.state;
  $("state").textContent = text;
  $("state").className = "pill " + (stale || alert ? "bad" : trouble[said.state] ?? (said.state === "ok" ? "good" : "unsure"));
  const notice = [said.detail, said.configuration && said.configuration !== said.detail && `settings: ${said.configuration}`].filter(Boolean).join(" · ");
  $("notice").textContent = notice;
  $("notice").hidden = !notice;
  $("name").textContent = said.name || "maskcam";
  document.title = alert ? `✖ ${$("name").textContent}` : $("name").textContent;
  $("version").textContent = said.version;
  guarded = said.guarded;
  $("logout").hidden = !guarded;
  $("old-label").hidden = !guarded;
  $("lasting").hidden = said.lasting;
  showCollecting(said.collecting);
  $("snooze").hidden = said.snoozed === undefined;
  snoozed = said.snoozed ?? 0;
  $("snooze").textContent = snoozed ? `Snoozed, ${Math.ceil(snoozed / 60)} min left: end it` : "Snooze";
}

let snoozed = 0;

function showCollecting(kept) {
  $("collecting").hidden = $("wrong").hidden = !kept;
  if (kept) $("collecting").textContent = `Pictures of people are collected for training: ${kept.pictures} in ${kept.folder}.${kept.problem ? ` ${kept.problem}` : ""}`;
}

function showFacts(said) {
  const board = said.board, rows = [["Camera", said.width ? `${said.camera}, ${said.width} × ${said.height}` : said.camera], ["Speed", `${said.fps.toFixed(1)} FPS`]];
  for (const [network, b] of Object.entries(said.backends)) {
    const why = b.reason ? `: ${b.reason}` : b.requested !== b.running ? ` (asked for ${b.requested})` : "";
    rows.push([network[0].toUpperCase() + network.slice(1), b.running + why]);
  }
  rows.push(["Last verdict", said.verdict_age === null ? "none yet" : `${said.verdict_age.toFixed(1)} s ago`]);
  rows.push(["Temperature", board.temperature === null ? "no sensor" : `${Math.round(board.temperature)} °C`]);
  if (board.throttled !== null) rows.push(["Throttling", board.throttled.join(", ") || (board.throttled_before.length ? `not now; before: ${board.throttled_before.join(", ")}` : "none")]);
  if (board.disk_free !== null) rows.push(["Disk free", bytes(board.disk_free)]);
  if (board.memory !== null) rows.push(["Memory", `${bytes(board.memory)} used by maskcam`]);
  rows.push(["Seen", `${counted(said.people_seen, "person", "people")}, ${counted(said.alerts, "alert")}, ${counted(said.dropped, "frame")} dropped`]);
  if (said.bundle) rows.push(["At this door", said.bundle.said]);
  rows.push(["Running for", duration(said.uptime)]);
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => [node("dt", { textContent: name }), node("dd", { textContent: value })]));
}

function counted(count = 0, one, many = `${one}s`) { return `${count} ${count === 1 ? one : many}`; }

function duration(seconds) {
  const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60;
  return h >= 48 ? `${Math.floor(h / 24)} days` : h ? `${h} h ${m} min` : m ? `${m} min` : `${Math.floor(seconds)} s`;
}

const blind = ["starting", "camera lost", "blind", "engine fault", "stopping"];

function showPeople(said) {
  const people = said.people;
  const items = people.map((person) => {
    const kind = outcome(person), [x0, y0, x1, y1] = person.box;
    const told = person.confidence !== null && kind !== "small";
    const sure = !told ? "" : person.confidence < 0.5 ? ", looking again" : `, ${Math.round(person.confidence * 100)} %`;
    return node("li", {}, node("span", { className: `mark ${tone(kind)}`, textContent: `${marks[kind]} ${words[kind]}` }),
      ` #${person.track}${sure}, ${Math.round(Math.min(x1 - x0, y1 - y0))} pixels`);
  });
  $("people").replaceChildren(...(items.length ? items : [node("li", { textContent: blind.includes(said.state) || said.age > 5 ? "unknown" : "nobody" })]));
}

async function state() {
  const said = await ask("/api/status");
  showState(said);
  showFacts(said);
  showPeople(said);
  if (said.setup && !offered) {
    offered = true;
    wizard(said).catch(() => { offered = false; });  // a busy board was too slow: once more, with the next state
  }
}

function eventText(e) {
  const person = e.track ? `#${e.track} ` : "";
  if (e.kind === "no_mask") return ["off", `✖ alert: ${person}${e.incorrectly_worn ? "mask worn incorrectly" : "no mask"}`];
  if (e.kind === "all_clear") return ["on", "✔ all clear"];
  if (e.kind === "state") return ["other", `${e.state}${e.detail ? `: ${e.detail}` : ""}`];
  if (e.kind === "summary") return ["other", e.detail];
  if (e.kind === "snooze") return ["other", e.state === "on" ? "alerts snoozed" : "alerts no longer snoozed"];
  if (e.kind !== "decision") return ["other", e.kind];
  const kind = e.incorrectly_worn ? "incorrectly" : e.mask;
  return [tone(kind), `${marks[kind]} ${person}${words[kind]}`];
}

// Another run numbers anew, and may be another version: the page begins again with it.
function follow(now) {
  if (run !== null && run !== now) location.reload();
  run = now;
}

async function events() {
  const { events: told, run: now } = await ask(`/api/events?after=${lastEvent}`);
  follow(now);
  for (const e of told) {
    lastEvent = e.number;
    const [look, text] = eventText(e);
    $("events").prepend(node("li", {}, node("time", { dateTime: e.time, textContent: clock(e.time) }), " ", node("span", { className: look, textContent: text })));
  }
  while ($("events").children.length > 50) $("events").lastChild.remove();
}

async function log() {
  const { lines } = await ask(`/api/log?after=${lastLine}`);
  const list = $("lines"), atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 20;
  for (const line of lines) {
    lastLine = line.number;
    const item = node("li", {}, node("time", { dateTime: line.time, textContent: clock(line.time) }), ` ${line.text}`);
    item.dataset.level = line.level;
    if (line.level !== "info") item.className = "problem";
    list.append(item);
  }
  while (list.children.length > 300) list.firstChild.remove();
  if (lines.length) filterLog();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function filterLog() {
  for (const item of $("lines").children) item.hidden = $("level").value === "problem" && item.dataset.level === "info";
}

// One picture after the other: a slow link shows fewer, and none is asked for while nobody looks.
async function picture() {
  if (paused) return;
  const answer = await fetch("/api/frame.jpg", { signal: AbortSignal.timeout(20000), cache: "no-cache" });
  $("nothing").hidden = answer.status === 200;
  $("preview").hidden = answer.status === 204;
  if (answer.status !== 200) return;
  const url = URL.createObjectURL(await answer.blob()), image = $("preview");
  await new Promise((done) => { image.onload = image.onerror = done; image.src = url; });
  URL.revokeObjectURL(url);
}

$("pause").onclick = () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
};
$("level").onchange = filterLog;
$("test").onclick = async () => {
  say($("done"), "…");
  try {
    const { shown } = await ask("/api/alert-test", "POST");
    say($("done"), `Shown for 3 s on: ${shown.join(", ")}`);
  } catch (error) { say($("done"), error.message, true); }
};
$("snooze").onclick = async () => {
  say($("done"), "…");
  try {
    await ask("/api/snooze", "POST", snoozed ? { seconds: 0 } : {});
    say($("done"), snoozed ? "Alerts are on again" : "No alerts for a while");
  } catch (error) { say($("done"), error.message, true); }
};
$("wrong").onclick = async () => {
  try {
    await ask("/api/wrong", "POST", {});
    say($("done"), "Kept, to be labelled");
  } catch (error) { say($("done"), error.message, true); }
};
$("logout").onclick = async () => { await ask("/api/logout", "POST"); location.assign("/login"); };
$("password").onsubmit = async (event) => {
  event.preventDefault();
  say($("set"), "…");
  try {
    await ask("/api/password", "POST", { old: $("old").value, new: $("new").value });
    say($("set"), "The password is set; other browsers have to log in again.");
    event.target.reset();
  } catch (error) { say($("set"), error.message, true); }
};

aim();
showHistory();
loadSettings();
updates();
forever(1000, state);
forever(1000, events);
forever(2000, log);
forever(200, picture, () => {});  // the state says whether the camera is there: on a slow link only the picture is late
