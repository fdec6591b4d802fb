// Zoom's names lead to the simulator's port, in this one process. The clients know nothing of it.
"use strict";
const net = require("node:net");

const names = new Set(["zoom.us", "api.zoom.us"]);
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...given) {
  // Node's own callers pass a normalised list: [[options, callback]].
  const list = Array.isArray(given[0]) ? given[0] : given;
  const options = list[0];
  if (options && typeof options === "object" && names.has(options.host ?? options.hostname)) {
    list[0] = { ...options, host: "127.0.0.1", port: Number(process.env.ZOOM_PORT) };
  }
  return connect.apply(this, given);
};
