import { getAuth } from 'firebase-admin/auth';

import { ApiError } from './errors.js';

export async function authenticate(req, res, next) {
  const [scheme, token] = (req.get('Authorization') ?? '').split(' ');
  if (scheme !== 'Bearer' || !token) throw new ApiError(401, 'TOKEN_MISSING', 'Send a Firebase ID token.');
  try {
    req.user = await getAuth().verifyIdToken(token);
  } catch (error) {
    throw new ApiError(401, error.code === 'auth/id-token-expired' ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID', 'The ID token is not valid.');
  }
  next();
}
