// The Zoom strategy of Passport as its README shows it, `state: 'pass_state_here'` included, with
// the session middleware as Passport's own tutorial sets it up.
import express from "express";
import session from "express-session";
import passport from "passport";
import { Strategy as ZoomStrategy } from "@giorgosavgeris/passport-zoom-oauth2";

const users = new Map();
const app = express();

passport.use(new ZoomStrategy({
    clientID: process.env.ZOOM_CLIENT_ID,
    clientSecret: process.env.ZOOM_CLIENT_SECRET,
    callbackURL: `${process.env.APP_URL}/oauth/zoom/callback`,
  },
  (accessToken, refreshToken, profile, done) => {
    // The README's User.findOrCreate.
    if (!users.has(profile.id)) users.set(profile.id, { id: profile.id, name: profile.displayName });
    done(null, users.get(profile.id));
  },
));
passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, users.get(id) ?? false));

app.use(session({ secret: "keyboard cat", resave: false, saveUninitialized: false }));
app.use(passport.session());

app.get("/auth/zoom", passport.authenticate("zoom", { state: "pass_state_here" }));
app.get("/oauth/zoom/callback",
  passport.authenticate("zoom", { failureRedirect: "/login" }),
  (_request, response) => response.redirect("/"));

app.get("/login", (_request, response) => response.send("<a href=\"/auth/zoom\">Zoom</a>"));
app.get("/", (request, response) =>
  response.send(request.user ? `<p>signed in as ${request.user.id}</p>` : "<p>hello</p>"));

app.listen(Number(process.env.PORT), "127.0.0.1");
