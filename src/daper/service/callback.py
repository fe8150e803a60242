"""Signals a workflow of somebody else's, to try out a callback."""

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from daper.core.commands import CommandLine
from daper.core.errors import TargetRefused, Unreachable
from daper.core.notices import Notice
from daper.core.people import SignalCallback
from daper.service.inquiry import ANSWER_WITHIN


async def call_back(client: Client, callback: SignalCallback, message: Notice) -> None:
    """Send the message as the signal of a callback. Raises TargetRefused where nothing runs there, Unreachable."""
    handle = client.get_workflow_handle(callback.workflow_id)
    try:
        await handle.signal(callback.name, message, rpc_timeout=ANSWER_WITHIN)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise TargetRefused(f"workflow {callback.workflow_id!r} is not running") from error
        told = f"Temporal did not take the signal: {error.status.name}; see: "
        raise Unreachable(told, CommandLine("doctor")) from error
