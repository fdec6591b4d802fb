// A Passport strategy for Zoom, driven as Express drives it; it signs in and reads the profile.
import { Strategy } from "@giorgosavgeris/passport-zoom-oauth2";
import { app } from "./zoom.mjs";

export async function run() {
  let tokens;
  const strategy = new Strategy(
    {
      clientID: app.clientId,
      clientSecret: app.clientSecret,
      callbackURL: app.redirectUri,
      state: true,
    },
    (accessToken, refreshToken, profile, done) => {
      tokens = { accessToken, refreshToken };
      done(null, profile);
    },
  );
  const session = {};
  const begun = await authenticate(strategy, { query: {}, session });
  const answer = await app.visit(begun.url);
  const query = Object.fromEntries(answer.searchParams);
  const { user } = await authenticate(strategy, { query, session });
  // Passport keeps no tokens alive itself; the OAuth object under the strategy does, as apps use it.
  const refresh = (token) => new Promise((resolve) => {
    strategy._oauth2.getOAuthAccessToken(token, { grant_type: "refresh_token" },
      (error, _access, renewed, more) => resolve(error ? JSON.parse(error.data) : { renewed, more }));
  });
  const second = await refresh(tokens.refreshToken);
  const reuse = (await refresh(tokens.refreshToken)).error ?? "accepted";
  const revoked = await app.revoke(second.more.access_token);
  const after = await app.me(second.more.access_token);
  return {
    scope: second.more.scope,
    user_id: user.id,
    rotated: tokens.refreshToken !== second.renewed,
    reuse,
    revoked,
    afterwards: after.status,
  };
}

function authenticate(strategy, request) {
  return new Promise((resolve, reject) => {
    const run = Object.create(strategy);
    Object.assign(run, {
      redirect: (url) => resolve({ url }),
      success: (user) => resolve({ user }),
      fail: (why) => reject(new Error(`fail: ${JSON.stringify(why)}`)),
      error: reject,
    });
    run.authenticate(request, {});
  });
}
