"""How long Temporal keeps the repairs that have ended."""

from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from daper.core.errors import Unreachable

THIRTY_DAYS: Final = timedelta(days=30)
_WITHIN: Final = timedelta(seconds=5)


async def keep_ended_for(client: Client, *, at_least: timedelta = THIRTY_DAYS) -> None:
    """Raise the retention of the client's namespace; a longer one stays. Raises Unreachable."""
    name = client.namespace
    service = client.workflow_service
    try:
        described = await service.describe_namespace(DescribeNamespaceRequest(namespace=name), timeout=_WITHIN)
        if described.config.workflow_execution_retention_ttl.ToTimedelta() >= at_least:
            return
        retention = Duration()
        retention.FromTimedelta(at_least)
        config = NamespaceConfig(workflow_execution_retention_ttl=retention)
        await service.update_namespace(UpdateNamespaceRequest(namespace=name, config=config), timeout=_WITHIN)
    except RPCError as error:
        raise Unreachable(f"the retention of namespace {name!r} cannot be set: {error.status.name}") from error
