"""What an app's screen shows, in one answer."""
