"""Settings: everything that is wrong in one message, and no production with an emulator's settings."""

import pytest

from wattle import config
from wattle.config import ConfigError

GOOD = {"GCLOUD_PROJECT": "wattle-prod", "WEB_API_KEY": "key", "SIGNING_SECRET": "s" * 32}
EMULATORS = (
    "FIRESTORE_EMULATOR_HOST",
    "FIREBASE_AUTH_EMULATOR_HOST",
    "FCM_EMULATOR_HOST",
    "FIREBASE_STORAGE_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "CLOUD_TASKS_EMULATOR_HOST",
)


def problems(environment) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.read(environment)
    head, *lines = str(caught.value).splitlines()
    assert head == "Wattle cannot start:"
    return [line.removeprefix("- ") for line in lines]


def test_the_defaults():
    settings = config.read(GOOD)
    assert (settings.project_id, settings.tax_rate, settings.log_level) == ("wattle-prod", 1000, "INFO")
    assert (settings.production, settings.version) == (False, "local")
    assert (settings.firestore_emulator, settings.auth_emulator, settings.fcm_emulator) == (None, None, None)


@pytest.mark.parametrize(
    ("registration", "confirmed", "proven"),
    [("", True, False), ("confirmed", True, False), ("proven", True, True), ("immediate", False, False)],
)
def test_how_people_come_to_their_accounts(registration, confirmed, proven):
    settings = config.read({**GOOD, "REGISTRATION": registration})
    assert (settings.confirmed_registration, settings.proven_addresses) == (confirmed, proven)


def test_an_empty_variable_is_one_that_is_not_set():
    assert config.read({**GOOD, "FIRESTORE_EMULATOR_HOST": "", "LOG_LEVEL": ""}).firestore_emulator is None


@pytest.mark.parametrize(
    "names",
    [
        {"GCLOUD_PROJECT": "p"},
        {"GOOGLE_CLOUD_PROJECT": "p"},
        {"FIREBASE_CONFIG": '{"projectId": "p"}'},
    ],
)
def test_the_project_is_found_where_the_platform_puts_it(names):
    rest = {name: value for name, value in GOOD.items() if name != "GCLOUD_PROJECT"}
    assert config.read({**rest, **names}).project_id == "p"


@pytest.mark.parametrize("value", ["", "{", "[]", "{}", '{"projectId": 3}'])
def test_a_firebase_config_without_a_project_names_none(value):
    rest = {name: value for name, value in GOOD.items() if name != "GCLOUD_PROJECT"}
    (problem,) = problems({**rest, "FIREBASE_CONFIG": value})
    assert problem.startswith("no project")


def test_every_problem_is_named_at_once():
    found = problems({"SIGNING_SECRET": "short", "TAX_RATE_BASIS_POINTS": "ten", "LOG_LEVEL": "LOUD"})
    assert [problem.split()[0] for problem in found] == [
        "no",
        "WEB_API_KEY",
        "SIGNING_SECRET",
        "TAX_RATE_BASIS_POINTS",
        "LOG_LEVEL",
    ]


def test_a_secret_is_never_in_the_message():
    (problem,) = problems({**GOOD, "SIGNING_SECRET": "hush"})
    assert "hush" not in problem


def test_a_secret_that_is_being_given_up_stands_behind_the_present_one():
    settings = config.read({**GOOD, "SIGNING_SECRET": f"{'n' * 32}\n{'f' * 32}\n"})
    assert (settings.signing_secret, settings.former_signing_secret) == ("n" * 32, "f" * 32)
    assert config.read(GOOD).former_signing_secret is None
    assert problems({**GOOD, "SIGNING_SECRET": f"{'n' * 32}\nshort"})[0].startswith("SIGNING_SECRET is shorter")
    assert problems({**GOOD, "SIGNING_SECRET": "\n".join(["s" * 32] * 3)})[0].startswith(
        "SIGNING_SECRET holds 3 secrets"
    )


