// Makes the console live: redraws changed regions, sends forms without leaving the page, and
// keeps anything that the user has opened, revealed or is typing. Everything works without it.
"use strict";

const said = document.getElementById("said");
const filters = document.getElementById("filters");
const drawn = new Map();
let version = "";

function say(text, wrong) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
  said.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { said.hidden = true; }, 6000);
}

// Rows keep their element as long as their version is the same, and stay open if they were open.
function drawRows(region, fresh) {
  const old = new Map([...region.children].map((one) => [one.id, one]));
  const wanted = [...fresh.children].map((row) => {
    const known = old.get(row.id);
    if (known && known.dataset.version === row.dataset.version) return known;
    if (known && known.open) row.open = true;
    return row;
  });
  const same = wanted.length === region.children.length
    && wanted.every((row, index) => row === region.children[index]);
  if (!same) region.replaceChildren(...wanted);
}

function isBeingWrittenIn(region) {
  const fields = [...region.querySelectorAll("input:not([type=hidden],[type=checkbox]),select")];
  return fields.some((one) => one === document.activeElement
    || (one.localName === "input" && one.value !== one.defaultValue));
}

// A selector of the focused element that still works after a region was redrawn.
function placeOf(one) {
  const home = one && one.closest("[data-focus],details[id]");
  if (!home) return "";
  const where = home.id ? `#${CSS.escape(home.id)}` : `[data-focus="${CSS.escape(home.dataset.focus)}"]`;
  return `${where} ${one.localName}`;
}

function drawRegion(region, fresh) {
  const markup = fresh.innerHTML;
  if (drawn.get(region.dataset.live) === markup) return;
  if (isBeingWrittenIn(region)) {
    // Request everything next time, because this region was not drawn now.
    version = "";
    return;
  }
  drawn.set(region.dataset.live, markup);
  const place = region.contains(document.activeElement) ? placeOf(document.activeElement) : "";
  redraw(region, fresh);
  if (region.dataset.live === "timeline") countSelected();
  const again = place && !region.contains(document.activeElement) && region.querySelector(place);
  if (again) again.focus({ preventScroll: true });
}

function redraw(region, fresh) {
  if ("keyed" in region.dataset) {
    drawRows(region, fresh);
    return;
  }
  const opened = [...region.querySelectorAll("details[open]")].map((one) => one.id);
  region.replaceChildren(...fresh.childNodes);
  for (const id of opened) {
    const one = id && document.getElementById(id);
    if (one) one.open = true;
  }
  if (region.dataset.live === "faults") filterFaults();
}

async function refresh() {
  if (document.hidden) return;
  const query = new URLSearchParams(new FormData(filters));
  query.set("seen", version);
  const response = await fetch(`/_console/live?${query}`).catch(() => null);
  document.body.classList.toggle("gone", !response);
  if (!response || response.status !== 200) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  version = response.headers.get("x-version") || "";
  for (const region of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${region.dataset.live}"]`);
    if (fresh) drawRegion(region, fresh);
  }
}

// Returns the response to a form of an entry as a page, or null with a note.
async function fragmentOf(form) {
  const body = new URLSearchParams(new FormData(form));
  body.set("fragment", "1");
  const response = await fetch(form.action, { method: "POST", body }).catch(() => null);
  if (!response || !response.ok) {
    say("This entry is no longer kept.", true);
    return null;
  }
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function reveal(form) {
  const page = await fragmentOf(form);
  if (!page) return;
  const place = document.getElementById(form.dataset.reveal);
  const masked = place.querySelector(".parts, .pairs");
  const fresh = document.createElement("div");
  fresh.className = "parts revealed";
  fresh.append(...page.body.childNodes);
  masked.replaceWith(fresh);
  const hide = document.createElement("button");
  hide.className = "small";
  hide.textContent = "Hide again";
  hide.addEventListener("click", () => {
    fresh.replaceWith(masked);
    hide.replaceWith(form);
    form.querySelector("button").focus({ preventScroll: true });
  });
  form.replaceWith(hide);
  hide.focus({ preventScroll: true });
}

// Shows a cURL command or an explanation inside its entry; a second press closes it.
async function showMore(form) {
  const place = form.closest(".inside").querySelector(".more");
  const kind = form.dataset.more;
  if (place.dataset.kind === kind) {
    place.replaceChildren();
    delete place.dataset.kind;
    return;
  }
  const page = await fragmentOf(form);
  if (!page) return;
  place.replaceChildren(...page.body.childNodes);
  place.dataset.kind = kind;
  if (kind !== "curl") return;
  const text = place.querySelector("pre").textContent;
  const copied = navigator.clipboard && await navigator.clipboard.writeText(text).then(() => true, () => false);
  say(copied ? "The cURL command is on the clipboard, with secrets in clear." : "Copy the command below.", false);
}

async function send(form, button) {
  if (form.dataset.sure && !window.confirm(form.dataset.sure)) return;
  const body = new URLSearchParams(new FormData(form, button));
  const held = document.activeElement === button;
  button.disabled = true;
  const order = { method: "POST", body, headers: { accept: "application/json" } };
  const response = await fetch(form.action, order).catch(() => null);
  button.disabled = false;
  // A disabled button loses the focus, which a keyboard user needs back.
  if (held) button.focus({ preventScroll: true });
  if (!response) {
    say("The simulator does not respond.", true);
    return;
  }
  const report = await response.json().catch(() => ({ error: "The simulator has failed." }));
  say(report.said || report.error, !response.ok);
  if (response.ok && form.closest("[data-live]")) form.reset();
  await refresh();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form === filters) {
    event.preventDefault();
    applyFilters();
    return;
  }
  if (form.method !== "post" || !form.getAttribute("action").startsWith("/_console/")) return;
  event.preventDefault();
  if (form.dataset.reveal) reveal(form);
  else if (form.dataset.more) showMore(form);
  else send(form, event.submitter);
});

// The address names the filters, so that it can be reloaded and shared.
function applyFilters() {
  const given = [...new FormData(filters)].filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  history.replaceState(null, "", query ? `/?${query}#timeline` : "/");
  version = "";
  refresh();
}
filters.querySelector("button").hidden = true;
filters.addEventListener("change", applyFilters);
filters.addEventListener("input", () => {
  clearTimeout(applyFilters.timer);
  applyFilters.timer = setTimeout(applyFilters, 250);
});

const comparing = document.getElementById("compare");
function countSelected() {
  const count = document.querySelectorAll("#timeline input[name=key]:checked").length;
  comparing.querySelector("button").disabled = count !== 2;
  comparing.querySelector("span").textContent = count
    ? `${count} of 2 entries selected`
    : "Open two entries and select them to see them side by side.";
}
document.getElementById("timeline").addEventListener("change", countSelected);
countSelected();

const finder = document.getElementById("find-fault");
function filterFaults() {
  const words = finder.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const place of document.querySelectorAll(".place")) {
    let found = 0;
    for (const one of place.querySelectorAll(".fault")) {
      one.hidden = !words.every((word) => one.dataset.words.includes(word));
      if (!one.hidden) found += 1;
    }
    place.hidden = found === 0;
    place.querySelector(".count").textContent = found;
    if (words.length) place.open = found > 0;
  }
}
finder.closest("label").hidden = false;
finder.addEventListener("input", filterFaults);

setInterval(refresh, 1500);
document.addEventListener("visibilitychange", refresh);
