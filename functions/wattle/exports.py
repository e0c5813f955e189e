"""How each kind of function is deployed, and connected to the services. main.py names them, one a row.

What is not set here goes back to the platform's default at each deployment, so everything is set.

Deployed, each function is a service of its own: its process says by FUNCTION_TARGET which. What the others need is not
loaded then: google-cloud-firestore alone, for events, is 200 modules that each start of the API would wait for.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache, wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from firebase_functions import https_fn, options, params
from flask import Request, Response, current_app, has_app_context

from wattle.config import REGION
from wattle.dead_letters.repository import COLLECTION as DEAD_LETTERS
from wattle.failures import reported
from wattle.http.pipeline import Pipeline
from wattle.redelivery import Redelivery
from wattle.services import Process, Services

if TYPE_CHECKING:
    from firebase_functions.firestore_fn import Event

Function = Callable[..., Any]

_RUNTIME: Final[dict[str, Any]] = {
    "region": REGION,
    "cpu": 1,
    "memory": options.MemoryOption.MB_256,
    "concurrency": 80,  # and THREADS in .env
    "min_instances": 0,
    "secrets": [params.SecretParam("SIGNING_SECRET")],
}
# Each function runs as an account of its own, whose roles are in ops/accounts.yaml. The whole address: with the short
# form, `name@`, firebase-tools 15 deploys the function but names no account to Secret Manager and Cloud Scheduler.
_ACCOUNT: Final = "fn-{}@{{{{ params.PROJECT_ID }}}}.iam.gserviceaccount.com"
_ENQUEUING: Final = ("onBroadcastWritten", "onDeadLetterWritten", "sweepPushes")
# A new project's quota of CPU may be as low as ten, and Cloud Run refuses a function that may grow beyond it.
_MAX_INSTANCES: Final = params.IntParam("MAX_INSTANCES", default=10, description="Of the API and of each callable.")
_ANSWERING: Final[dict[str, Any]] = {
    **_RUNTIME,
    "timeout_sec": 60,
    "max_instances": _MAX_INSTANCES,
    "invoker": "public",
}


class Exports:
    """Makes functions of one process. `name` is what a function is deployed, called and shown as."""

    def __init__(self, process: Process, target: str | None) -> None:
        """`target` is the one function that this process serves, None for all."""
        self._services = process.services
        self._target = target
        self._redelivery = Redelivery()

    def alone(self, name: str) -> bool:
        """Whether this process serves the function of that name and no other."""
        return self._target == name

    def http(self, name: str, create_app: Callable[[Callable[[], Services]], Pipeline]) -> Function:
        """A WSGI app, made at the first request."""
        app = cache(lambda: create_app(self._services))

        def serve(request: Request) -> Response:
            # Handed on as it is: to call the app through WSGI once more takes a tenth of what reading an order takes.
            response = app().handle(request)
            # functions-framework reads what is left of a body before it answers: who is refused need not send the rest.
            request.stream = BytesIO()
            return response  # type: ignore[return-value]  # (Flask makes it one of its own class)

        def serve_directly(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            return app()(environ, start_response)

        everyone = options.IngressSetting.ALLOW_ALL
        if self.alone(name) and has_app_context():
            # This process serves nothing else. functions-framework loads main.py in the context of its Flask app, whose
            # routing, request context and execution ids would take a tenth of what reading an order takes.
            current_app.wsgi_app = serve_directly  # type: ignore[method-assign]
        return https_fn.on_request(**_ANSWERING, service_account=account(name), ingress=everyone)(_named(name, serve))

    def call(self, name: str) -> Function:
        """A callable function of the Firebase SDKs: that of `callables.CALLS`."""
        from wattle import callables  # noqa: PLC0415 (not loaded by the process that serves the API alone)

        return callables.exported(self._services, https_fn.on_call(**_ANSWERING, service_account=account(name)), name)

    def on_written(
        self,
        name: str,
        document: str,
        work: "Callable[[Services, Event[Any]], None]",
        *,
        instances: int = 10,
    ) -> Function:
        """Runs at each write to a document of this path, and again when it raises; see `redelivery`."""
        self._redelivery.add(name, work)
        return self._on_written(
            name, document, lambda event: self._redelivery.handle(self._services(), name, event), instances
        )

    def on_dead_letter(self, name: str) -> Function:
        """Hands an event that was given up to its function again, when somebody says so."""
        run = self._reporting(name, self._redelivery.redeliver)
        return self._on_written(name, f"{{collection}}/{{owner}}/{DEAD_LETTERS}/{{letterId}}", run, 2)

    def _on_written(self, name: str, document: str, run: Function, instances: int) -> Function:
        if self._is_elsewhere(name):
            return _elsewhere
        from firebase_functions import firestore_fn  # noqa: PLC0415 (not loaded by those who serve no events)
        from google.events.cloud.firestore import DocumentEventData  # noqa: PLC0415 (as above)

        decorate = firestore_fn.on_document_written(
            **_RUNTIME, service_account=account(name), document=document, timeout_sec=60, max_instances=instances
        )
        handle = decorate(_named(name, run))

        @wraps(handle)
        def with_path_of_data(event: Any) -> Any:
            # Eventarc sends the path as UTF-8 in a header, which Python reads as Latin-1: `users/Ã¼` for `users/ü`
            # (firebase/firebase-functions-python#220). The data has it as it is.
            data = DocumentEventData.deserialize(event.get_data())
            event["document"] = (data.value or data.old_value).name.partition("/documents/")[2]
            return handle(event)

        function = self._connected(with_path_of_data)
        # firebase_functions 0.6.0 has no option for it.
        function.__firebase_endpoint__.eventTrigger["retry"] = True  # type: ignore[attr-defined]
        return function

    def on_schedule(
        self, name: str, schedule: str, work: Callable[[Services], None], *, seconds: int = 300, retries: int = 0
    ) -> Function:
        """Runs when it is due in Sydney, for `seconds` at most."""
        if self._is_elsewhere(name):
            return _elsewhere
        from firebase_functions import scheduler_fn  # noqa: PLC0415 (not loaded by those who serve no schedules)

        decorate = scheduler_fn.on_schedule(
            **_RUNTIME,
            service_account=account(name),
            schedule=schedule,
            timezone=options.Timezone("Australia/Sydney"),
            timeout_sec=seconds,
            max_instances=1,
            retry_count=retries,
        )
        run = self._reporting(name, lambda services, _: work(services))
        return self._connected(decorate(_named(name, run)))

    def on_task(self, name: str, work: Callable[[Services, Any], None]) -> Function:
        """Runs for each task of its queue, and again when it raises. `work` gets the task's data."""
        if self._is_elsewhere(name):
            return _elsewhere
        from firebase_functions import tasks_fn  # noqa: PLC0415 (not loaded by those who serve no queues)

        decorate = tasks_fn.on_task_dispatched(
            **_RUNTIME,
            service_account=account(name),
            timeout_sec=300,
            max_instances=5,
            # 500 people a second with chunks of 100. FCM's quota of 10,000 messages a second is for orders' news, too.
            rate_limits=options.RateLimits(max_concurrent_dispatches=5, max_dispatches_per_second=5),
            retry_config=options.RetryConfig(
                max_attempts=10, min_backoff_seconds=10, max_backoff_seconds=300, max_doublings=5
            ),
        )
        run = self._reporting(name, lambda services, request: work(services, request.data))
        function = self._connected(decorate(_named(name, run)))
        # Who may enqueue, and call with what is enqueued: firebase_functions 0.6.0 loses the option for it.
        trigger = function.__firebase_endpoint__.taskQueueTrigger  # type: ignore[attr-defined]
        trigger["invoker"] = [account(enqueuing) for enqueuing in _ENQUEUING]
        return function

    def _reporting(self, name: str, work: Callable[[Services, Any], None]) -> Function:
        """`work` of the services and what the function is called with; a failure is in the log before it leaves."""

        def run(given: Any) -> None:
            services = self._services()
            with reported(function=name):
                work(services, given)

        return run

    def _is_elsewhere(self, name: str) -> bool:
        return self._target not in (None, name)

    def _connected(self, function: Function) -> Function:
        """Connect before `function` runs: firebase_functions would make an app with settings of its own otherwise."""

        @wraps(function)
        def first_connected(*args: Any) -> Any:
            self._services()
            return function(*args)

        return first_connected


def account(function: str) -> str:
    """The address of the service account that a function runs as; the project is filled in at deployment."""
    return _ACCOUNT.format(re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", function))


def _elsewhere(*_: Any) -> None:
    raise RuntimeError("this process serves another function: FUNCTION_TARGET says which")


def _named(name: str, function: Function) -> Function:
    # firebase_functions deploys a function under its own name.
    function.__name__ = name
    return function
