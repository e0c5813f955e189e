"""The images that functions are built into, and how long they are kept."""

from typing import Final

from tools.environments import ROOT
from tools.provision.cloud import Cloud
from wattle.config import REGION

# Cloud Functions' own name for it.
_REPOSITORY: Final = "gcf-artifacts"
_POLICY: Final = ROOT / "ops" / "images.json"


def repository(cloud: Cloud) -> None:
    """With a policy from the start: without one firebase ends its first deployment in CI with an error. Nobody can go
    back to an image that is gone, so those of the last three deployments stay, however old."""
    where = f"--location={REGION}"
    there = cloud.gcloud("artifacts", "repositories", "list", where)
    found = next((one for one in there if one["name"].rpartition("/")[2] == _REPOSITORY), None)
    if found is None:
        cloud.change(
            f"repository {_REPOSITORY}",
            *("artifacts", "repositories", "create", _REPOSITORY, where, "--repository-format=docker"),
        )
    if found is None or not found.get("cleanupPolicies"):
        cloud.change(
            "old images are removed",
            *("artifacts", "repositories", "set-cleanup-policies", _REPOSITORY, where, f"--policy={_POLICY}"),
        )
