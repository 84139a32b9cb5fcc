// Comforts for browsers with scripts; every page works without them.
"use strict";

// Copies the value that a button has in data-copy, and says so for a moment.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.firstChild;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Select and copy it";
  }
  setTimeout(() => { label.textContent = before; }, 1600);
});

// A form that is on its way is not sent a second time. Coming back to the page makes it new.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", (event) => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  if (event.persisted) leaveIfSignedOut();
});

// A page that the browser has kept as it was goes when its session has ended. What is typed on it stays otherwise.
async function leaveIfSignedOut() {
  try {
    const answer = await fetch(location.href, { redirect: "manual" });
    if (answer.type === "opaqueredirect") location.reload();
  } catch { /* Without a network it says nothing. */ }
}

// A link with a set-up token behind its # signs in at once. What stands behind the # is sent to no server.
const followLink = () => {
  const form = document.querySelector("form[data-setup]");
  const token = new URLSearchParams(location.hash.slice(1)).get("setup_token");
  if (!form || !token) return;
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.setup_token.value = token;
  form.requestSubmit();
};
followLink();
addEventListener("hashchange", followLink);

// Keeps an element with data-refresh (seconds) and an id up to date while the page is seen and nobody is in it.
for (const element of document.querySelectorAll("[data-refresh][id]")) {
  setInterval(async () => {
    const current = document.getElementById(element.id);
    if (document.hidden || !current || current.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById(element.id);
      if (next) current.replaceChildren(...next.childNodes);
    } catch { /* The next round tries again. */ }
  }, Number(element.dataset.refresh) * 1000);
}

// Leads to what is wrong in a form.
document.querySelector("[data-focus]")?.focus();
