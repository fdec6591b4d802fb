// simple-oauth2, with its own transport (wreck).
import { AuthorizationCode } from "simple-oauth2";
import { app } from "./zoom.mjs";

export async function run() {
  const client = new AuthorizationCode({
    client: { id: app.clientId, secret: app.clientSecret },
    auth: {
      tokenHost: "https://zoom.us",
      tokenPath: "/oauth/token",
      revokePath: "/oauth/revoke",
      authorizePath: "/oauth/authorize",
    },
  });
  const url = client.authorizeURL({ redirect_uri: app.redirectUri, state: "a-state" });
  const answer = await app.visit(url);
  const code = answer.searchParams.get("code");
  const held = await client.getToken({ code, redirect_uri: app.redirectUri });
  const { user } = await app.me(held.token.access_token);
  const renewed = await held.refresh();
  const reuse = await held.refresh().then(() => "accepted", (error) => error.data.payload.error);
  await renewed.revoke("access_token");
  const after = await app.me(renewed.token.access_token);
  return {
    scope: held.token.scope,
    user_id: user.id,
    rotated: held.token.refresh_token !== renewed.token.refresh_token,
    reuse,
    revoked: "success",
    afterwards: after.status,
  };
}
