// A client of the API as an app would have it: types generated from docs/openapi.json, requests by openapi-fetch.
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./wattle.js";

export type Order = components["schemas"]["Order"];
export type Failure = components["schemas"]["Error"];

/** A failed request, with the code that a program reads. */
export class WattleError extends Error {
  constructor(readonly status: number, readonly failure: Failure) {
    super(`${status} ${failure.code}: ${failure.message} (request ${failure.requestId})`);
  }
}

/** `token` gives the present ID token, as `user.getIdToken()` of the Firebase SDK does. */
export function wattle(baseUrl: string, token: () => Promise<string>, fetch?: (request: Request) => Promise<Response>) {
  const client = createClient<paths>({ baseUrl, ...(fetch ? { fetch } : {}) });
  const signed: Middleware = {
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${await token()}`);
      request.headers.set("X-App-Version", "2.4.1");
      return request;
    },
  };
  client.use(signed);
  return client;
}

type Result<T> = { data?: T; error?: Failure; response: Response };

/** The data of an answer; throws a WattleError for a refusal. */
export async function data<T>(call: Promise<Result<{ data: T }>>): Promise<T> {
  const { data: answer, error, response } = await call;
  if (error !== undefined) throw new WattleError(response.status, error);
  if (answer === undefined) throw new Error(`${response.status} without a body`);
  return answer.data;
}
