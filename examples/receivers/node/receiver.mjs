// Receives what paraph forwards: verified, and each event once. Node 18 or newer, no package.
//
// Start it with `FORWARD_SECRETS=whsec_… node receiver.mjs`. PORT and HANDLED are optional. While a
// secret is being replaced, FORWARD_SECRETS holds both, with a blank between them.

import { createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";

const HANDLED = process.env.HANDLED ?? "handled.txt";
const LONGEST = 4 << 20;
const TOLERANCE = 300; // seconds
const KEYS = process.env.FORWARD_SECRETS.split(/\s+/)
  .filter(Boolean)
  .map((secret) =>
    secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret),
  );
if (KEYS.length === 0) throw new Error("FORWARD_SECRETS is empty");

// In a product: a table with a unique column, written in the transaction that does the work.
const handled = new Set(existsSync(HANDLED) ? readFileSync(HANDLED, "utf8").split("\n") : []);

/** Verify as the Standard Webhooks specification says: over id, time and raw body. */
function isGenuine(headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^[0-9]{1,11}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const expected = KEYS.map((key) => createHmac("sha256", key).update(signed).digest());
  const given = (headers["webhook-signature"] ?? "")
    .split(" ")
    .filter((one) => one.startsWith("v1,"))
    .map((one) => Buffer.from(one.slice(3), "base64"));
  return expected.some((a) => given.some((b) => a.length === b.length && timingSafeEqual(a, b)));
}

/** Do the work of your product. */
function handle(event) {
  if (event.type === "installation.removed") {
    // Delete what you keep of event.data.installation.subject.
  }
  if (event.type === "zoom.meeting.ended") {
    // event.data.installations names your accounts, event.data.event is as Zoom sent it.
  }
}

const server = createServer((request, response) => {
  const pieces = [];
  let length = 0;
  request.on("data", (piece) => {
    length += piece.length;
    if (length <= LONGEST) pieces.push(piece);
  });
  request.on("end", () => {
    response.statusCode = length > LONGEST ? 413 : receive(request.headers, Buffer.concat(pieces));
    response.end();
  });
});

/** Return the status: 204 for what was handled, now or before. paraph sends all else again. */
function receive(headers, body) {
  if (!isGenuine(headers, body)) return 401;
  const id = headers["webhook-id"];
  const isNew = !handled.has(id);
  if (isNew) {
    try {
      handle(JSON.parse(body));
      appendFileSync(HANDLED, `${id}\n`, { flush: true });
    } catch (error) {
      console.error(error);
      return 500;
    }
    handled.add(id);
  }
  console.log(`${isNew ? "handled" : "repeated"} ${id}`);
  return 204;
}

server.listen(Number(process.env.PORT ?? 8300), "127.0.0.1", () => {
  console.log(`listening http://127.0.0.1:${server.address().port}/`);
});
