// A mobile app's day with the Firebase web SDK: sign-in, the callable, direct reads and a live listener under the rules.
// Prints one JSON line of what it saw. The order's status is changed by the test, when it reads "listening" below.
import { initializeApp } from "firebase/app";
import { connectAuthEmulator, getAuth, signInWithEmailAndPassword } from "firebase/auth";
import {
  collection, connectFirestoreEmulator, doc, getDoc, getDocs, getFirestore, limit, onSnapshot, query, terminate, where,
} from "firebase/firestore";
import { connectFunctionsEmulator, getFunctions, httpsCallable } from "firebase/functions";

const [admin_token, api] = process.argv.slice(2);
const app = initializeApp({ projectId: "demo-wattle", apiKey: "demo-key" });
const auth = getAuth(app);
connectAuthEmulator(auth, process.env.AUTH_URL, { disableWarnings: true });
const db = getFirestore(app);
const [host, port] = process.env.FIRESTORE_HOST.split(":");
connectFirestoreEmulator(db, host, Number(port));
const functions = getFunctions(app, "australia-southeast1");
const [functionsHost, functionsPort] = process.env.FUNCTIONS_HOST.split(":");
connectFunctionsEmulator(functions, functionsHost, Number(functionsPort));

const codeOf = async (promise) => promise.then(() => "allowed", (error) => error.code);
const seen = {};

seen.anonymousRead = await codeOf(getDoc(doc(db, "users/alice")));
const createOrder = httpsCallable(functions, "createOrder");
seen.anonymousCall = await createOrder({ items: [] }).catch((error) => ({ code: error.code, details: error.details }));

await signInWithEmailAndPassword(auth, "alice@example.com", "wattle-demo");
const uid = auth.currentUser.uid;

seen.refused = await createOrder({ items: [{ productId: "nosuch", quantity: 1 }] })
  .catch((error) => ({ code: error.code, details: error.details }));
const { order } = (await createOrder({ items: [{ productId: "lamington", quantity: 2 }] })).data;
seen.order = order;
seen.directRead = (await getDoc(doc(db, "orders", order.id))).data().total;
seen.profile = (await getDoc(doc(db, "users", uid))).data().displayName;
seen.directList = (await getDocs(query(collection(db, "orders"), where("userId", "==", uid), limit(5)))).size;
seen.unboundedList = await codeOf(getDocs(query(collection(db, "orders"), where("userId", "==", uid))));
seen.othersProfile = await codeOf(getDoc(doc(db, "users/bob")));
seen.devices = await codeOf(getDocs(query(collection(db, `users/${uid}/devices`), limit(5))));

// The listener sees the order move, and the inbox get its entry, without asking again.
const inbox = query(collection(db, `users/${uid}/notifications`), where("kind", "==", "orders"), limit(50));
seen.live = await new Promise((resolve, reject) => {
  const statuses = [];
  const entries = new Set();
  const done = () => {
    if (statuses.includes("confirmed") && entries.has(`${order.id}-2`)) {
      stopOrder();
      stopInbox();
      resolve({ statuses, entry: `${order.id}-2` });
    }
  };
  const stopOrder = onSnapshot(doc(db, "orders", order.id), async (snapshot) => {
    statuses.push(snapshot.data().status);
    if (statuses.length === 1) {
      const answer = await fetch(`${api}/v1/admin/orders/${order.id}/status`, {
        method: "POST",
        headers: { Authorization: `Bearer ${admin_token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ status: "confirmed" }),
      });
      if (!answer.ok) reject(new Error(await answer.text()));
    }
    done();
  }, reject);
  const stopInbox = onSnapshot(inbox, (snapshot) => {
    snapshot.forEach((entry) => entries.add(entry.id));
    done();
  }, reject);
  setTimeout(() => reject(new Error(`the listener saw only ${JSON.stringify({ statuses, entries: [...entries] })}`)), 60_000);
});

await terminate(db);
console.log(JSON.stringify(seen));
process.exit(0);
