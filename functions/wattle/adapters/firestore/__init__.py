"""Firestore over the generated protocol buffers and plain gRPC stubs.

The official client costs 5 ms of CPU for a query of 20 documents and 1 ms for a get; this one 1.7 ms and 0.3 ms,
as it skips the proto-plus wrappers (bench/ measures both). It does what Wattle needs and no more: documents,
queries with cursors and projections, counts, commits, transactions, and the count of what each request is billed.
"""

from wattle.adapters.firestore.client import Firestore
from wattle.adapters.firestore.errors import (
    AlreadyExists,
    FirestoreContention,
    FirestoreError,
    FirestoreUnavailable,
    PreconditionFailed,
)
from wattle.adapters.firestore.query import Query
from wattle.adapters.firestore.transaction import Transaction
from wattle.adapters.firestore.usage import Usage, track_usage
from wattle.adapters.firestore.values import SERVER_TIMESTAMP, Data, Document, Increment, Reference
from wattle.adapters.firestore.writes import Create, Delete, Update, Write

__all__ = [
    "SERVER_TIMESTAMP",
    "AlreadyExists",
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
    "Transaction",
    "Update",
    "Usage",
    "Write",
    "track_usage",
]
