"""The phones that a user's messages go to: `users/{uid}/devices/{deviceId}`."""
