// Auth.js: its Zoom provider behind its own routes; it signs in and makes a session.
import { Auth } from "@auth/core";
import Zoom from "@auth/core/providers/zoom";
import { app } from "./zoom.mjs";

export async function run() {
  let account;
  const origin = new URL(app.redirectUri).origin;
  const config = {
    providers: [Zoom({ clientId: app.clientId, clientSecret: app.clientSecret, checks: ["state"],
      authorization: { url: "https://zoom.us/oauth/authorize", params: { scope: "" } },
    })],
    secret: "a secret for a site that lives a second",
    trustHost: true,
    basePath: "/auth",
    callbacks: {
      jwt({ token, account: given }) {
        account = given ?? account;
        return { ...token, userId: given?.providerAccountId ?? token.userId };
      },
      session: ({ session, token }) => ({ ...session, userId: token.userId }),
    },
  };
  const jar = new Map();
  const call = async (path, options = {}) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await Auth(
      new Request(`${origin}${path}`, { ...options, headers: { ...options.headers, cookie } }),
      config);
    for (const line of answer.headers.getSetCookie()) {
      const [name, ...value] = line.split(";")[0].split("=");
      jar.set(name, value.join("="));
    }
    return answer;
  };
  const { csrfToken } = await (await call("/auth/csrf")).json();
  const begun = await call("/auth/signin/zoom", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ csrfToken }),
  });
  const answer = await app.visit(begun.headers.get("location"));
  const ended = await call(answer.pathname + answer.search);
  const session = await (await call("/auth/session")).json();
  return {
    user_id: session.userId,
    email: session.user.email,
    stored: Boolean(account.access_token && account.refresh_token),
    status: ended.status,
  };
}
