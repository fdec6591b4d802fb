// Zoom's own kit as its pages "Authorization" and "Listening to events" of developers.zoom.us/docs/
// rivet/javascript show it: installer options with a redirect URI and a state secret, everything
// else left out, so that its defaults hold (tokens in memory, the state cookie, the install page).
import { createServer } from "node:http";
import { UsersOAuthClient } from "@zoom/rivet/users";

const client = new UsersOAuthClient({
  clientId: process.env.ZOOM_CLIENT_ID,
  clientSecret: process.env.ZOOM_CLIENT_SECRET,
  webhooksSecretToken: process.env.ZOOM_WEBHOOK_SECRET,
  port: Number(process.env.PORT),
  installerOptions: {
    redirectUri: process.env.APP_URL,
    stateStore: "a-state-secret-of-more-than-thirty-two-characters",
  },
});

const handled = [];
for (const name of ["meeting.ended", "user.updated", "recording.completed", "app_deauthorized"]) {
  client.webEventConsumer.event(name, (event) => handled.push({ event: name, ...event }));
}

// What the check asks beside the kit: an API call as the documentation writes it, and the events.
const hooks = {
  "/use": async () => (await client.endpoints.users.getUser({ path: { userId: "me" } })).data,
  "/events": async () => handled,
};
createServer(async (request, response) => {
  try {
    const content = await hooks[request.url]();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(content));
  } catch (error) {
    response.writeHead(502, { "content-type": "application/json" })
      .end(JSON.stringify({ error: error.name }));
  }
}).listen(Number(process.env.HOOKS_PORT), "127.0.0.1");

await client.start();
