// Test hooks for `paraph check`. Without CHECK_HOOK_KEY the app has no such URLs.
//
// Add them before the app listens:
//
//   if (process.env.CHECK_HOOK_KEY) {
//     const { hooks } = await import("./check_hooks.mjs");
//     app.use("/_check", hooks);
//   }
import { timingSafeEqual } from "node:crypto";
import express from "express";
import { users, events } from "./store.js";
import { zoomGet } from "./zoom.js";

export const hooks = express.Router();

// Return every installation as { subject, user_id, account_id }. subject: your user's id, or ""
// without users of your own; the others are Zoom's ids.
async function installations() {
  return [...users.values()].map((u) => ({ subject: "", user_id: u.id, account_id: u.accountId }));
}

// Call https://api.zoom.us/v2/users/me as your app does for this user; return the status.
async function callZoom(subject, userId) {
  if (!users.has(userId)) return 404;
  await zoomGet(users.get(userId), "/users/me");
  return 200;
}

// Let the stored expiry of this user's access token be in the past.
async function expire(subject, userId) {
  users.get(userId).expiresAt = 0;
}

// Return every event that the app has handled, as Zoom sent it; for the hook `events`.
async function handledEvents() {
  return events;
}

// Sign this browser in as your user `subject`, who may be new; for the hook `sign_in`.
async function signIn(request, subject) {
  throw new Error("for apps with accounts of their own beside Zoom's");
}

// Sign this browser out; for the hook `sign_out`.
async function signOut(request) {
  throw new Error("for apps with accounts of their own beside Zoom's");
}

function isEqual(given, key) {
  const [one, other] = [Buffer.from(given), Buffer.from(key)];
  return one.length === other.length && timingSafeEqual(one, other);
}

hooks.use(express.json(), express.urlencoded({ extended: false }), (request, response, next) => {
  const key = process.env.CHECK_HOOK_KEY ?? "";
  if (key && isEqual(request.get("x-check-key") ?? "", key)) next();
  else response.sendStatus(404);
});

hooks.get("/links", (request, response, next) => {
  installations().then((found) => response.json(found)).catch(next);
});

hooks.post("/use", (request, response, next) => {
  callZoom(request.body.subject, request.body.user_id)
    .then((status) => response.sendStatus(status < 300 ? 200 : 502))
    .catch(next);
});

hooks.post("/expire", (request, response, next) => {
  expire(request.body.subject, request.body.user_id)
    .then(() => response.sendStatus(204))
    .catch(next);
});

hooks.get("/events", (request, response, next) => {
  handledEvents().then((found) => response.json(found)).catch(next);
});

hooks.post("/sign-in", (request, response, next) => {
  signIn(request, request.body.user).then(() => response.sendStatus(204)).catch(next);
});

hooks.post("/sign-out", (request, response, next) => {
  signOut(request).then(() => response.sendStatus(204)).catch(next);
});
