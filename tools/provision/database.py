"""Firestore: where it is, how far back it can be read, and its backups. Indexes and TTL are firebase's to deploy."""

from typing import Any, Final

from tools.provision.cloud import Cloud, CommandFailed
from wattle.config import REGION

_DATABASE: Final = "--database=(default)"
_DAY: Final = 86_400
_WEEK: Final = 7 * _DAY


def database(cloud: Cloud) -> None:
    wanted = cloud.environment.project["firestore"]
    switches = {
        "delete-protection": wanted["deleteProtection"],
        "enable-pitr": wanted["pointInTimeRecovery"],
    }
    found = next((one for one in cloud.gcloud("firestore", "databases", "list") if _id(one) == "(default)"), None)
    if found is None:
        on = [f"--{switch}" for switch, set_ in switches.items() if set_]
        cloud.change(
            f"Firestore in {REGION}",
            *("firestore", "databases", "create", _DATABASE, f"--location={REGION}", "--type=firestore-native", *on),
        )
        return
    if found["locationId"] != REGION or found["type"] != "FIRESTORE_NATIVE":
        raise CommandFailed(
            f"The database of {cloud.project_id} is {found['type']} in {found['locationId']}; neither can be changed"
            f" afterwards: take another project, or delete the database and its data first."
        )
    are = {
        "delete-protection": found.get("deleteProtectionState") == "DELETE_PROTECTION_ENABLED",
        "enable-pitr": found.get("pointInTimeRecoveryEnablement") == "POINT_IN_TIME_RECOVERY_ENABLED",
    }
    changed = [f"--{'' if set_ else 'no-'}{switch}" for switch, set_ in switches.items() if are[switch] != set_]
    if changed:
        cloud.change(f"Firestore: {' '.join(changed)}", "firestore", "databases", "update", _DATABASE, *changed)


def backups(cloud: Cloud) -> None:
    """One schedule a day and one a week at most: that is Firestore's own limit."""
    wanted = cloud.environment.project["firestore"]["backups"]
    schedules = cloud.gcloud("firestore", "backups", "schedules", "list", _DATABASE) if _is_there(cloud) else []
    for recurrence, kept in wanted.items():
        found = next((one for one in schedules if f"{recurrence}Recurrence" in one), None)
        command = ("firestore", "backups", "schedules")
        if found is None:
            on = ["--day-of-week=SUN"] if recurrence == "weekly" else []
            cloud.change(
                f"{recurrence} backups, kept {kept}",
                *(*command, "create", _DATABASE, f"--recurrence={recurrence}", f"--retention={kept}", *on),
            )
        elif found["retention"] != f"{_seconds(kept)}s":
            schedule = f"--backup-schedule={found['name'].rpartition('/')[2]}"
            cloud.change(
                f"{recurrence} backups, kept {kept}", *command, "update", _DATABASE, schedule, f"--retention={kept}"
            )


def _is_there(cloud: Cloud) -> bool:
    return any(_id(one) == "(default)" for one in cloud.gcloud("firestore", "databases", "list"))


def _id(database: dict[str, Any]) -> str:
    return str(database["name"]).rpartition("/")[2]


def _seconds(kept: str) -> int:
    return int(kept[:-1]) * {"d": _DAY, "w": _WEEK}[kept[-1]]
