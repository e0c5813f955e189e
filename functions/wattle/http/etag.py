"""Entity tags and conditional requests (RFC 9110 sections 8.8.3 and 13).

A tag is the digest of what the answer represents: `data` and `pagination`, not the time and the request id that each
answer carries around them. A resource with a version has it in front, `"7.Jx0o..."`, and that is what `If-Match`
compares. The version of a resource without a number is the digest of the whole: it stands alone, or in front where only
some fields were asked for. A compressed answer is another representation, so its tag ends in `-gzip`, as Apache's does;
either form is recognised, because both stand for the same data.
"""

import re
from typing import Final

from wattle.context import ExpectedVersion
from wattle.errors import FieldError, ValidationFailed
from wattle.schema import digest_of

GZIP: Final = "-gzip"
# An entity-tag, weak or not, or nothing (RFC 9110 section 5.6.1.2), and what may stand between two of a list.
_TAG: Final = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,|$)')
_VERSION: Final = re.compile(r"([0-9]{1,18})\.")


def tag_of(representation: bytes, version: int | str | None) -> str:
    """The strong tag, quoted."""
    digest = digest_of(representation)
    return f'"{digest}"' if version is None else f'"{version}.{digest}"'


def match(given: str, present: str) -> str | None:
    """The tag of an `If-None-Match` that names the `present` one, in its own form; None where none does.

    The comparison is weak (RFC 9110 section 13.1.2). What is no list of tags matches nothing.
    """
    if given.strip() == "*":
        return present
    try:
        tags = [tag for _weak, tag in _tags(given)]
    except ValueError:
        return None
    wanted = present.strip('"')
    return next((f'"{tag}"' for tag in tags if tag.removesuffix(GZIP) == wanted), None)


def expected_version(header: str) -> ExpectedVersion:
    """What `If-Match` demands. A tag that is not ours is nothing's version, so it never matches; nor does a weak one.

    Raises:
        ValidationFailed: it is neither `*` nor a list of entity tags.
    """
    if header.strip() == "*":
        return ExpectedVersion(None)
    try:
        tags = _tags(header)
    except ValueError as error:
        message = 'Send `*`, or the ETag as it was received, with its quotes: "7.Jx0oD3kP9vQ2mZ8a".'
        raise ValidationFailed([FieldError("If-Match", "INVALID_ETAG", message)]) from error
    return ExpectedVersion(frozenset(_version(tag) for weak, tag in tags if not weak))


def _version(tag: str) -> int | str:
    numbered = _VERSION.match(tag)
    return int(numbered[1]) if numbered else tag.removesuffix(GZIP).partition(".")[0]


def _tags(header: str) -> list[tuple[bool, str]]:
    """Whether each tag of a list is weak, and its text. Empty members of the list are passed over.

    Raises:
        ValueError: this is no list of entity tags, or one without any.
    """
    tags: list[tuple[bool, str]] = []
    position, more = 0, True
    while more:
        found = _TAG.match(header, position)
        if not found:
            raise ValueError(f"no entity tag at {position}")
        if found[2] is not None:
            tags.append((found[1] is not None, found[2]))
        position, more = found.end(), found[3] == ","
    if not tags:
        raise ValueError("no entity tag")
    return tags
