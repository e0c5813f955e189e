// What live listeners of the real web SDK see when an order is taken from its owner. Writes {document, query}: the
// states seen, each a list of ids, and 'denied' where the listener ended.
import { readFileSync } from 'node:fs'
import { initializeTestEnvironment } from '@firebase/rules-unit-testing'
import { collection, doc, limit, onSnapshot, query, setDoc, setLogLevel, updateDoc, where } from 'firebase/firestore'

setLogLevel('silent')
const input = JSON.parse(readFileSync(0, 'utf8'))
const environment = await initializeTestEnvironment({
  projectId: input.project,
  firestore: { host: input.host, port: input.port, rules: input.rules },
})
await environment.clearFirestore()
const withoutRules = (change) => environment.withSecurityRulesDisabled((context) => change(context.firestore()))
await withoutRules((database) => setDoc(doc(database, 'orders/o1'), { userId: 'alice', total: 1 }))

function watch(target, ids) {
  const seen = []
  let wake = () => {}
  const add = (state) => { seen.push(state); wake() }
  const stop = onSnapshot(target, (snapshot) => add(ids(snapshot)), (error) => add(error.code === 'permission-denied' ? 'denied' : error.code))
  const until = async (done) => {
    while (!done(seen)) await new Promise((resolve) => { wake = resolve })
  }
  return { seen, stop, until }
}

const database = environment.authenticatedContext('alice').firestore()
const orders = query(collection(database, 'orders'), where('userId', '==', 'alice'), limit(100))
const watched = {
  document: watch(doc(database, 'orders/o1'), (snapshot) => (snapshot.exists() ? [`${snapshot.id}:${snapshot.get('total')}`] : [])),
  query: watch(orders, (snapshot) => snapshot.docs.map((found) => `${found.id}:${found.get('total')}`)),
}
const all = Object.values(watched)
await Promise.all(all.map((one) => one.until((seen) => seen.length === 1)))
await withoutRules((admin) => updateDoc(doc(admin, 'orders/o1'), { total: 2 }))
await Promise.all(all.map((one) => one.until((seen) => seen.at(-1).includes?.('o1:2'))))
await withoutRules((admin) => updateDoc(doc(admin, 'orders/o1'), { userId: 'bob', total: 3 }))
await Promise.all(all.map((one) => one.until((seen) => !seen.at(-1).includes?.('o1:2'))))
for (const one of all) one.stop()
await environment.cleanup()
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(watched).map(([name, one]) => [name, one.seen]))))
process.exit(0)
