// Shows events as they arrive. Without this script the list is as fresh as the page.
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

// Only this part is drawn anew: a page that reloads swallows the click that is on its way.
async function drawInstallations() {
  const answer = await fetch(location.pathname).catch(() => null);
  if (!answer || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
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
