// Auth.js in Express as authjs.dev/reference/express and its page of the Zoom provider show it.
import express from "express";
import { ExpressAuth } from "@auth/express";
import Zoom from "@auth/express/providers/zoom";

const app = express();
app.set("trust proxy", true);
app.use("/auth/*", ExpressAuth({
  providers: [Zoom({
    clientId: process.env.ZOOM_CLIENT_ID,
    clientSecret: process.env.ZOOM_CLIENT_SECRET,
  })],
}));
app.get("/", (_request, response) => response.send("<a href=\"/auth/signin\">sign in</a>"));

app.listen(Number(process.env.PORT), "127.0.0.1");
