// Names, roles and tab stops that the theme leaves out.
function describe() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  // Groups inside the navigation and the buttons of a code block are no landmarks of their own.
  const inner = "nav.md-nav[data-md-level]:not([data-md-level='0']), nav.md-code__nav";
  for (const one of document.querySelectorAll(inner)) {
    if (one.getAttribute("role") === "none") continue;
    one.removeAttribute("aria-labelledby");
    one.removeAttribute("aria-expanded");
    one.setAttribute("role", "none");
  }
  // A table that is wider than the page is scrolled with the keyboard, too.
  for (const one of document.querySelectorAll(".md-typeset__scrollwrap")) {
    if (one.scrollWidth > one.clientWidth) one.setAttribute("tabindex", "0");
    else one.removeAttribute("tabindex");
  }
}
describe();
addEventListener("resize", describe);
new MutationObserver(describe).observe(document.body, { childList: true, subtree: true });
