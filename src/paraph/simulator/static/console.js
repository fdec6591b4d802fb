// Keeps the live part of the console fresh, and leaves alone what somebody has opened.
"use strict";
const live = document.getElementById("live");
async function refresh() {
  if (document.hidden || !live) return;
  const open = new Set([...live.querySelectorAll("details[open]")].map((one) => one.id));
  if (live.contains(document.activeElement) && document.activeElement !== document.body) return;
  const answer = await fetch("/_console/live").catch(() => null);
  if (!answer || !answer.ok) return;
  live.innerHTML = await answer.text();
  for (const id of open) {
    const details = id && document.getElementById(id);
    if (details) details.open = true;
  }
}
setInterval(refresh, 2000);
