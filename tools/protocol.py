"""functions/wattle/adapters/firestore/messages.binpb: the descriptions of Firestore's messages.

They are taken from the installed google-cloud-firestore, so that the deployed code can have the messages without
importing that library: see wattle.adapters.firestore.messages.
"""

import sys
from pathlib import Path
from typing import Any, Final

from google.cloud.firestore_v1.types import firestore
from google.protobuf.descriptor_pb2 import FileDescriptorSet

PATH: Final = Path(__file__).resolve().parent.parent / "functions/wattle/adapters/firestore/messages.binpb"


def described() -> bytes:
    """The descriptor set of google.firestore.v1, each file after those that it imports."""
    files = FileDescriptorSet()
    _add(firestore.CommitRequest.meta.pb.DESCRIPTOR.file, files, set())
    return bytes(files.SerializeToString(deterministic=True))


def _add(file: Any, files: Any, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for needed in sorted(file.dependencies, key=lambda file: file.name):
        _add(needed, files, seen)
    description = files.file.add()
    file.CopyToProto(description)
    # proto-plus puts them together in another order in each process; numbers, not places, are what counts.
    for unordered in (description.message_type, description.enum_type):
        unordered.sort(key=lambda member: member.name)
    description.dependency[:] = sorted(description.dependency)


def run(*, check: bool) -> int:
    """Write the file, or with `check` return 1 where it is not what would be written."""
    present = PATH.read_bytes() if PATH.exists() else b""
    if check:
        if present != described():
            print("Firestore's messages are not those of google-cloud-firestore: run `make protocol`.", file=sys.stderr)
            return 1
        return 0
    PATH.write_bytes(described())
    return 0
