// The settings editor: a form made from the schema, one change at a time, with what the device says about it.
import { $, ask, node, say } from "./common.js";

export async function loadSettings() {
  try {
    const { settings } = await ask("/api/settings");
    $("editor").replaceChildren(...groups(settings));
  } catch (error) { $("editor").replaceChildren(node("p", { className: "problem", textContent: error.message })); }
  $("find").oninput = find;
  $("editor").onsubmit = (event) => event.preventDefault();
}

function groups(settings) {
  const found = new Map();
  for (const item of settings) {
    if (!found.has(item.section)) found.set(item.section, node("details", {}, node("summary", { textContent: `${item.section}${item.on ? "" : " (off)"}` })));
    found.get(item.section).append(row(item));
  }
  return [...found.values()];
}

function row(item) {
  const name = item.key.split(".").pop(), id = `s-${item.key}`;
  const field = input(item, id);
  field.disabled = !item.editable;
  field.setAttribute("aria-describedby", `${id}-help`);
  const from = item.origin === "default" ? "default" : `set by ${item.origin}`;
  const notes = [item.unit, limits(item.limits), from, item.restart ? "needs a restart" : "", item.editable ? "" : "only in the settings file"].filter(Boolean);
  const about = node("p", {}, node("span", { id: `${id}-help` }, item.help, " ", node("small", { textContent: `(${notes.join(", ")})` })));
  if (item.page) about.append(" ", node("button", { type: "button", id: `u-${item.key}`, textContent: "Undo", ariaLabel: `Undo ${name}`, onclick: () => save(item, null) }));
  const made = node("div", { className: "setting" },
    node("p", {}, node("label", { htmlFor: id, textContent: name })), about, field);
  made.dataset.text = `${item.key} ${item.help}`.toLowerCase();
  field.onchange = () => save(item, value(item, field));
  return made;
}

function limits(l) {
  const low = l.min !== undefined ? `from ${l.min}` : l.above !== undefined ? `above ${l.above}` : "";
  const high = l.max !== undefined ? `to ${l.max}` : l.below !== undefined ? `below ${l.below}` : "";
  return [low, high].filter(Boolean).join(" ");
}

function input(item, id) {
  if (item.kind === "choice") {
    const made = node("select", { id });
    made.append(...item.choices.map((choice) => node("option", { value: JSON.stringify(choice), textContent: choice, selected: choice === item.value })));
    return made;
  }
  if (item.kind === "switch") return node("input", { id, type: "checkbox", checked: item.value });
  const text = item.kind === "list" ? JSON.stringify(item.value) : String(item.value ?? "");
  const number = item.kind === "integer" || item.kind === "number";
  return node("input", { id, type: number ? "number" : "text", step: item.kind === "integer" ? "1" : "any", value: text });
}

function value(item, field) {
  if (item.kind === "switch") return field.checked;
  if (item.kind === "choice") return JSON.parse(field.value);
  if (item.kind === "integer" || item.kind === "number") return field.value === "" ? null : field.valueAsNumber;
  if (item.kind === "list") { try { return JSON.parse(field.value); } catch { return field.value; } }
  return field.value;
}

async function save(item, given) {
  say($("saved"), `Saving ${item.key} …`);
  try {
    const { restart, lasting } = await ask("/api/settings", "PATCH", { [item.key]: given });
    say($("saved"), `${item.key} is ${given === null ? "as before" : "saved"}${lasting ? "" : " until maskcam ends"}${restart.length ? "; restart maskcam to use it" : " and in use"}.`);
  } catch (error) { say($("saved"), error.message, true); }
  const open = [...document.querySelectorAll("#editor details[open] summary")].map((s) => s.textContent);
  await loadSettings();
  for (const d of document.querySelectorAll("#editor details")) d.open = open.includes(d.firstChild.textContent);
  find();
}

function find() {
  const wanted = $("find").value.trim().toLowerCase();
  for (const group of document.querySelectorAll("#editor details")) {
    let any = false;
    for (const one of group.querySelectorAll(".setting")) {
      one.hidden = !one.dataset.text.includes(wanted);
      any ||= !one.hidden;
    }
    group.hidden = !any;
    if (wanted) group.open = any;
  }
}
