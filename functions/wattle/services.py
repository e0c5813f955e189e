"""Every service, wired once for a process and shared by its threads."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from wattle import config as configuration
from wattle.accounts.control import AccountControl
from wattle.accounts.lease import LeaseService
from wattle.accounts.service import AccountService
from wattle.accounts.sessions import SessionService
from wattle.adapters import telemetry
from wattle.adapters.app_check import JWKS_URL, AppCheckVerifier
from wattle.adapters.cloud_tasks import CloudTasks
from wattle.adapters.fcm import Fcm
from wattle.adapters.firebase import open_app
from wattle.adapters.firestore import Firestore
from wattle.adapters.firestore.client import open_channel
from wattle.adapters.identity import Identity
from wattle.adapters.identity_toolkit import IdentityToolkit
from wattle.adapters.keys import KeyStore, certificates, jwk_set
from wattle.adapters.tokens import CERTIFICATES_URL, TokenVerifier
from wattle.admin.service import AuditService
from wattle.admin.users import AdminUserService
from wattle.broadcasts.delivery import BroadcastDelivery, Tasks
from wattle.broadcasts.service import BroadcastService
from wattle.catalog.service import CatalogService
from wattle.config import REGION, Config
from wattle.dead_letters.service import DeadLetterService
from wattle.devices.service import DeviceService
from wattle.devices.subscriptions import SubscriptionService
from wattle.errors import Unavailable
from wattle.health.service import HealthService
from wattle.http.pagination import CursorSigner
from wattle.idempotency.service import IdempotencyService
from wattle.inbox.service import InboxService
from wattle.kit import logging as json_logs
from wattle.kit import tracing
from wattle.kit.clock import Clock
from wattle.kit.pace import Pace
from wattle.orders.service import OrderService
from wattle.privacy.erasure import ErasureService
from wattle.privacy.export import ExportService
from wattle.push.ledger import Ledger
from wattle.push.sender import Sender
from wattle.push.service import PushService
from wattle.rate_limits.service import RateLimitService
from wattle.screens.service import ScreenService
from wattle.users.deletion import DeletionService
from wattle.users.service import UserService

# Seconds that what is asked with an e-mail address takes at least: two calls to Identity Toolkit stay below.
_ANSWER_AFTER: Final = 1.5


class Services:
    """What endpoints, callables, triggers and tasks call. It takes its adapters, so that tests can bring their own."""

    def __init__(  # noqa: PLR0913 (the seams to the world, each once)
        self,
        config: Config,
        *,
        firestore: Firestore,
        identity: Identity,
        verifier: TokenVerifier,
        fcm: Fcm,
        app_check: AppCheckVerifier | None,
        tasks: Tasks,
        clock: Clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.config: Final = config
        self.clock: Final = clock
        self.verifier: Final = verifier
        self.app_check: Final = app_check
        self.cursors: Final = CursorSigner(config.signing_secret, config.former_signing_secret)
        self.rate_limits: Final = RateLimitService(
            firestore, clock, secret=config.signing_secret, scale=config.rate_limit_scale
        )
        self.sessions: Final = SessionService(firestore, clock)
        control = AccountControl(firestore, identity, self.sessions, LeaseService(firestore, clock))
        self.deletion: Final = DeletionService(firestore, control, clock, timedelta(days=config.deletion_grace))
        self.users: Final = UserService(firestore, self.deletion, clock)
        self.devices: Final = DeviceService(firestore, self.users, clock)
        self.subscriptions: Final = SubscriptionService(fcm, self.devices, self.users)
        self.accounts: Final = AccountService(
            identity,
            verifier,
            control=control,
            deletion=self.deletion,
            devices=self.devices,
            pace=Pace(_ANSWER_AFTER if config.auth_emulator is None else 0),
            confirmed_registration=config.confirmed_registration,
        )
        self.audit: Final = AuditService(firestore, clock)
        idempotency = IdempotencyService(clock)
        self.catalog: Final = CatalogService(firestore, idempotency=idempotency, audit=self.audit, clock=clock)
        self.orders: Final = OrderService(
            firestore,
            catalog=self.catalog,
            idempotency=idempotency,
            audit=self.audit,
            clock=clock,
            tax_rate=config.tax_rate,
        )
        self.admin_users: Final = AdminUserService(
            self.users, devices=self.devices, identity=identity, control=control, audit=self.audit
        )
        self.inbox: Final = InboxService(firestore, clock)
        self.screens: Final = ScreenService(self.users, self.orders, self.inbox)
        self.push: Final = PushService(
            Sender(fcm, pause),
            Ledger(firestore, self.inbox, clock),
            devices=self.devices,
            inbox=self.inbox,
            users=self.users,
            clock=clock,
            exempt=config.quiet_hours_exempt,
        )
        self.export: Final = ExportService(firestore, identity=identity, clock=clock)
        self.erasure: Final = ErasureService(
            firestore, identity=identity, sessions=self.sessions, devices=self.devices, clock=clock
        )
        self.broadcasts: Final = BroadcastService(
            firestore,
            push=self.push,
            devices=self.devices,
            idempotency=idempotency,
            audit=self.audit,
            clock=clock,
        )
        self.broadcast_delivery: Final = BroadcastDelivery(firestore, self.push, tasks, clock)
        self.dead_letters: Final = DeadLetterService(firestore, self.erasure, clock)
        self.health: Final = HealthService(firestore, config.version)


def connect(config: Config, clock: Clock) -> Services:
    """The services with the real adapters, those of the emulators where the settings name them."""
    channel, credentials = open_channel(config.firestore_emulator)
    identity = Identity(IdentityToolkit(config.project_id, config.web_api_key, config.auth_emulator))
    fcm = Fcm(config.project_id, config.fcm_emulator)
    # The last that may fail: the process keeps it, and there may be only one.
    app = open_app(config.project_id, emulated=config.auth_emulator is not None)
    return Services(
        config,
        firestore=Firestore(config.project_id, channel, credentials),
        identity=identity,
        verifier=TokenVerifier(
            config.project_id, None if config.auth_emulator else KeyStore(CERTIFICATES_URL, certificates)
        ),
        fcm=fcm,
        app_check=_app_check(config),
        tasks=CloudTasks(app, REGION, emulated=config.tasks_emulator is not None),
        clock=clock,
    )


def _app_check(config: Config) -> AppCheckVerifier | None:
    if config.app_check_project is None:
        return None
    return AppCheckVerifier(config.app_check_project, KeyStore(JWKS_URL, jwk_set))


class Process:
    """The services of this process, made at first use: firebase_functions' own init callbacks race (7 of 8 failed)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._services: Services | None = None

    def services(self) -> Services:
        """The services, the same for every caller.

        Raises:
            ConfigError: settings are missing or wrong. It is raised again at each call until they are mended.
            Unavailable: Google did not tell who we are, as at a start without its metadata server. The next call
                connects anew.
        """
        if self._services is None:
            with self._lock:
                if self._services is None:
                    config = configuration.read()
                    json_logs.configure(config.log_level)
                    if config.tracing:
                        tracing.use(telemetry.exporting("wattle", config.version))
                    try:
                        self._services = connect(config, self._clock)
                    except Exception as error:
                        raise Unavailable("Google Cloud") from error
        return self._services
