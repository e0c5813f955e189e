// Preloaded (`node --import`): ID tokens are verified as in production, with the benchmark's certificate in place of
// Google's, fetched when the first token is verified.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const jwt = join(dirname(fileURLToPath(import.meta.url)), 'node_modules/firebase-admin/lib/utils/jwt.js');
const { UrlKeyFetcher } = createRequire(import.meta.url)(jwt);
const { refresh } = UrlKeyFetcher.prototype;
UrlKeyFetcher.prototype.refresh = function () {
  this.clientCertUrl = process.env.BENCH_CERTIFICATES;
  return refresh.call(this);
};
