"""Firestore over the generated protocol buffers and plain gRPC stubs.

It costs a third of the official client's CPU or less, as it skips the proto-plus wrappers
(bench/results/firestore_client.txt has both). It does what Wattle needs and no more: documents, queries with cursors
and projections, counts, commits, transactions, and the count of what each request is billed.
"""

from wattle.adapters.firestore.client import Firestore
from wattle.adapters.firestore.errors import (
    AlreadyExists,
    FirestoreContention,
    FirestoreError,
    FirestoreUnavailable,
    PreconditionFailed,
)
from wattle.adapters.firestore.guard import Condition, guarded
from wattle.adapters.firestore.query import Query
from wattle.adapters.firestore.transaction import Transaction
from wattle.adapters.firestore.usage import Usage, track_usage
from wattle.adapters.firestore.values import SERVER_TIMESTAMP, Data, Document, Increment, Reference, Snapshot
from wattle.adapters.firestore.writes import Create, Delete, Update, Write

__all__ = [
    "SERVER_TIMESTAMP",
    "AlreadyExists",
    "Condition",
    "Create",
    "Data",
    "Delete",
    "Document",
    "Firestore",
    "FirestoreContention",
    "FirestoreError",
    "FirestoreUnavailable",
    "Increment",
    "PreconditionFailed",
    "Query",
    "Reference",
    "Snapshot",
    "Transaction",
    "Update",
    "Usage",
    "Write",
    "guarded",
    "track_usage",
]
