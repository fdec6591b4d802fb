// oauth4webapi: every message by itself, every answer judged by the library.
import * as oauth from "oauth4webapi";
import { app, AUTHORIZE, ME, REVOKE, TOKEN } from "./zoom.mjs";

export async function run() {
  const server = {
    issuer: "https://zoom.us",
    authorization_endpoint: AUTHORIZE,
    token_endpoint: TOKEN,
    revocation_endpoint: REVOKE,
  };
  const client = { client_id: app.clientId };
  const authentication = oauth.ClientSecretBasic(app.clientSecret);
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(AUTHORIZE);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: app.clientId,
    redirect_uri: app.redirectUri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  const parameters = oauth.validateAuthResponse(server, client, await app.visit(url), state);
  const first = await oauth.processAuthorizationCodeResponse(
    server, client,
    await oauth.authorizationCodeGrantRequest(
      server, client, authentication, parameters, app.redirectUri, verifier),
  );
  const profile = await oauth.protectedResourceRequest(first.access_token, "GET", new URL(ME));
  const user = await profile.json();
  const refresh = async (token) => oauth.processRefreshTokenResponse(
    server, client,
    await oauth.refreshTokenGrantRequest(server, client, authentication, token),
  );
  const second = await refresh(first.refresh_token);
  const reuse = await refresh(first.refresh_token).then(() => "accepted", (error) => error.error);
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, authentication, second.access_token));
  const after = await app.me(second.access_token);
  return {
    scope: first.scope,
    user_id: user.id,
    rotated: first.refresh_token !== second.refresh_token,
    reuse,
    revoked: "success",
    afterwards: after.status,
  };
}
