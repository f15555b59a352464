// The door sign. It asks twice a second, says when nobody answers, and goes on by itself when somebody does again.
const EVERY = 500, PATIENCE = 3000, HOLD = 1200, TURN = 5000;
const text = document.getElementById("text"), small = document.getElementById("small");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const wanted = new URLSearchParams(location.search).get("lang")?.split(",");

let texts = null, languages = ["en"], show = "starting", why = "", since = 0, answered = performance.now();

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  if (answer.status === 401) { location.replace("/login?next=/sign"); throw new Error("log in"); }
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

function language() { return languages[Math.floor(performance.now() / TURN) % languages.length]; }

// What is shown stays long enough to be read; bad news and a lost connection come at once.
function take(next, reason = "") {
  why = reason;
  if (next === show) return;
  if (performance.now() - since < HOLD && !["please", "incorrectly", "disconnected"].includes(next)) return;
  show = next;
  since = performance.now();
}

function draw() {
  if (!texts) { if (show === "disconnected") { document.body.dataset.show = show; write("No connection to the camera"); } return; }
  const tongue = language(), said = texts[tongue];
  document.documentElement.lang = tongue;
  document.documentElement.dir = said.direction ?? "ltr";
  document.body.dataset.show = show;
  write(said[show] ?? said.idle);
  small.textContent = show === "unavailable" ? why : "";
}

let written = "";
function write(words) {
  const key = `${words} ${innerWidth} ${innerHeight}`;
  if (key === written) return;
  written = key;
  text.textContent = words;
  let size = 22;  // vmin; the largest size at which all words fit
  do { text.style.fontSize = `${size}vmin`; size *= 0.94; } while (size > 4 && (text.scrollHeight > text.clientHeight + 1 || text.scrollWidth > text.clientWidth + 1));
}

async function run() {
  for (;;) {
    try {
      if (!texts) {
        const said = await ask("/api/sign/texts");
        languages = (wanted ?? said.languages).filter((one) => said.texts[one]);
        if (!languages.length) languages = ["en"];
        texts = said.texts;
      }
      const said = await ask("/api/sign");
      answered = performance.now();
      take(said.show, said.why);
    } catch {
      if (performance.now() - answered > PATIENCE) take("disconnected");
    }
    draw();
    await sleep(EVERY);
  }
}

document.body.ondblclick = () => document.documentElement.requestFullscreen?.().catch(() => {});
if ("wakeLock" in navigator) {
  const awake = () => { if (!document.hidden) navigator.wakeLock.request("screen").catch(() => {}); };
  document.addEventListener("visibilitychange", awake);
  awake();
}
run();
