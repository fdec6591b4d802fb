// The theme's rule for arrow heads names an id that mermaid no longer gives them. Without this they
// are as dark as a dark page.
const { initialize } = mermaid;
const heads = `[id$="-arrowhead"] path { fill: var(--md-mermaid-sequence-message-line-color) !important; }`;
mermaid.initialize = (options) =>
  initialize.call(mermaid, { ...options, themeCSS: `${options.themeCSS} ${heads}` });
