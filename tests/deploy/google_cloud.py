"""What stands in for Google Cloud: gcloud and firebase, as far as Wattle calls them, over a state in a JSON file.

It is strict where the real ones are: a command or flag that gcloud does not have is refused (gcloud_commands.json, out
of gcloud's own table of its commands, with its version), and so is what needs something that is not there: an API that
is off, an account that nobody made. What was made just now is at first not known, as IAM and Monitoring have it.

As a program, `google_cloud.py gcloud ...` and `google_cloud.py firebase ...`, for the PATH; in a test, `call`.
"""

import json
import os
import sys
from pathlib import Path

KNOWN = json.loads(Path(__file__).with_name("gcloud_commands.json").read_text())
NUMBER = "123456789012"
# The API that a command needs, by how it begins.
APIS = {
    "firestore": "firestore", "artifacts": "artifactregistry", "iam": "iam", "secrets": "secretmanager",
    "beta monitoring": "monitoring", "alpha monitoring": "monitoring", "monitoring": "monitoring",
    "logging": "logging", "run": "run", "billing budgets": "billingbudgets",
}  # fmt: skip


class Refused(Exception):
    """The command fails; the message goes to the standard error."""


class GoogleCloud:
    """An empty project, as `gcloud projects create` leaves it, and what was made in it."""

    def __init__(self, project_id="wattle-dev-1234"):
        self.project_id = project_id
        self.labels = {}
        self.billing = None
        self.apis = [
            "serviceusage.googleapis.com",
            "cloudresourcemanager.googleapis.com",
            "cloudbilling.googleapis.com",
        ]
        self.policy = [{"role": "roles/owner", "members": ["user:owner@example.com"]}]
        self.policies = {}
        self.roles = {}
        self.accounts = []
        self.secrets = {}
        self.databases = []
        self.schedules = []
        self.repositories = []
        self.channels = []
        self.metrics = {}
        self.alerts = []
        self.dashboards = []
        self.budgets = []
        self.pools = []
        self.providers = []
        self.firebase_added = False
        self.apps = []
        self.sites = []
        self.users = []
        self.functions = []
        self.indexes = []
        self.fields = []
        self.deployments = []
        self.services = {}
        self.new = []
        self.calls = []

    def call(self, program, arguments, given=None):
        """What the command prints."""
        self.calls.append([program, *arguments])
        return self._gcloud(arguments, given) if program == "gcloud" else self._firebase(arguments)

    def rest(self, url, project_id, _, body):
        """A REST answer, None for 404."""
        identity = "https://identitytoolkit.googleapis.com"
        match url.removeprefix(identity):
            case path if path == f"/admin/v2/projects/{project_id}/config":
                return {"signIn": {"email": {"enabled": True}}} if "auth" in self.deployments else None
            case path if path == f"/v1/projects/{project_id}/accounts:lookup":
                found = [user for user in self.users if user["email"] in body["email"]]
                return {"users": found} if found else {}
            case path if path == f"/v1/projects/{project_id}/accounts:update":
                (user,) = (user for user in self.users if user["localId"] == body["localId"])
                user.update(body)
                return {"localId": body["localId"]}
        raise AssertionError(url)

    # gcloud

    def _gcloud(self, arguments, given):
        words = [word for word in arguments if not word.startswith("-")]
        command = next(
            (" ".join(words[:n]) for n in range(len(words), 0, -1) if " ".join(words[:n]) in KNOWN["commands"]), None
        )
        if command is None:
            raise Refused(f"ERROR: (gcloud) Invalid choice: {' '.join(words[:4])!r}.")
        options = {}
        for word in arguments:
            if word.startswith("-"):
                flag, _, value = word.partition("=")
                plain = flag.replace("--no-", "--", 1)
                if plain not in KNOWN["commands"][command] and plain not in KNOWN["wide"]:
                    raise Refused(f"ERROR: (gcloud.{command}) unrecognized arguments: {flag}")
                options.setdefault(plain, []).append(value if plain == flag else "off")
        if options.get("--project") != [self.project_id] or "--quiet" not in options:
            raise Refused("ERROR: this machine's own project or a question would decide")
        for prefix, api in APIS.items():
            if command.startswith(prefix) and f"{api}.googleapis.com" not in self.apis:
                raise Refused(f"ERROR: API [{api}.googleapis.com] not enabled on project [{self.project_id}].")
        handler = getattr(self, "_" + command.replace(" ", "_").replace("-", "_"))
        positional = words[len(command.split()) :]
        self._value = given
        return json.dumps(handler(positional, {flag: values[-1] for flag, values in options.items()}) or [])

    def _not_known_at_first(self, thing):
        """True once, for something that was just made."""
        if thing in self.new:
            self.new.remove(thing)
            return True
        return False

    def _projects_describe(self, names, _):
        if names != [self.project_id]:
            raise Refused("ERROR: (gcloud.projects.describe) PERMISSION_DENIED: The caller does not have permission")
        return {"projectId": self.project_id, "projectNumber": NUMBER, "labels": self.labels}

    def _alpha_projects_update(self, _, options):
        self.labels |= dict([options["--update-labels"].split("=")])

    def _billing_projects_describe(self, *_):
        return {"billingEnabled": self.billing is not None}

    def _billing_projects_link(self, _, options):
        self.billing = options["--billing-account"]

    def _services_list(self, *_):
        return [{"config": {"name": name}} for name in self.apis]

    def _services_enable(self, names, _):
        if self.billing is None:
            raise Refused("ERROR: FAILED_PRECONDITION: Billing account for project is not found.")
        if len(names) > 20:
            raise Refused("ERROR: INVALID_ARGUMENT: too many services")
        self.apis += [name for name in names if name not in self.apis]
        default = f"{NUMBER}-compute@developer.gserviceaccount.com"
        if "compute.googleapis.com" in names and default not in self.accounts:
            self.accounts.append(default)

    def _beta_services_identity_create(self, *_):
        pass

    def _bind(self, policy, options):
        role, member = options["--role"], options["--member"]
        if member.startswith("serviceAccount:") and "gcp-sa" not in member and "compute@" not in member:
            email = member.partition(":")[2]
            if email not in self.accounts or self._not_known_at_first(email):
                raise Refused(f"ERROR: INVALID_ARGUMENT: Service account {email} does not exist.")
        if role.startswith("projects/") and role.rpartition("/")[2] not in self.roles:
            raise Refused(f"ERROR: INVALID_ARGUMENT: Role {role} is not supported.")
        binding = next((one for one in policy if one["role"] == role), None)
        if binding is None:
            policy.append({"role": role, "members": [member]})
        elif member not in binding["members"]:
            binding["members"].append(member)

    def _projects_get_iam_policy(self, *_):
        return {"bindings": self.policy}

    def _projects_add_iam_policy_binding(self, _, options):
        if options.get("--condition") != "None":
            raise Refused("ERROR: a condition has to be chosen, or None")
        self._bind(self.policy, options)

    def _projects_remove_iam_policy_binding(self, _, options):
        for binding in self.policy:
            if binding["role"] == options["--role"]:
                binding["members"].remove(options["--member"])

    def _iam_roles_list(self, *_):
        return [{"name": f"projects/{self.project_id}/roles/{name}"} for name in self.roles]

    def _iam_roles_describe(self, names, _):
        return {"includedPermissions": self.roles[names[0]]}

    def _iam_roles_create(self, names, options):
        if names[0] in self.roles:
            raise Refused("ERROR: ALREADY_EXISTS")
        self.roles[names[0]] = options["--permissions"].split(",")

    def _iam_roles_update(self, names, options):
        self.roles[names[0]] = options["--permissions"].split(",")

    def _iam_service_accounts_list(self, *_):
        return [{"email": email} for email in self.accounts]

    def _iam_service_accounts_create(self, names, _):
        email = f"{names[0]}@{self.project_id}.iam.gserviceaccount.com"
        if not 6 <= len(names[0]) <= 30:
            raise Refused("ERROR: the ID must be 6 to 30 characters")
        if email in self.accounts:
            raise Refused("ERROR: ALREADY_EXISTS")
        self.accounts.append(email)
        self.new.append(email)

    def _iam_service_accounts_get_iam_policy(self, names, _):
        return {"bindings": self.policies.get(names[0], [])}

    def _iam_service_accounts_add_iam_policy_binding(self, names, options):
        self._bind(self.policies.setdefault(names[0], []), options)

    def _secrets_list(self, *_):
        return [{"name": f"projects/{NUMBER}/secrets/{name}"} for name in self.secrets]

    def _secrets_create(self, names, options):
        if names[0] in self.secrets:
            raise Refused("ERROR: ALREADY_EXISTS")
        assert options["--replication-policy"] == "user-managed"
        self.secrets[names[0]] = {"versions": [], "policy": []}

    def _secrets_versions_list(self, names, _):
        return [{"name": str(n), "state": "ENABLED"} for n, _ in enumerate(self.secrets[names[0]]["versions"])]

    def _secrets_versions_add(self, names, options):
        assert options["--data-file"] == "-"
        self.secrets[names[0]]["versions"].append(self._value)

    def _secrets_get_iam_policy(self, names, _):
        return {"bindings": self.secrets[names[0]]["policy"]}

    def _secrets_add_iam_policy_binding(self, names, options):
        self._bind(self.secrets[names[0]]["policy"], options)

    def _firestore_databases_list(self, *_):
        return self.databases

    def _firestore_databases_create(self, _, options):
        if self.databases:
            raise Refused("ERROR: ALREADY_EXISTS: Database already exists.")
        self.databases.append({
            "name": f"projects/{self.project_id}/databases/{options['--database']}",
            "locationId": options["--location"], "type": options["--type"].upper().replace("-", "_"),
        })  # fmt: skip
        self._firestore_databases_update(None, options)

    def _firestore_databases_update(self, _, options):
        states = {"--delete-protection": ("deleteProtectionState", "DELETE_PROTECTION"),
                  "--enable-pitr": ("pointInTimeRecoveryEnablement", "POINT_IN_TIME_RECOVERY")}  # fmt: skip
        for flag, (key, state) in states.items():
            if flag in options:
                self.databases[0][key] = f"{state}_{'DISABLED' if options[flag] == 'off' else 'ENABLED'}"

    def _firestore_backups_schedules_list(self, *_):
        return self.schedules

    def _firestore_backups_schedules_create(self, _, options):
        seconds = {"d": 86400, "w": 604800}[options["--retention"][-1]] * int(options["--retention"][:-1])
        if seconds > 14 * 604800:
            raise Refused("ERROR: INVALID_ARGUMENT: retention")
        key = f"{options['--recurrence']}Recurrence"
        if any(key in one for one in self.schedules):
            raise Refused("ERROR: ALREADY_EXISTS")
        self.schedules.append({"name": f"x/backupSchedules/{key}", key: {}, "retention": f"{seconds}s"})

    def _firestore_backups_schedules_update(self, _, options):
        (found,) = (one for one in self.schedules if one["name"].endswith(options["--backup-schedule"]))
        found["retention"] = f"{int(options['--retention'][:-1]) * 86400}s"

    def _firestore_indexes_composite_list(self, *_):
        for index in self.indexes:
            index["polls"] -= 1
        return [{**index, "state": "CREATING" if index["polls"] > 0 else index["state"]} for index in self.indexes]

    def _firestore_indexes_fields_list(self, *_):
        return self.fields

    def _artifacts_repositories_list(self, *_):
        return self.repositories

    def _artifacts_repositories_create(self, names, options):
        assert options["--repository-format"] == "docker"
        self.repositories.append({"name": f"x/repositories/{names[0]}"})

    def _artifacts_repositories_set_cleanup_policies(self, _, options):
        policies = json.loads(Path(options["--policy"]).read_text())
        self.repositories[0]["cleanupPolicies"] = {one["name"]: one for one in policies}

    def _beta_monitoring_channels_list(self, *_):
        return self.channels

    def _beta_monitoring_channels_create(self, _, options):
        labels = dict([options["--channel-labels"].split("=")])
        self.channels.append(
            {"name": f"x/notificationChannels/{len(self.channels)}", "type": "email", "labels": labels}
        )

    def _logging_metrics_list(self, *_):
        return list(self.metrics.values())

    def _logging_metrics_create(self, names, _):
        self.metrics[names[0]] = {"name": names[0], **json.loads(self._value)}
        self.new.append(names[0])

    def _logging_metrics_update(self, names, _):
        self.metrics[names[0]] = {"name": names[0], **json.loads(self._value)}

    def _alpha_monitoring_policies_list(self, *_):
        return self.alerts

    def _alpha_monitoring_policies_create(self, _, options):
        policy = json.loads(options["--policy"])
        for name in self.metrics:
            if f"user/{name}" in options["--policy"] and self._not_known_at_first(name):
                raise Refused(f"ERROR: NOT_FOUND: Cannot find metric that matches type = user/{name}")
        self.alerts.append({"name": f"x/alertPolicies/{len(self.alerts)}", "creationRecord": {}, **policy})

    def _alpha_monitoring_policies_update(self, names, options):
        (found,) = (one for one in self.alerts if one["name"] == names[0])
        found.update(json.loads(options["--policy"]))

    def _monitoring_dashboards_list(self, *_):
        return self.dashboards

    def _monitoring_dashboards_create(self, _, options):
        self.dashboards.append({"name": "x/dashboards/one", "etag": "1", **json.loads(options["--config"])})

    def _monitoring_dashboards_update(self, names, options):
        content = json.loads(options["--config"])
        (found,) = (one for one in self.dashboards if one["name"].endswith(names[0]))
        if content["etag"] != found["etag"]:
            raise Refused("ERROR: ABORTED: etag")
        found.update({**content, "etag": str(int(found["etag"]) + 1)})

    def _billing_budgets_list(self, *_):
        return self.budgets

    def _billing_budgets_create(self, _, options):
        self._budget = {"name": "billingAccounts/x/budgets/1", "displayName": options["--display-name"]}
        self.budgets.append(self._budget | self._amount(options))

    def _billing_budgets_update(self, _, options):
        self.budgets[0].update(self._amount(options))

    @staticmethod
    def _amount(options):
        amount = options["--budget-amount"]
        return {"amount": {"specifiedAmount": {"currencyCode": amount[-3:], "units": amount[:-3]}}}

    def _iam_workload_identity_pools_list(self, *_):
        return [{"name": f"x/workloadIdentityPools/{name}"} for name in self.pools]

    def _iam_workload_identity_pools_create(self, names, _):
        self.pools.append(names[0])

    def _iam_workload_identity_pools_providers_list(self, *_):
        return self.providers

    def _iam_workload_identity_pools_providers_create_oidc(self, names, options):
        assert options["--workload-identity-pool"] in self.pools
        self.providers.append({"name": f"x/providers/{names[0]}", **self._provider(options)})

    def _iam_workload_identity_pools_providers_update_oidc(self, _, options):
        self.providers[0].update(self._provider(options))

    @staticmethod
    def _provider(options):
        mapping = dict(pair.split("=", 1) for pair in options["--attribute-mapping"].split(","))
        return {"attributeCondition": options["--attribute-condition"], "attributeMapping": mapping}

    def _run_services_describe(self, names, _):
        status = {name: self.services[names[0]][name] for name in ("url", "traffic") if name in self.services[names[0]]}
        return {"metadata": {"name": names[0]}, "status": status}

    def _run_services_get_iam_policy(self, names, _):
        return {"bindings": self.services[names[0]]["policy"]}

    def _run_services_add_iam_policy_binding(self, names, options):
        if names[0] not in self.services:
            raise Refused("ERROR: NOT_FOUND: Resource was not found")
        self._bind(self.services[names[0]]["policy"], options)

    # firebase

    def _firebase(self, arguments):
        words = [word for word in arguments if not word.startswith("-")]
        if "--non-interactive" not in arguments:
            raise Refused("Error: a question would decide")
        if not self.firebase_added and words[0] not in ("projects:list", "projects:addfirebase"):
            raise Refused(f"Error: {self.project_id} is no Firebase project")
        result = getattr(self, "_firebase_" + words[0].replace(":", "_"))(words[1:], arguments)
        return json.dumps({"status": "success", "result": result})

    def _firebase_projects_list(self, *_):
        return [{"projectId": self.project_id}] if self.firebase_added else []

    def _firebase_projects_addfirebase(self, *_):
        self.firebase_added = True

    def _firebase_apps_list(self, words, _):
        return [app for app in self.apps if not words or app["platform"] == words[0]]

    def _firebase_apps_create(self, words, _):
        platform, _, *namespace = words[0], words[1], *words[2:]
        self.apps.append({"appId": f"1:{len(self.apps)}", "platform": platform, "namespace": (namespace or [None])[0]})

    def _firebase_apps_sdkconfig(self, *_):
        return {
            "fileName": "google-config.js",
            "sdkConfig": {"projectId": self.project_id, "apiKey": "the-web-api-key"},
        }

    def _firebase_hosting_sites_list(self, *_):
        return {"sites": [{"name": f"projects/x/sites/{name}"} for name in self.sites]}

    def _firebase_hosting_sites_create(self, words, _):
        self.sites.append(words[0])

    def _firebase_functions_list(self, *_):
        return [{"id": name, "region": "australia-southeast1"} for name in self.functions]

    def _firebase_deploy(self, _, arguments):
        only = arguments[arguments.index("--only") + 1]
        if only in os.environ.get("FAILING_DEPLOYMENTS", "").split():
            raise Refused(f"Error: {only} could not be deployed")
        self.deployments.append(only)


def main():
    """One command, over the state in the file that GOOGLE_CLOUD_STATE names."""
    path = Path(os.environ["GOOGLE_CLOUD_STATE"])
    cloud = GoogleCloud()
    vars(cloud).update(json.loads(path.read_text()))
    try:
        given = None if sys.stdin.isatty() else sys.stdin.read()
        sys.stdout.write(cloud.call(sys.argv[1], sys.argv[2:], given))
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(1)
    finally:
        kept = {name: value for name, value in vars(cloud).items() if not name.startswith("_")}
        path.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
