"""Sending to phones. Never in the path of a request: triggers and tasks do it."""
