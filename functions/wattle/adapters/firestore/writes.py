"""Writes of a commit. Paths are from the database's root, such as `orders/abc`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from wattle.adapters.firestore.messages import FieldTransform, WriteMessage
from wattle.adapters.firestore.values import SERVER_TIMESTAMP, Increment, encode


class Create(NamedTuple):
    """Make a document; the commit fails with AlreadyExists where it exists."""

    path: str
    data: Mapping[str, Any]


class Update(NamedTuple):
    """Change the named fields (dotted paths reach into maps); a value of None stores null.

    The commit fails with PreconditionFailed where the document is missing, or was last updated at another time than
    `unless_changed_since`. With `upsert` a missing document is made.
    """

    path: str
    data: Mapping[str, Any]
    unless_changed_since: datetime | None = None
    upsert: bool = False


class Delete(NamedTuple):
    """Remove a document. It is no error if it is missing."""

    path: str


Write = Create | Update | Delete

REQUEST_TIME = 1  # DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME


def encode_write(write: Write, root: str) -> Any:
    """The protocol buffer `Write`; `root` is `projects/p/databases/d/documents`."""
    message = WriteMessage()
    if isinstance(write, Delete):
        message.delete = f"{root}/{write.path}"
        return message
    message.update.name = f"{root}/{write.path}"
    for field, value in write.data.items():
        if isinstance(value, Increment):
            message.update_transforms.append(FieldTransform(field_path=field, increment=encode(value.by, root)))
        elif value is SERVER_TIMESTAMP:
            message.update_transforms.append(FieldTransform(field_path=field, set_to_server_value=REQUEST_TIME))
        else:
            _field(message.update, field).CopyFrom(encode(value, root))
            if isinstance(write, Update):
                message.update_mask.field_paths.append(field)
    if isinstance(write, Create):
        message.current_document.exists = False
        return message
    message.update_mask.SetInParent()
    if write.unless_changed_since is not None:
        message.current_document.update_time.CopyFrom(encode(write.unless_changed_since, root).timestamp_value)
    elif not write.upsert:
        message.current_document.exists = True
    return message


def _field(document: Any, path: str) -> Any:
    """The `Value` at a dotted path, made where it is missing."""
    first, *rest = path.split(".")
    value = document.fields[first]
    for name in rest:
        value = value.map_value.fields[name]
    return value
