// arctic: its Zoom provider, with the URLs that it was published with.
import * as arctic from "arctic";
import { app } from "./zoom.mjs";

export async function run() {
  const zoom = new arctic.Zoom(app.clientId, app.clientSecret, app.redirectUri);
  const verifier = arctic.generateCodeVerifier();
  const url = zoom.createAuthorizationURL(arctic.generateState(), verifier, []);
  const answer = await app.visit(url);
  const first = await zoom.validateAuthorizationCode(answer.searchParams.get("code"), verifier);
  const { user } = await app.me(first.accessToken());
  const second = await zoom.refreshAccessToken(first.refreshToken());
  const reuse = await zoom
    .refreshAccessToken(first.refreshToken())
    .then(() => "accepted", (error) => error.code);
  await zoom.revokeToken(second.accessToken());
  const after = await app.me(second.accessToken());
  return {
    scope: first.scopes().join(" "),
    user_id: user.id,
    rotated: first.refreshToken() !== second.refreshToken(),
    reuse,
    revoked: "success",
    afterwards: after.status,
  };
}
