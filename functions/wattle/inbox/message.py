"""Something to tell people, in several languages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from wattle.users.preferences import Kind

LANGUAGE: Final = "en"
"""Every message has at least this one."""


class Text(NamedTuple):
    title: str
    body: str


class Message(NamedTuple):
    """`id`, 64 characters at most, is derived from what happened, so that the same event is told once.

    `texts` are by language (`de`, or with a region, `pt-BR`). `data` are texts for the app, `image` and `link` are
    URLs; a tap opens the link. `broadcast` is the id of the broadcast that the message belongs to. `at` is when it
    happened, None for now: what is a day old is not pushed any more.
    """

    id: str
    kind: Kind
    texts: Mapping[str, Text]
    data: Mapping[str, str]
    image: str | None = None
    link: str | None = None
    broadcast: str | None = None
    at: datetime | None = None

    def text(self, locale: str | None) -> Text:
        """The text for a locale (BCP 47): its own, that of its language, or the English one."""
        tag = locale or LANGUAGE
        while tag not in self.texts:
            shorter = tag.rpartition("-")[0]
            if not shorter:
                return self.texts[LANGUAGE]
            tag = shorter
        return self.texts[tag]

    def as_data(self) -> dict[str, Any]:
        """As Firestore keeps it until it is sent."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "texts": {language: {"title": t.title, "body": t.body} for language, t in self.texts.items()},
            "data": dict(self.data),
            "image": self.image,
            "link": self.link,
            "broadcast": self.broadcast,
            "at": self.at,
        }

    @classmethod
    def stored(cls, data: Mapping[str, Any]) -> Self:
        texts = {language: Text(**text) for language, text in data["texts"].items()}
        return cls(**{**data, "kind": Kind(data["kind"]), "texts": texts})
