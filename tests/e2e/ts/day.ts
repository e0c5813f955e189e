// An app's day, through the generated client. Prints one line of JSON of what it saw; the types are part of the test.
import { answer, data, wattle, WattleError, type Order } from "./client.js";

const [baseUrl, token, productId] = process.argv.slice(2) as [string, string, string];

// A phone's network: the answer to the first attempt at an order is lost on the way back.
let lost = 0;
const unreliable = async (request: Request) => {
  const copy = request.clone();
  const answer = await fetch(request);
  if (request.method === "POST" && lost++ === 0) {
    await answer.text();
    return fetch(copy);
  }
  return answer;
};
const api = wattle(baseUrl, async () => token, unreliable);

const profile = await data(api.GET("/v1/users/me"));
const zone: string | null = profile.timezone;

const changed = await data(api.PATCH("/v1/users/me", { body: { displayName: "Alice", timezone: "Australia/Sydney" } }));

const body = { items: [{ productId, quantity: 2 }], note: "no sugar" };
const placed = await api.POST("/v1/orders", { body, params: { header: { "Idempotency-Key": "from-typescript" } } });
const order: Order = await data(Promise.resolve(placed));

// Page after page.
const numbers: string[] = [];
let cursor: string | undefined;
do {
  const query = { limit: 1, status: "pending" as const, ...(cursor && { cursor }) };
  const page = await answer(api.GET("/v1/orders", { params: { query } }));
  numbers.push(...page.data.map((one) => one.number));
  cursor = page.pagination.nextCursor ?? undefined;
} while (cursor);

const refused = await api.POST("/v1/orders", { body: { items: [{ productId: "nosuch", quantity: 1 }] } });
const missing = await data(api.GET("/v1/orders/{orderId}", { params: { path: { orderId: "nosuch" } } })).catch(
  (error: unknown) => (error instanceof WattleError ? error.failure?.code : String(error)),
);
const forbidden = await api.POST("/v1/admin/orders/{orderId}/status", {
  params: { path: { orderId: order.id } },
  body: { status: "confirmed" },
});

const first = await api.GET("/v1/products");
const etag = first.response.headers.get("ETag") ?? "";
const again = await api.GET("/v1/products", { params: { header: { "If-None-Match": etag } }, parseAs: "text" });

// What must not compile; tsc fails when one of them does.
export const never = [
  // @ts-expect-error no such path
  () => api.GET("/v1/nosuch"),
  // @ts-expect-error a quantity is a number
  () => api.POST("/v1/orders", { body: { items: [{ productId, quantity: "2" }] } }),
  // @ts-expect-error there is no such status
  () => api.GET("/v1/orders", { params: { query: { status: "eaten" } } }),
  // @ts-expect-error a path parameter is needed
  () => api.GET("/v1/orders/{orderId}"),
];

console.log(JSON.stringify({
  zone, displayName: changed.displayName, status: order.status, total: order.total, numbers, number: order.number,
  replayed: placed.response.headers.get("Idempotency-Replayed"), refused: refused.error?.code,
  fields: refused.error?.errors?.map((one) => one.field), missing, forbidden: forbidden.error?.code,
  unchanged: again.response.status,
}));
