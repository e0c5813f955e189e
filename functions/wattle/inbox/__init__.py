"""A person's notifications, kept 90 days: `users/{uid}/notifications/{id}`."""
