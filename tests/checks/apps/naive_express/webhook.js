import crypto from "node:crypto";
import express from "express";
import { events, users } from "./store.js";

const secret = process.env.ZOOM_WEBHOOK_SECRET_TOKEN;
const router = express.Router();

router.post("/", express.json(), (req, res) => {
  if (req.body.event === "endpoint.url_validation") {
    const { plainToken } = req.body.payload;
    const encryptedToken = crypto.createHmac("sha256", secret).update(plainToken).digest("hex");
    return res.json({ plainToken, encryptedToken });
  }

  const message = `v0:${req.headers["x-zm-request-timestamp"]}:${JSON.stringify(req.body)}`;
  const hash = crypto.createHmac("sha256", secret).update(message).digest("hex");
  if (req.headers["x-zm-signature"] !== `v0=${hash}`) {
    return res.status(401).json({ message: "Unauthorized" });
  }

  if (req.body.event === "app_deauthorized") {
    users.delete(req.body.payload.user_id);
  } else {
    events.push(req.body);
  }
  res.sendStatus(200);
});

export default router;
