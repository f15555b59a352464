// The first visit: name, password, camera, light. Every step can be left out, and what is said is saved step by step.
import { $, ask, node } from "./common.js";

export async function wizard(said) {
  const dialog = $("wizard"), steps = [...dialog.querySelectorAll("[data-step]")];
  let at = 0;
  const known = await ask("/api/settings");
  const named = known.settings.find((item) => item.key === "device.name");
  $("w-name").value = named ? named.value : "";
  $("w-old-label").hidden = !said.guarded;
  const { cameras } = await ask("/api/cameras");
  $("w-cameras").replaceChildren(...cameras.map((camera) => node("label", {},
    node("input", { type: "radio", name: "camera", value: camera.source, checked: camera.now }), `${camera.name} (${camera.source})`)));
  const now = cameras.find((camera) => camera.now)?.source;

  const save = [
    async () => { const name = $("w-name").value.trim(); if (named && name !== named.value) await ask("/api/settings", "PATCH", { "device.name": name }); },
    async () => { if ($("w-password").value) await ask("/api/password", "POST", { old: $("w-old").value, new: $("w-password").value }); },
    async () => {
      const chosen = dialog.querySelector("[name=camera]:checked");
      if (chosen && chosen.value !== now) await ask("/api/settings", "PATCH", { "camera.source": chosen.value });
    },
    async () => { await ask("/api/settings", "PATCH", {}); },  // it does not come again, though nothing was changed
  ];

  function show() {
    steps.forEach((step, i) => { step.hidden = i !== at; });
    $("step").textContent = `Step ${at + 1} of ${steps.length}`;
    $("w-next").textContent = at === steps.length - 1 ? "Done" : "Next";
    $("w-problem").textContent = "";
    steps[at].querySelector("input:not([hidden]), button")?.focus();
  }

  $("w-next").onclick = async () => {
    try { await save[at](); } catch (error) { $("w-problem").textContent = error.message; return; }
    at += 1;
    if (at < steps.length) { show(); return; }
    dialog.close();
  };
  $("w-skip").onclick = () => { dialog.close(); };
  $("w-test").onclick = async () => {
    try { $("w-tested").textContent = `It shows on: ${(await ask("/api/alert-test", "POST")).shown.join(", ")}`; }
    catch (error) { $("w-tested").textContent = error.message; }
  };
  show();
  dialog.showModal();
}
