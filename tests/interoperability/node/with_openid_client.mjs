// openid-client, certified by the OpenID Foundation: with PKCE, and the device grant.
import * as client from "openid-client";
import { app, AUTHORIZE, DEVICE, ME, REVOKE, TOKEN } from "./zoom.mjs";

export async function run() {
  const config = new client.Configuration(
    {
      issuer: "https://zoom.us",
      authorization_endpoint: AUTHORIZE,
      token_endpoint: TOKEN,
      revocation_endpoint: REVOKE,
      device_authorization_endpoint: DEVICE,
    },
    app.clientId,
    app.clientSecret,
    client.ClientSecretBasic(app.clientSecret),
  );
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: app.redirectUri,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
  });
  const first = await client.authorizationCodeGrant(config, await app.visit(url), {
    pkceCodeVerifier: verifier,
    expectedState: state,
  });
  const profile = await client.fetchProtectedResource(
    config, first.access_token, new URL(ME), "GET");
  const user = await profile.json();
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  const reuse = await client
    .refreshTokenGrant(config, first.refresh_token)
    .then(() => "accepted", (error) => error.error);
  await client.tokenRevocation(config, second.access_token);
  const after = await app.me(second.access_token);
  return {
    scope: first.scope,
    user_id: user.id,
    rotated: first.refresh_token !== second.refresh_token,
    reuse,
    revoked: "success",
    afterwards: after.status,
    device: await device(config),
  };
}

async function device(config) {
  const begun = await client.initiateDeviceAuthorization(config, {});
  await fetch(begun.verification_uri_complete);
  const tokens = await client.pollDeviceAuthorizationGrant(config, { ...begun, interval: 0 });
  return tokens.token_type;
}
