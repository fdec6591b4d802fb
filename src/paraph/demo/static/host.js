// Shows events as they arrive. Without this script the list is as fresh as the page.
"use strict";
const feed = document.getElementById("feed");
if (feed && window.EventSource) {
  const source = new EventSource("/events");
  source.onmessage = (message) => {
    const item = JSON.parse(message.data);
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
    if (item.kind.startsWith("installation.")) setTimeout(() => location.reload(), 400);
  };
}
