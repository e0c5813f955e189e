"""Which file a project's Firestore rules are in."""

from pathlib import Path

from firesuite.errors import SuiteError
from firesuite.files import entries, read_firebase_json

_DEFAULT_DATABASE = "(default)"
_WITHOUT_FIREBASE_JSON = Path("rules", "firestore.rules")


def project_rules(directory: Path) -> Path:
    """What the firebase.json in `directory`, or the nearest one above it, names for the default database, or for the
    first where it is none of several; without a firebase.json, rules/firestore.rules.

    Below the current directory it is relative to that. Raises SuiteError where firebase.json names none.
    """
    directory = directory.resolve()
    holder = next((each for each in (directory, *directory.parents) if (each / "firebase.json").is_file()), None)
    if holder is None:
        return _shown(directory / _WITHOUT_FIREBASE_JSON)
    path = holder / "firebase.json"
    databases = entries(read_firebase_json(path), "firestore")
    of_default = [each for each in databases if each.get("database", _DEFAULT_DATABASE) == _DEFAULT_DATABASE]
    for database in of_default or databases[:1]:
        if isinstance(rules := database.get("rules"), str):
            return _shown(holder / rules)
    raise SuiteError(f"{path} names no firestore.rules: name the file with --rules, in pytest with --rules-file.")


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
