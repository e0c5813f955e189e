// Asks the Firebase CLI itself, offline, what it would deploy: node firebase_tools.mjs ROOT PROJECT_ID ALIAS
import { createRequire } from "node:module";
import { join } from "node:path";

const [root, projectId, projectAlias] = process.argv.slice(2);
const require = createRequire(join(root, "tools/firebase-tools/package.json"));
const lib = (name) => require(`./node_modules/firebase-tools/lib/${name}`);
const functions = join(root, "functions");
const config = lib("loadCJSON").loadCJSON(join(root, "firebase.json"));

// The one question to Google: is the secret there? `make provision` made it.
lib("gcp/secretManager").getSecretMetadata = async (_, name) => ({ secret: { name, labels: {} }, secretVersion: {} });
const said = console.log;
console.log = () => {};
const environment = lib("functions/env").loadUserEnvs({ functionsSource: functions, projectId, projectAlias, projectDir: root });
const build = await lib("deploy/functions/runtimes/discovery").detectFromYaml(functions, projectId, "python311");
const { backend } = await lib("deploy/functions/build").resolveBackend({
  build,
  firebaseConfig: { projectId },
  userEnvs: environment,
  nonInteractive: true,
  isEmulator: false,
});
const cloud = lib("gcp/cloudfunctionsv2");
const scheduler = lib("gcp/cloudscheduler");
const endpoints = Object.values(backend.endpoints).flatMap((region) => Object.values(region));
const deployed = {};
for (const endpoint of endpoints) {
  endpoint.codebase = "default";
  const sent = cloud.functionFromEndpoint(endpoint);
  deployed[endpoint.id] = {
    region: endpoint.region,
    maxInstances: sent.serviceConfig.maxInstanceCount,
    account: sent.serviceConfig.serviceAccountEmail,
    eventAccount: sent.eventTrigger?.serviceAccountEmail,
    retry: sent.eventTrigger?.retryPolicy,
    secrets: (endpoint.secretEnvironmentVariables ?? []).map((one) => one.key),
    invoker: endpoint.taskQueueTrigger?.invoker,
    scheduledAs: endpoint.scheduleTrigger
      ? (await scheduler.jobFromEndpoint({ ...endpoint, uri: "https://example.com" }, endpoint.region, "1")).httpTarget
          .oidcToken.serviceAccountEmail
      : undefined,
  };
}
const wanted = await lib("deploy/functions/ensure").secretsAccessDelta({
  wantBackend: backend,
  haveBackend: lib("deploy/functions/backend").empty(),
});
const [{ ignore }] = config.functions;
const files = await lib("fsAsync").readdirRecursive({ path: functions, ignoreStrings: ignore });
said(JSON.stringify({ deployed, secretReaders: wanted, files: files.map((file) => file.name), environment }));
