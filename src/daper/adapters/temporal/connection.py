"""Connecting to Temporal: one client, or one line that says what is wrong and how to go on."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.credentials import Target, prepare
from daper.adapters.temporal.refusals import REFUSED, TOO_SOON, WAYS_OUT, not_connected, not_served
from daper.core.errors import Unreachable
from daper.workflows.labels import PHASE_ATTRIBUTE, USER_ATTRIBUTE

SEARCH_ATTRIBUTES: Final = (PHASE_ATTRIBUTE.name, USER_ATTRIBUTE.name)

_TRIES: Final = 5


async def connect(settings: Target, *, within: timedelta = timedelta(seconds=4)) -> Client:
    """Connect, and make sure that the namespace is there; all of it `within` the time given.

    Raises Unreachable if nothing answers, SettingError if what is configured is wrong: one line with address and
    namespace, the way out, and no secret.
    """
    config, attempt = prepare(settings)
    try:
        async with asyncio.timeout(within.total_seconds()):
            client = await _open(settings, config)
            request = DescribeNamespaceRequest(namespace=settings.namespace)
            await client.workflow_service.describe_namespace(request, timeout=within)
    except TimeoutError as error:
        waited = f"{within.total_seconds():g} s"
        raise Unreachable(f"{attempt.where} did not answer within {waited}; ", WAYS_OUT) from error
    except (RuntimeError, ValueError) as error:
        # Not chained: the SDK's text may quote a header or a key.
        raise not_connected(attempt, str(error)) from None
    except RPCError as error:
        raise not_served(attempt, error) from error
    return client


async def _open(settings: Target, config: ClientConnectConfig) -> Client:
    """Open the connection. Raises RuntimeError, ValueError: the SDK's."""
    tries = 0
    while True:
        try:
            return await Client.connect(
                settings.address,
                namespace=settings.namespace,
                api_key=config.get("api_key"),
                tls=config.get("tls"),
                rpc_metadata=config.get("rpc_metadata", {}),
                data_converter=data_converter(),
            )
        except RuntimeError as error:
            # Closed before the first call was on its way, so that the SDK does not know the server's reason: a client
            # certificate is refused after the handshake. The next time the call is mostly quicker.
            tries += 1
            if tries == _TRIES or TOO_SOON not in str(error):
                raise


async def search_attributes_registered(client: Client) -> bool:
    """Whether DaperPhase and DaperUser are keywords in the client's namespace.

    False where nobody may ask. Raises Unreachable if Temporal does not answer.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request, timeout=timedelta(seconds=3))
    except RPCError as error:
        if error.status in (*REFUSED, RPCStatusCode.UNIMPLEMENTED):
            return False
        raise Unreachable(f"Temporal, namespace {client.namespace!r}, does not answer: {error.status.name}") from error
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    return all(answer.custom_attributes.get(name) == keyword for name in SEARCH_ATTRIBUTES)
