"""Texts in the languages of the message catalogues, `wattle/locale/{language}/LC_MESSAGES/push.po`.

English is the language of the source. The compiled catalogues (`.mo`) are committed and deployed; `make catalogues`
makes them.
"""

import gettext
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from wattle.inbox.message import LANGUAGE, Text

DOMAIN: Final = "push"
DIRECTORY: Final = Path(__file__).resolve().parent.parent / "locale"


def texts(title: str, body: str, **values: str) -> Mapping[str, Text]:
    """Title and body in every language, `{name}` replaced by the value of that name."""
    found = {LANGUAGE: Text(title.format(**values), body.format(**values))}
    for language, catalogue in catalogues().items():
        found[language] = Text(catalogue.gettext(title).format(**values), catalogue.gettext(body).format(**values))
    return found


@cache
def catalogues() -> Mapping[str, gettext.NullTranslations]:
    """The catalogue of each language besides English. Read once: they take 5 KB."""
    languages = sorted(path.parent.parent.name for path in DIRECTORY.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return {language: gettext.translation(DOMAIN, DIRECTORY, [language]) for language in languages}


def gettext_noop(text: str) -> str:
    """Marks a text for the catalogues, which `texts` looks it up in later."""
    return text
