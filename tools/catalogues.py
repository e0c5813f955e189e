"""The message catalogues, `functions/wattle/locale/{language}/LC_MESSAGES/push.po`, and their compiled form `.mo`.

A translator edits the `.po` files. The texts that they have to translate are marked with `_` or `gettext_noop` in the
source. To add a language, copy a catalogue into a directory of its name and empty the translations.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from wattle.push.catalogue import DIRECTORY, DOMAIN

_SOURCE = DIRECTORY.parent


def run(*, check: bool) -> int:
    """Bring the catalogues up to date with the source, or only compare; 1 when something is not as it should be."""
    problems = [
        problem for path in sorted(DIRECTORY.glob(f"*/LC_MESSAGES/{DOMAIN}.po")) for problem in _one(path, check)
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _one(path: Path, check: bool) -> list[str]:  # noqa: FBT001 (private, and named at its one call)
    language = path.parent.parent.name
    text = path.read_text(encoding="utf-8")
    catalogue = read_po(io.StringIO(text), locale=language, domain=DOMAIN)
    template = Catalog(domain=DOMAIN, creation_date=catalogue.creation_date)
    for name, _line, message, comments, _context in extract_from_dir(_SOURCE, keywords={"_": None}):
        template.add(message, locations=[(f"wattle/{name}", 0)], auto_comments=comments)
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalogue, width=120, sort_output=True, no_location=True)
    write_mo(mo, catalogue)
    compiled = path.with_suffix(".mo")
    problems = [
        f"{path}: {message.id!r} has no translation" for message in catalogue if message.id and not message.string
    ]
    if check:
        if po.getvalue().decode() != text or not compiled.exists() or compiled.read_bytes() != mo.getvalue():
            problems.append(f"{path} does not match the source: run `make catalogues` and commit it")
        return problems
    path.write_bytes(po.getvalue())
    compiled.write_bytes(mo.getvalue())
    return problems
