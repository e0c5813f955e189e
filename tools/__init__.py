"""Wattle's own command line: `python -m tools --help`."""
