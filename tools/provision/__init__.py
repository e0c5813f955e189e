"""`make provision PROJECT=dev`: everything of an environment's project that is there before Wattle is deployed to it.

`STEPS` is the whole list, in the order in which one needs another. Each looks at what is there and changes what is not
as the files say (ops/, firebase.json), so that it can be run again at any time, and after being killed at any point.
"""

import sys
from collections.abc import Callable
from typing import Final

from firesuite.errors import SuiteError
from tools.environments import Environment, UnknownEnvironment
from tools.provision import database, identities, images, pipeline, project, watching
from tools.provision.cloud import Cloud, CommandFailed, Pending, alone

Step = Callable[[Cloud], None]
# Without these nothing can be deployed; `make deploy` looks whether they are done.
REQUIRED: Final[tuple[Step, ...]] = (
    project.billing,
    project.apis,
    project.label,
    project.firebase,
    project.hosting,
    database.database,
    images.repository,
    identities.custom_roles,
    identities.accounts,
    identities.roles,
    identities.acting_as_itself,
    identities.secret,
    identities.service_agents,
)
STEPS: Final[tuple[Step, ...]] = (
    *REQUIRED,
    identities.surplus_roles,
    project.apps,
    project.web_api_key,
    project.sign_in,
    database.backups,
    watching.channel,
    watching.metrics,
    watching.alerts,
    watching.dashboards,
    pipeline.deployer,
    pipeline.federation,
    # Last, because it needs a role on the billing account, which not everybody has who owns the project.
    watching.budget,
)


def run(*, project: str, plan: bool) -> int:
    """Make it so, or with `plan` only say what would be made. 1 when something failed."""
    try:
        cloud = Cloud(Environment.load(project), apply=not plan)
        with alone():
            complete = carry_out(cloud, STEPS)
    except (UnknownEnvironment, SuiteError, CommandFailed) as error:
        print(f"provision: {error}", file=sys.stderr)
        print("What was made stays; run it again when this is mended.", file=sys.stderr)
        return 1
    if not complete:
        print("What follows can be seen only when this is there.")
    elif not cloud.changes:
        print(f"{cloud.project_id} is as the files say: nothing to change.")
    else:
        print(f"{len(cloud.changes)} {'to change' if plan else 'changed'} in {cloud.project_id}.")
    return 0


def carry_out(cloud: Cloud, steps: tuple[Step, ...]) -> bool:
    """Whether every step was taken; looking only, what is missing may hide what comes after it.

    Raises:
        CommandFailed.
    """
    try:
        for step in steps:
            step(cloud)
    except Pending:
        return False
    return True
