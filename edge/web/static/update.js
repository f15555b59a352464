// The update button: sends a package, and tells what becomes of it while the device installs and starts anew.
import { $, ask, clock, say } from "./common.js";

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function updates() {
  $("update").onsubmit = async (event) => {
    event.preventDefault();
    say($("updated"), "Sending, and checking the signature …");
    try {
      const { taken, installs } = await ask("/api/update", "POST", $("package").files[0]);
      if (!installs) return say($("updated"), `${taken} is signed by the trusted key, but nothing here installs it: run install.sh again, or on the device: sudo maskcam update /var/lib/maskcam/update.tar`, true);
      say($("updated"), `${taken} is signed by the trusted key and is being installed …`);
      await follow();
    } catch (error) { say($("updated"), error.message, true); }
  };
  tell().catch(() => {});
}

// Asks until it is over; while the camera starts anew nobody answers.
async function follow() {
  for (let tries = 0; tries < 300; tries++) {
    await sleep(2000);
    try { if (await tell()) return; } catch (error) { if (error.status !== undefined) throw error; }
  }
}

async function tell() {
  const { waits, last } = await ask("/api/update");
  if (waits) return false;
  if (!last) return true;
  const line = last.said.at(-1) ?? "";
  if (last.state === "installing") { say($("updated"), `Installing: ${line || "checking the signature again"} …`); return false; }
  say($("updated"), `${last.state === "installed" ? "Installed" : "Not installed"}, ${clock(last.time)}: ${line}`, last.state === "failed");
  return true;
}
