// Zoom's own kit as its documentation shows it: it verifies, calls a handler, and stores nothing.
import { UsersOAuthClient } from "@zoom/rivet/users";

const client = new UsersOAuthClient({
  clientId: "BenchClientIdOfNobody",
  clientSecret: "bench-client-key-7yPq2M",
  webhooksSecretToken: process.env.BENCH_SECRET,
  installerOptions: {
    redirectUri: "http://127.0.0.1/unused",
    stateStore: "a-state-store-key-of-thirty-two-b",
  },
  port: Number(process.env.BENCH_PORT),
});
client.webEventConsumer.event("meeting.participant_joined", () => {});
await client.start();
