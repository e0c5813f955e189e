// A phone on which FCM tells the id before anybody has signed in, and which two people use one after the other.
// Prints one line of JSON: the installations of whom, when.
import { initializeApp } from "firebase/app";
import { connectAuthEmulator, createUserWithEmailAndPassword, getAuth } from "firebase/auth";
import { data, retrying, wattle } from "./client.js";
import { PushRegistration } from "./push.js";

const [baseUrl, authUrl] = process.argv.slice(2) as [string, string];
const auth = getAuth(initializeApp({ projectId: "demo-wattle", apiKey: "demo-key" }));
connectAuthEmulator(auth, authUrl, { disableWarnings: true });

const warnings: unknown[] = [];
console.warn = (what: unknown) => warnings.push(what);

// What is answered in place of the backend, and the methods of what was sent.
const instead: Response[] = [];
const sent: string[] = [];
const unreliable = async (request: Request) => {
  sent.push(request.method);
  return instead.shift() ?? fetch(request);
};
const token = async () => (await auth.currentUser?.getIdToken()) ?? Promise.reject(new Error("nobody is signed in"));
const push = new PushRegistration(wattle(baseUrl, token, retrying(unreliable)), auth, "the-phone");

/** A new person signs in; the installations that the API knows of him. */
async function arrive(name: string) {
  const email = `${name}-${crypto.randomUUID()}@example.com`;
  const { user } = await createUserWithEmailAndPassword(auth, email, "wattle-demo");
  const kept = await user.getIdToken();
  const api = wattle(baseUrl, async () => kept);
  return async () => (await data(api.GET("/v1/users/me/devices"))).map((device) => device.fid);
}

/** The first list that is not empty. A test that fails waits longest. */
async function some<T>(list: () => Promise<T[]>): Promise<T[]> {
  for (let round = 0; round < 300; round++) {
    const found = await list();
    if (found.length) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  return [];
}

push.registered("dThisPhone0123456789ab");
await auth.authStateReady();
const beforeSignIn = [...sent];

const ofFirst = await arrive("first");
const first = await some(ofFirst);

// Cloud Run has no instance free when the first signs out.
instead.push(new Response("Rate exceeded.", { status: 429, headers: { "Retry-After": "1" } }));
await push.signOut();
const afterSignOut = await ofFirst();

const ofSecond = await arrive("second");
const second = await some(ofSecond);
const firstThen = await ofFirst();
await push.signOut();

// A refusal ends nothing: the app goes on, and says so.
instead.push(new Response("<html>", { status: 500 }));
await arrive("third");
for (let round = 0; round < 300 && !warnings.length; round++) await new Promise((done) => setTimeout(done, 100));

console.log(JSON.stringify({ beforeSignIn, first, afterSignOut, second, firstThen, warnings }));
process.exit(0);
