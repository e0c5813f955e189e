"""The writes of a commit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from google.cloud.firestore_v1.types import write

from firesuite.rules.values import DELETED, NOW, encode

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Write:
    """One write. `update_time` makes it conditional, as the writes of a transaction are."""

    kind: Literal["create", "update", "set", "delete"]
    path: str
    data: Mapping[str, Any] = field(default_factory=dict)
    update_time: Any = None

    def message(self, documents: str) -> Any:
        """The `Write` message; `documents` is `projects/P/databases/D/documents`."""
        name = f"{documents}/{self.path}"
        message = write.Write.pb()()
        if self.kind == "delete":
            message.delete = name
        else:
            message.update.name = name
            self._fill(message, documents)
        if self.kind in ("create", "update"):
            message.current_document.exists = self.kind == "update"
        if self.update_time is not None:
            message.current_document.update_time.CopyFrom(self.update_time)
        return message

    def _fill(self, message: Any, documents: str) -> None:
        for path, value in self._leaves():
            if value is NOW:
                transform = message.update_transforms.add()
                transform.field_path = field_path(path)
                transform.set_to_server_value = write.DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME
                continue
            if self.kind == "update":
                message.update_mask.field_paths.append(field_path(path))
            if value is not DELETED:
                fields = message.update.fields
                for name in path[:-1]:
                    fields = fields[name].map_value.fields
                fields[path[-1]].CopyFrom(encode(value, documents))
        if self.kind == "update":
            # Present also when empty: without a mask the write would replace the document.
            message.update_mask.SetInParent()

    def _leaves(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Field paths and values. The keys of an update are paths with dots, as in the SDKs; other keys are names."""
        for key, value in self.data.items():
            yield (tuple(key.split(".")) if self.kind == "update" else (key,)), value


def field_path(names: tuple[str, ...]) -> str:
    """Names as Firestore's field path, in backticks where a name is not plain."""
    quoted = (name.replace("\\", "\\\\").replace("`", "\\`") for name in names)
    return ".".join(name if _PLAIN.fullmatch(name) else f"`{name}`" for name in quoted)


def create(path: str, data: Mapping[str, Any]) -> Write:
    """Fails where the document exists."""
    return Write("create", path, data)


def update(path: str, data: Mapping[str, Any]) -> Write:
    """Replaces the named fields; fails where the document does not exist."""
    return Write("update", path, data)


def replace(path: str, data: Mapping[str, Any]) -> Write:
    """Writes the whole document, new or not (`set` in the SDKs); rules judge it as what it turns out to be."""
    return Write("set", path, data)


def delete(path: str) -> Write:
    return Write("delete", path)
