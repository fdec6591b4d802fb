// Shows events as they arrive. Without this script the list is updated when the page is loaded.
"use strict";
const feed = document.getElementById("feed");

function show(item) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  const text = document.createElement("span");
  const kind = document.createElement("strong");
  time.textContent = item.at;
  kind.textContent = item.kind;
  text.append(kind, document.createElement("br"), item.text);
  line.append(time, text);
  const empty = document.getElementById("no-events");
  if (empty) empty.remove();
  feed.prepend(line);
}

// Only this part is redrawn: reloading the page would lose a click that is under way.
async function drawInstallations() {
  const response = await fetch(location.pathname).catch(() => null);
  if (!response || !response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById("installations");
  if (fresh) document.getElementById("installations").replaceChildren(...fresh.childNodes);
}

if (feed && window.EventSource) {
  const source = new EventSource(`/events?after=${feed.dataset.newest}`);
  source.onmessage = (message) => {
    const item = JSON.parse(message.data);
    show(item);
    if (item.kind.startsWith("installation.")) drawInstallations();
  };
}
