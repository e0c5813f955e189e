"""What tells people: alerts by mail, log-based metrics, the dashboard (ops/), and the budget.

Google Cloud fills in what a file leaves out, so a file is not compared with what is there: the mark of the file that
was applied is kept beside it. What somebody changed in the console stays until the file changes.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import yaml

from tools.environments import ROOT
from tools.provision.cloud import Cloud
from tools.provision.project import describe

_OPS: Final = ROOT / "ops"
_MARK: Final = "wattle-file"
# A metric that was made just now: up to ten minutes, the first time.
_METRIC_NOT_KNOWN_YET: Final = r"[Cc]annot find metric|NOT_FOUND"


def channel(cloud: Cloud) -> None:
    address = cloud.environment.project["alertEmail"]
    if address and _channel(cloud) is None:
        cloud.change(
            f"alerts are mailed to {address}",
            *("beta", "monitoring", "channels", "create", "--type=email", "--display-name=Wattle"),
            f"--channel-labels=email_address={address}",
        )


def metrics(cloud: Cloud) -> None:
    there = {one["name"]: one for one in cloud.gcloud("logging", "metrics", "list")}
    for path in sorted((_OPS / "metrics").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        # A metric has no labels of its own for a mark.
        content["description"] = f"{content['description']} ({_MARK} {_mark(path)})"
        if there.get(path.stem, {}).get("description") != content["description"]:
            verb = "update" if path.stem in there else "create"
            cloud.change(
                f"metric {path.stem}",
                *("logging", "metrics", verb, path.stem, "--config-from-file=-"),
                given=json.dumps(content),
            )


def alerts(cloud: Cloud) -> None:
    there = {one["displayName"]: one for one in cloud.gcloud("alpha", "monitoring", "policies", "list")}
    mailed = _channel(cloud)
    for path in sorted((_OPS / "alerts").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["userLabels"] = {_MARK: _mark(path)}
        if mailed:
            content["notificationChannels"] = [mailed]
        found = there.get(content["displayName"])
        if found and found.get("userLabels") == content["userLabels"] and (
            found.get("notificationChannels", []) == content.get("notificationChannels", [])
        ):  # fmt: skip
            continue
        verb = ("update", found["name"]) if found else ("create",)
        cloud.change(
            f"alert {path.stem}",
            *("alpha", "monitoring", "policies", *verb, f"--policy={json.dumps(content)}"),
            until_known=_METRIC_NOT_KNOWN_YET,
        )


def dashboards(cloud: Cloud) -> None:
    there = {one["displayName"]: one for one in cloud.gcloud("monitoring", "dashboards", "list")}
    for path in sorted((_OPS / "dashboards").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        # A dashboard's labels are keys: their values must be empty.
        content["labels"] = {f"{_MARK}-{_mark(path)}": ""}
        found = there.get(content["displayName"])
        if found is None:
            cloud.change(f"dashboard {path.stem}", *_dashboards("create", content))
        elif found.get("labels") != content["labels"]:
            # An update has to name the version that it replaces.
            replacing = _dashboards("update", {**content, "etag": found["etag"]}, found["name"].rpartition("/")[2])
            cloud.change(f"dashboard {path.stem}", *replacing)


def budget(cloud: Cloud) -> None:
    """It mails who pays, and whom alerts are mailed to; it stops nothing."""
    account = cloud.environment.project["billingAccount"]
    if not account:
        return
    amount, currency = (cloud.environment.project["budget"][key] for key in ("amount", "currency"))
    name = f"Wattle {cloud.environment.alias} ({cloud.project_id})"
    wanted = {"currencyCode": currency, "units": str(amount)}
    there = cloud.gcloud("billing", "budgets", "list", f"--billing-account={account}")
    found = next((one for one in there if one.get("displayName") == name), None)
    money = f"--budget-amount={amount}{currency}"
    if found is None:
        number = describe(cloud)["projectNumber"]
        mailed = _channel(cloud)
        to = [f"--notifications-rule-monitoring-notification-channels={mailed}"] if mailed else []
        thresholds = ("percent=0.5", "percent=0.9", "percent=1.0", "percent=1.0,basis=forecasted-spend")
        cloud.change(
            f"budget of {amount} {currency} a month",
            *("billing", "budgets", "create", f"--billing-account={account}", f"--display-name={name}", money),
            *(f"--filter-projects=projects/{number}", "--calendar-period=month"),
            *(f"--threshold-rule={rule}" for rule in thresholds),
            *to,
        )
    elif {key: found["amount"].get("specifiedAmount", {}).get(key) for key in wanted} != wanted:
        cloud.change(f"budget of {amount} {currency} a month", "billing", "budgets", "update", found["name"], money)


def _channel(cloud: Cloud) -> str | None:
    address = cloud.environment.project["alertEmail"]
    if not address:
        return None
    for one in cloud.gcloud("beta", "monitoring", "channels", "list"):
        if one["type"] == "email" and one["labels"].get("email_address") == address:
            return str(one["name"])
    return None


def _dashboards(verb: str, content: dict[str, Any], *name: str) -> tuple[str, ...]:
    return ("monitoring", "dashboards", verb, *name, f"--config={json.dumps(content)}")


def _mark(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
