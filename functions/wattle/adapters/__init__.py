"""The only code that imports google.* or firebase_admin: Firestore, ID tokens, Identity Toolkit, FCM."""
