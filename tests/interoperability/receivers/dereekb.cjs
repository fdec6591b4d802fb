// A NestJS module of another maker as a receiver; it verifies over the raw body.
const Module = require("node:module");

// A peer package that its other parts load pictures with; the webhook path never calls it.
const resolve = Module._resolveFilename;
Module._resolveFilename = function resolved(name, ...rest) {
  return name === "@dereekb/rxjs"
    ? require.resolve("./nothing.cjs")
    : resolve.call(this, name, ...rest);
};

require("reflect-metadata");
const { NestFactory } = require("@nestjs/core");
const { raw } = require("body-parser");
const { ZoomWebhookModule, ZoomWebhookService } = require("@dereekb/zoom/nestjs");

(async () => {
  const app = await NestFactory.create(ZoomWebhookModule, { bodyParser: false, logger: ["warn"] });
  app.use(raw({ type: () => true }));
  app.get(ZoomWebhookService).configure(app, (handlers) => {
    handlers.handleMeetingStarted((event) => console.log(`event ${JSON.stringify(event)}`));
    handlers.handleMeetingEnded((event) => console.log(`event ${JSON.stringify(event)}`));
    handlers.handleMeetingCreated((event) => console.log(`event ${JSON.stringify(event)}`));
  });
  await app.listen(0, "127.0.0.1");
  const { port } = app.getHttpServer().address();
  console.log(`listening http://127.0.0.1:${port}/webhook/zoom`);
})();
