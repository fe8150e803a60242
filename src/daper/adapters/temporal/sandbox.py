"""The sandbox in which workflows run: Temporal's own, without what costs much there and has no use here."""

from typing import TYPE_CHECKING, Final

from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

if TYPE_CHECKING:
    from temporalio.bridge.proto.workflow_activation import WorkflowActivation
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
    from temporalio.converter import SerializationContext
    from temporalio.worker._command_aware_visitor import CommandInfo
    from temporalio.workflow import Info


class Sandbox(SandboxedWorkflowRunner):
    """Temporal's sandbox, whose runs are not asked for each payload what it belongs to, and where it is to be stored.

    To be asked, a run compiles and runs code in its sandbox, twice for a payload: a twelfth of what a worker did in 50
    repairs of the tests. Our codec treats all payloads alike, and none is stored elsewhere: the answers change nothing.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A run of a workflow."""
        return _Run(super().create_instance(det))


_ANYWHERE: Final = StorageDriverStoreContext()


class _Run(WorkflowInstance):
    """Hands on all but those questions."""

    def __init__(self, run: WorkflowInstance) -> None:
        self._run = run

    def activate(self, act: "WorkflowActivation") -> "WorkflowActivationCompletion":
        return self._run.activate(act)

    def get_serialization_context(self, command_info: "CommandInfo | None") -> "SerializationContext | None":
        """None: it makes no difference."""

    def get_external_store_context(self, command_info: "CommandInfo | None") -> StorageDriverStoreContext:
        """Always the same: nothing is stored."""
        return _ANYWHERE

    def get_info(self) -> "Info":
        return self._run.get_info()

    def get_thread_id(self) -> int | None:
        return self._run.get_thread_id()


# A library in this process may look into every import (beartype does, which MCP libraries bring): each run would import
# that library anew, and take fifteen times as long to begin. What looks into imports is no code of a workflow.
SANDBOX: Final = Sandbox(restrictions=SandboxRestrictions.default.with_passthrough_modules("beartype"))
