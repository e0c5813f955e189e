import { ZodError } from 'zod';

import { failure } from './envelope.js';

export class ApiError extends Error {
  constructor(status, code, message, errors) {
    super(message);
    Object.assign(this, { status, code, errors });
  }
}

export function notFound(req, res) {
  res.status(404).json(failure('ROUTE_NOT_FOUND', `There is nothing at ${req.path}.`));
}

// Express knows an error handler by its four parameters.
export function errorHandler(error, req, res, next) { // eslint-disable-line no-unused-vars
  if (error instanceof ApiError) {
    res.status(error.status).json(failure(error.code, error.message, error.errors));
  } else if (error instanceof ZodError) {
    const errors = error.issues.map((issue) => ({ field: issue.path.join('.'), code: issue.code, message: issue.message }));
    res.status(400).json(failure('VALIDATION_FAILED', 'The request has fields that are missing or wrong.', errors));
  } else if (error.type === 'entity.parse.failed') {
    res.status(400).json(failure('INVALID_JSON', 'The body is not JSON.'));
  } else {
    console.error(error);
    res.status(500).json(failure('INTERNAL', 'Something went wrong.'));
  }
}
