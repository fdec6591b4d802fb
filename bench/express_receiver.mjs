// A receiver as a team would write it in Node: raw body, constant time, one commit for each event.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import express from "express";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.BENCH_DATABASE, max: 16 });
await pool.query("CREATE TABLE events (event_id text PRIMARY KEY, name text, body bytea)");

function isGenuine(request) {
  const timestamp = request.get("x-zm-request-timestamp") ?? "";
  const mac = createHmac("sha256", process.env.BENCH_SECRET);
  const expected = Buffer.from(
    "v0=" + mac.update(`v0:${timestamp}:`).update(request.body).digest("hex"),
  );
  const given = Buffer.from(request.get("x-zm-signature") ?? "");
  const fresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  return fresh && given.length === expected.length && timingSafeEqual(given, expected);
}

const app = express();
app.disable("x-powered-by");
app.post("/webhook", express.raw({ type: "*/*", limit: "1mb" }), async (request, response) => {
  if (!isGenuine(request)) return response.status(401).end();
  const event = JSON.parse(request.body);
  const id = createHash("sha256").update(request.body).digest("hex");
  await pool.query("INSERT INTO events VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", [
    id,
    event.event,
    request.body,
  ]);
  response.status(200).json({});
});
app.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
