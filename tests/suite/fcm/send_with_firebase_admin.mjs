// Sends through firebase-admin for Node as README.md shows it, and prints what came back as JSON.
import { createRequire } from "node:module";
import https from "node:https";
import net from "node:net";

const [, , host, projectId] = process.argv;
const require = createRequire(new URL("../../../package.json", import.meta.url));
const { initializeApp } = require("firebase-admin/app");
const { getMessaging } = require("firebase-admin/messaging");

const [address, port] = host.split(":");
const httpAgent = new https.Agent({ keepAlive: true });
httpAgent.createConnection = () => net.connect(Number(port), address);
const credential = { getAccessToken: async () => ({ access_token: "owner", expires_in: 3600 }) };
const messaging = getMessaging(initializeApp({ projectId, credential, httpAgent }));
messaging.enableLegacyHttpTransport();

const attempt = (promise) => promise.catch((error) => ({ code: error.code, message: error.message }));
const message = { token: "a", notification: { title: "Node" }, android: { collapseKey: "k", ttl: 3500 }, data: { n: "1" } };
const results = {
  sent: await messaging.send(message),
  dryRun: await messaging.send(message, true),
  unregistered: await attempt(messaging.send({ token: "gone" })),
  refused: await attempt(messaging.send({ token: "a", data: { from: "x" } })),
  each: await messaging.sendEach([{ token: "a" }, { token: "gone" }]),
  subscribed: await messaging.subscribeToTopic(["a", "gone"], "news"),
  topic: await messaging.send({ topic: "news", notification: { title: "News" } }),
  unsubscribed: await messaging.unsubscribeFromTopic(["a"], "news"),
};
httpAgent.destroy();
console.log(JSON.stringify(results));
