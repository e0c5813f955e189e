"""Profiles: `users/{uid}`."""
