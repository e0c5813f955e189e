"""Sign-up, sign-in and sessions for apps without a Firebase SDK; the tokens are Firebase's own."""
