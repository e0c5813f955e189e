// Preloaded (`node --import`): ID tokens are verified as in production, with the benchmark's certificate in place of Google's.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const jwt = join(dirname(fileURLToPath(import.meta.url)), 'node_modules/firebase-admin/lib/utils/jwt.js');
const { UrlKeyFetcher } = createRequire(import.meta.url)(jwt);
const certificates = await (await fetch(process.env.BENCH_CERTIFICATES)).json();
UrlKeyFetcher.prototype.fetchPublicKeys = async () => certificates;
