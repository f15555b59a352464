// What every script of the page uses: elements, requests, words.
export const $ = (id) => document.getElementById(id);

export function node(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

// JSON from an address; a session that has ended leads to the login. What was asked while a password was being set is
// asked once more: the cookie has come meanwhile.
export async function ask(path, method = "GET", body, again = false) {
  const options = { method, signal: AbortSignal.timeout(body instanceof Blob ? 900000 : method === "GET" ? 20000 : 30000) };
  if (body !== undefined) {
    options.body = body instanceof Blob ? body : JSON.stringify(body);
    options.headers = { "content-type": body instanceof Blob ? "application/octet-stream" : "application/json" };
  }
  const answer = await fetch(path, options);
  if (answer.status === 401 && !again) return ask(path, method, body, true);
  if (answer.status === 401) { location.assign("/login"); throw new Refused(401, "log in again"); }
  const said = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, said.error ?? answer.statusText);
  return said;
}

// Says what became of something in the element, for a while.
export function say(element, text, bad = false) {
  element.textContent = text;
  element.className = bad ? "problem" : "";
}

export const words = { on: "mask", off: "no mask", unsure: "unsure", incorrectly: "mask worn incorrectly", small: "too small" };
export const marks = { on: "✔", off: "✖", unsure: "?", incorrectly: "✖", small: "·" };

export function outcome(person) {
  if (person.too_small && person.mask === "unsure") return "small";
  return person.mask === "off" && person.incorrectly_worn ? "incorrectly" : person.mask;
}

export function tone(kind) { return kind === "on" ? "on" : kind === "off" || kind === "incorrectly" ? "off" : "other"; }

export function bytes(count) {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)} GB` : `${Math.round(count / 1e6)} MB`;
}

// The time in the browser's zone, with the date unless it is today's.
export function clock(iso) {
  const time = new Date(iso);
  return time.toDateString() === new Date().toDateString() ? time.toLocaleTimeString() : time.toLocaleString();
}
