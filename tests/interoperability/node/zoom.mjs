// Zoom as its clients know it, and the app that they speak for.

export const AUTHORIZE = "https://zoom.us/oauth/authorize";
export const TOKEN = "https://zoom.us/oauth/token";
export const REVOKE = "https://zoom.us/oauth/revoke";
export const DEVICE = "https://zoom.us/oauth/devicecode";
export const ME = "https://api.zoom.us/v2/users/me";

export const app = {
  clientId: process.env.CLIENT_ID,
  clientSecret: process.env.CLIENT_SECRET,
  redirectUri: process.env.REDIRECT_URI,

  /** Open a URL as a browser would; where it is sent. */
  async visit(url) {
    const answer = await fetch(url, { redirect: "manual" });
    if (answer.status !== 302) throw new Error(`no redirect from ${url}: ${answer.status}`);
    return new URL(answer.headers.get("location"));
  },

  /** The status of users/me with an access token. */
  async me(accessToken) {
    const answer = await fetch(ME, { headers: { authorization: `Bearer ${accessToken}` } });
    return { status: answer.status, user: await answer.json() };
  },

  /** A revocation, for clients that have none. */
  async revoke(accessToken) {
    const answer = await fetch(REVOKE, {
      method: "POST",
      body: new URLSearchParams({ token: accessToken }),
      headers: { authorization: `Basic ${btoa(`${this.clientId}:${this.clientSecret}`)}` },
    });
    return (await answer.json()).status;
  },
};
