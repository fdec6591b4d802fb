// Zoom's own Node kit as a receiver of meeting events and of the challenge.
import { MeetingsS2SAuthClient } from "@zoom/rivet/meetings";

const client = new MeetingsS2SAuthClient({
  clientId: "unused",
  clientSecret: "unused",
  accountId: "unused",
  webhooksSecretToken: process.env.ZOOM_SECRET_TOKEN,
  port: 0,
});
for (const name of process.env.EVENTS.split(",")) {
  client.webEventConsumer.event(name, (event) => {
    console.log(`event ${JSON.stringify({ event: name, payload: event.payload ?? event })}`);
  });
}
const server = await client.start();
console.log(`listening http://127.0.0.1:${server.address().port}/zoom/events`);