@pytest.mark.parametrize("rate", ["-1", "10001", "1.5", "1e3", "\u0661"])
def test_a_tax_rate_is_in_basis_points(rate):
    (problem,) = problems({**GOOD, "TAX_RATE_BASIS_POINTS": rate})
    assert problem.startswith("TAX_RATE_BASIS_POINTS")


class TestProduction:
    production = GOOD | {"K_SERVICE": "api", "K_REVISION": "api-00007"}

    def test_it_is_known_by_the_service_of_cloud_run(self):
        settings = config.read(self.production)
        assert (settings.production, settings.version) == (True, "api-00007")

    @pytest.mark.parametrize("name", EMULATORS)
    def test_no_emulator_may_be_named(self, name):
        (problem,) = problems({**self.production, name: "127.0.0.1:1"})
        assert problem.startswith(f"{name} is set")

    def test_all_of_them_are_named_together_with_what_is_missing(self):
        found = problems({"K_SERVICE": "api", **dict.fromkeys(EMULATORS, "127.0.0.1:1")})
        assert [problem.split()[0] for problem in found] == [*EMULATORS, "no", "WEB_API_KEY", "SIGNING_SECRET"]

    def test_the_functions_emulator_is_no_production(self):
        settings = config.read({**self.production, "FUNCTIONS_EMULATOR": "true", "FIRESTORE_EMULATOR_HOST": "h:1"})
        assert (settings.production, settings.firestore_emulator) == (False, "h:1")

    @pytest.mark.parametrize("value", ["false", "1", "TRUE"])
    def test_only_the_word_of_firebase_tools_makes_it_the_emulator(self, value):
        (problem,) = problems({**self.production, "FUNCTIONS_EMULATOR": value, "FIREBASE_AUTH_EMULATOR_HOST": "h:1"})
        assert problem.startswith("FIREBASE_AUTH_EMULATOR_HOST")


class TestMiddleware:
    def test_what_is_not_set_is_off(self):
        settings = config.read(GOOD)
        assert (settings.allowed_origins, settings.min_app_version, settings.maintenance) == (frozenset(), None, None)
        assert (settings.app_check_project, settings.tracing) == (None, False)
        assert (settings.rate_limit_scale, settings.trusted_proxies) == (1, 0)

    def test_what_is_set_is_understood(self):
        settings = config.read(
            {
                **GOOD,
                "ALLOWED_ORIGINS": "https://a.example, http://localhost:3000,",
                "MIN_APP_VERSION": "1.2",
                "MAINTENANCE": "2027-01-31T04:00:00Z",
                "APP_CHECK_PROJECT_NUMBER": "123",
                "TRACING": "on",
            }
        )
        assert settings.allowed_origins == {"https://a.example", "http://localhost:3000"}
        assert settings.min_app_version == (1, 2, 0, 0)
        assert settings.maintenance.until.isoformat() == "2027-01-31T04:00:00+00:00"
        assert (settings.app_check_project, settings.tracing) == ("123", True)

    @pytest.mark.parametrize(("value", "on"), [("", False), ("false", False), ("true", True)])
    def test_maintenance_without_an_end(self, value, on):
        assert (config.read({**GOOD, "MAINTENANCE": value}).maintenance is not None) is on

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("ALLOWED_ORIGINS", "*"),
            ("ALLOWED_ORIGINS", "https://a.example/"),
            ("ALLOWED_ORIGINS", "a.example"),
            ("ALLOWED_ORIGINS", "https://*.example"),
            ("ALLOWED_ORIGINS", "null"),
            ("MIN_APP_VERSION", "latest"),
            ("MAINTENANCE", "yes"),
            ("MAINTENANCE", "2027-01-31T04:00:00"),
            ("APP_CHECK_PROJECT_NUMBER", "wattle-prod"),
            ("RATE_LIMIT_SCALE", "0"),
            ("TRUSTED_PROXIES", "-1"),
            ("TRACING", "maybe"),
        ],
    )
    def test_what_is_wrong_is_named(self, name, value):
        (problem,) = problems({**GOOD, name: value})
        assert name in problem
