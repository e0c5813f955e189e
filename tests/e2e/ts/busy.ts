// An order, through the client with its own retries. Prints one line of JSON: the order, or what its error knows.
import { data, wattle, WattleError } from "./client.js";

const [baseUrl] = process.argv.slice(2) as [string];
const api = wattle(baseUrl, async () => "token");
const tap = { header: { "Idempotency-Key": "tap" } };
const body = { items: [{ productId: "flat-white", quantity: 2 }] };

try {
  console.log(JSON.stringify(await data(api.POST("/v1/orders", { params: tap, body }))));
} catch (error) {
  if (!(error instanceof WattleError)) throw error;
  console.log(JSON.stringify({ status: error.status, failure: error.failure ?? null, message: error.message }));
}
