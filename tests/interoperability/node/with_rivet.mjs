// Zoom's own kit, rivet: its install routes, its token keeping, its typed endpoints.
import { UsersOAuthClient } from "@zoom/rivet/users";
import { app } from "./zoom.mjs";

export async function run() {
  // Rivet asks its store before each call, so that a test can age a token, or bring an old one back.
  const store = {
    token: undefined,
    storeToken(token) { this.token = token; },
    getLatestToken() { return this.token; },
    age(token) {
      this.token = { ...token, expirationTimeIso: new Date(0).toISOString() };
    },
  };
  const rivet = new UsersOAuthClient({
    clientId: app.clientId,
    clientSecret: app.clientSecret,
    webhooksSecretToken: "nobody-sends-webhooks-here",
    tokenStore: store,
    port: 0,
    installerOptions: {
      directInstall: true,
      redirectUri: new URL(app.redirectUri).origin,
      redirectUriPath: new URL(app.redirectUri).pathname,
      stateStore: "a-secret-of-at-least-thirty-two-characters",
    },
  });
  const server = await rivet.start();
  const own = `http://127.0.0.1:${server.address().port}`;

  const begun = await fetch(`${own}/zoom/oauth/install`, { redirect: "manual" });
  const cookie = begun.headers.get("set-cookie").split(";")[0];
  const answer = await app.visit(begun.headers.get("location"));
  const ended = await fetch(own + answer.pathname + answer.search, { headers: { cookie } });
  if (ended.status !== 200) throw new Error(await ended.text());

  const me = () => rivet.endpoints.users.getUser({ path: { userId: "me" } });
  const user = await me();
  const first = store.token;
  store.age(first);
  await me();
  const second = store.token;
  store.age(first);
  const reuse = await me().then(
    () => "accepted",
    (error) => error.cause?.response?.data?.error ?? error.cause?.cause?.response?.data?.error
      ?? error.name);
  const revoked = await app.revoke(second.accessToken);
  const after = await app.me(second.accessToken);
  return {
    scope: second.scopes.join(" "),
    user_id: user.data.id,
    tracked: Boolean(user.trackingId),
    rotated: first.refreshToken !== second.refreshToken,
    reuse,
    revoked,
    afterwards: after.status,
  };
}
