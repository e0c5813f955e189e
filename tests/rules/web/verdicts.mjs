// Answers requests of a table through the real web SDK. Reads {project, host, port, rules, documents, cells} from
// standard input and writes one verdict for each cell: true is allowed, false is denied, a text is another error.
import { readFileSync } from 'node:fs'
import { initializeTestEnvironment } from '@firebase/rules-unit-testing'
import {
  collection, deleteDoc, deleteField, doc, getCountFromServer, getDoc, getDocs, limit, orderBy, query, runTransaction,
  serverTimestamp, setDoc, setLogLevel, Timestamp, updateDoc, where, writeBatch,
} from 'firebase/firestore'

setLogLevel('silent')
const input = JSON.parse(readFileSync(0, 'utf8'))
const environment = await initializeTestEnvironment({
  projectId: input.project,
  firestore: { host: input.host, port: input.port, rules: input.rules },
})

function value(given) {
  if (Array.isArray(given)) return given.map(value)
  if (given === null || typeof given !== 'object') return given
  if ('$now' in given) return serverTimestamp()
  if ('$deleted' in given) return deleteField()
  if ('$time' in given) return Timestamp.fromDate(new Date(given.$time))
  return Object.fromEntries(Object.entries(given).map(([key, item]) => [key, value(item)]))
}

async function seed() {
  await environment.clearFirestore()
  await environment.withSecurityRulesDisabled(async (context) => {
    const batch = writeBatch(context.firestore())
    for (const [path, data] of Object.entries(input.documents)) batch.set(doc(context.firestore(), path), value(data))
    await batch.commit()
  })
}

function asked(database, row) {
  const constraints = row.where.map(([field, operator, given]) => where(field, operator, value(given)))
  for (const name of row.order_by) constraints.push(orderBy(name.replace(/^-/, ''), name.startsWith('-') ? 'desc' : 'asc'))
  if (row.limit !== null) constraints.push(limit(row.limit))
  return query(collection(database, row.target), ...constraints)
}

const operations = {
  get: (database, row) => getDoc(doc(database, row.target)),
  query: (database, row) => getDocs(asked(database, row)),
  count: (database, row) => getCountFromServer(asked(database, row)),
  update: (database, row) => updateDoc(doc(database, row.target), value(row.data)),
  set: (database, row) => setDoc(doc(database, row.target), value(row.data)),
  delete: (database, row) => deleteDoc(doc(database, row.target)),
  transaction: (database, row) =>
    runTransaction(database, async (transaction) => {
      for (const path of row.reads) await transaction.get(doc(database, path))
      for (const write of row.writes) transaction.update(doc(database, write.path), value(write.data))
    }),
}

const contexts = {}
function firestoreOf(caller) {
  const key = JSON.stringify(caller)
  contexts[key] ??= caller.uid === null
    ? environment.unauthenticatedContext()
    : environment.authenticatedContext(caller.uid, caller.claims)
  return contexts[key].firestore()
}

const verdicts = []
await seed()
for (const { caller, row } of input.cells) {
  let verdict = true
  try {
    await operations[row.operation](firestoreOf(caller), row)
    if (row.is_write) await seed()
  } catch (error) {
    verdict = error.code === 'permission-denied' ? false : `${error.code}: ${error.message}`
  }
  verdicts.push(verdict)
}
await environment.cleanup()
process.stdout.write(JSON.stringify(verdicts))
process.exit(0)
