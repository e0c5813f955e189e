"""Puts faults into Google's clients of Firestore, which have no door of their own for interceptors."""

# ruff: noqa: SLF001 - this file is all that reaches for their private parts

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.cloud.firestore_v1 import AsyncClient, Client
from google.cloud.firestore_v1.services.firestore import async_client, client
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport
from google.cloud.firestore_v1.services.firestore.transports.grpc_asyncio import FirestoreGrpcAsyncIOTransport

if TYPE_CHECKING:
    from firesuite.faults import Failure, Faults


def install(faults: "Faults", into: Any) -> None:
    """See `Faults.install`."""

    class Transport(FirestoreGrpcTransport):
        def __init__(self, *, host: str, channel: grpc.Channel) -> None:
            super().__init__(host=host, channel=grpc.intercept_channel(channel, faults))

    class AsyncTransport(FirestoreGrpcAsyncIOTransport):
        def __init__(self, *, host: str, channel: Any) -> None:
            interceptor = AsyncInterceptor(faults)
            channel._unary_unary_interceptors.append(interceptor)
            channel._unary_stream_interceptors.append(interceptor)
            super().__init__(host=host, channel=channel)

    # The client asks its transport's name which kind of channel it is to open.
    AsyncTransport.__name__ = FirestoreGrpcAsyncIOTransport.__name__

    if isinstance(into, Client):
        if into._firestore_api_internal is not None:
            into._firestore_api_internal.transport.close()
        into._firestore_api_internal = None
        into._firestore_api_helper(Transport, client.FirestoreClient, client)
    elif isinstance(into, AsyncClient):
        into._firestore_api_internal = None
        into._firestore_api_helper(AsyncTransport, async_client.FirestoreAsyncClient, async_client)
    else:
        raise TypeError(f"Faults go into a google.cloud.firestore client, not into a {type(into).__name__}.")


class AsyncInterceptor(grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor):
    """What `Faults` decides, for asyncio; for any channel: `grpc.aio.insecure_channel(target, interceptors=[...])`."""

    def __init__(self, faults: "Faults") -> None:
        self._faults = faults

    async def intercept_unary_unary(self, proceed: Callable[..., Awaitable[Any]], details: Any, request: Any) -> Any:
        failure, delay = self._faults.decide(_text(details.method), request)
        deadline = None if details.timeout is None else time.monotonic() + details.timeout
        call = await proceed(details, request)
        if failure is None and not delay:
            return call
        try:
            answer = await call
        finally:
            await _arrive(delay, deadline)
        if failure:
            raise failure.error()
        return answer

    async def intercept_unary_stream(self, proceed: Callable[..., Awaitable[Any]], details: Any, request: Any) -> Any:
        failure, delay = self._faults.decide(_text(details.method), request)
        deadline = None if details.timeout is None else time.monotonic() + details.timeout
        call = await proceed(details, request)
        return call if failure is None and not delay else _answers(call, failure, delay, deadline)


async def _answers(call: Any, failure: "Failure | None", delay: float, deadline: float | None) -> AsyncIterator[Any]:
    first = True
    async for answer in call:
        if first:
            await _arrive(delay, deadline)
            first = False
        yield answer
    if first:
        await _arrive(delay, deadline)
    if failure:
        raise failure.error()


async def _arrive(delay: float, deadline: float | None) -> None:
    from firesuite.faults import Fault  # noqa: PLC0415 - which imports this

    now = time.monotonic()
    if deadline is not None and now + delay > deadline:
        await asyncio.sleep(max(0.0, deadline - now))
        raise Fault(grpc.StatusCode.DEADLINE_EXCEEDED)
    await asyncio.sleep(delay)


def _text(method: str | bytes) -> str:
    return method.decode() if isinstance(method, bytes) else method
