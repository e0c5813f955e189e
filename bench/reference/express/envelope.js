import { randomUUID } from 'node:crypto';

export function success(data, pagination) {
  const body = { success: true, data };
  if (pagination) body.pagination = pagination;
  return stamped(body);
}

export function failure(code, message, errors) {
  const body = { success: false, code, message };
  if (errors) body.errors = errors;
  return stamped(body);
}

function stamped(body) {
  body.timestamp = new Date().toISOString();
  body.requestId = randomUUID();
  return body;
}
