"""Who is in the seed: other people's scripts rely on these names."""

from typing import Final

PASSWORD: Final = "wattle-demo"  # noqa: S105 (the demo's, printed by `make dev`)

USERS: Final = (
    ("alice", "Alice Nguyen", None),
    ("bob", "Bob Murray", None),
    ("admin", "Ada Minister", "admin"),
)
"""User id (and the part of the address before @example.com), display name, role."""
