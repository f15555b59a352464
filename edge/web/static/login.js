const form = document.getElementById("form"), problem = document.getElementById("problem");
const password = document.getElementById("password");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    const answer = await fetch("/api/login", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ password: password.value }),
    });
    if (answer.ok) {
      const next = new URLSearchParams(location.search).get("next");
      location.replace(next === "/sign" ? "/sign" : "/");
      return;
    }
    problem.textContent = (await answer.json()).error;
  } catch {
    problem.textContent = "The camera does not answer. Try again.";
  }
  password.select();
});
