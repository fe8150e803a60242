"""Moving a workflow to another version of its workers. The server keeps a state, so that asking twice changes it once.

A workflow that is pinned to a version stays with its code: a mended one does not heal it unless it is moved.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import JsonValue
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest

from daper.core.digests import canonical, digest
from daper.core.limits import Exactly, Limit, OneOf
from daper.core.models import Change, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import shown
from daper.domains.temporal.findings import TASK_FAILING, VERSION_SILENT
from daper.domains.temporal.surroundings import with_versions
from daper.domains.temporal.tools.base import SENT_WITHIN, UndoableWorkflowTool, run_of, workflow_in
from daper.domains.temporal.tools.run_tool import RunArgs
from daper.domains.temporal.workflow import PINNED, WorkflowRecord, WorkflowState, workflow_ref
from daper.ports.domain import Record, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import Trace

_AUTO: Final = "auto-upgrade"


class MoveArgs(RunArgs):
    """To which build of its deployment; `auto-upgrade`: to whichever is current, now and later."""

    version: str


class MoveToVersion(UndoableWorkflowTool):
    """Sets which version of the workers runs a workflow; undoing it gives back what was set before."""

    name = "move_to_version"
    risk = Risk.MEDIUM
    args = MoveArgs
    kinds = frozenset({TASK_FAILING, VERSION_SILENT})
    does = (
        "Moves a workflow to another version of its worker deployment. For one whose tasks fail by a bug of the "
        "version that it is pinned to, once a mended version runs, or whose version runs no more."
    )
    repeatable = True
    sends_within = SENT_WITHIN

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The workflow, the versions of its deployment, and what is set of it."""
        records = await super().look(record_id)
        record = workflow_in(records, record_id)
        if record is None:
            return records
        known = await with_versions(self._bench.cluster, record)
        ref = _set_ref(record_id)
        now = digest(canonical([record.state.run_id, record.state.override]))[:32]
        return (known, Record(ref=ref, record_id=ref, version=now, data={}))

    def unfit(self, state: WorkflowState) -> str:
        """It is for what runs on a deployment that has another version."""
        if not state.is_running:
            return "it has ended"
        if not state.deployment:
            return "its workers have no versions"
        if state.override == "one-time":
            return "it is being moved to another version already"
        return "" if _choices(state) else f"deployment {shown(state.deployment)!r} has no other version in use"

    def limits(self, state: WorkflowState) -> Mapping[str, Limit]:
        """The versions in use, the current one first."""
        return {"run_id": Exactly(value=state.run_id), "version": OneOf(values=_choices(state))}

    def preview(
        self, record: WorkflowRecord, arguments: Mapping[str, JsonValue], records: Sequence[Record]
    ) -> tuple[Change, ...]:
        """The version."""
        state = record.state
        before = f"{shown(state.build) or 'none'}{f' ({shown(state.override)})' if state.override else ''}"
        version = arguments.get("version")
        after = "whichever is current, now and later" if version == _AUTO else f"{shown(version)}, and stays there"
        return (Change(record=record.ref, field=f"version of {shown(state.deployment)}", before=before, after=after),)

    async def act(self, call: ToolCall) -> Deed:
        """Set it; what was set before is kept for the way back."""
        state = await self._state(call)
        override = _override_of(call, state)
        await self._set(call, override)
        return _deed(call, before=state.override if state else "", after=override)

    async def take_back(self, call: ToolCall, done: Effect, originals: str, *, key: str) -> Deed:
        """Set what was set before, or nothing."""
        await self._set(call, originals)
        return _deed(call, before=str(done.after.get("override", "")), after=originals)

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """What is set as it is: whoever set it, what was asked for is so."""
        state = await self._state(call)
        if state is None:
            return Trace()
        if key == call.key:
            wanted = _override_of(call, state)
        else:
            done = await self.row(call.key)
            if done is None:
                return Trace()
            wanted = done.originals
        return Trace(deed=_deed(call, before="", after=wanted) if state.override == wanted else None)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it is set, and its tasks fail no more."""
        record = workflow_in(records, call.record_id)
        if record is None or record.state.run_id != call.arguments["run_id"] or not record.state.is_running:
            return Postcondition(holding=Holding.YES, evidence="that run is over")
        state = record.state
        if state.override != effect.after.get("override"):
            return Postcondition(holding=Holding.NO, evidence=f"it is set to {shown(state.override) or 'nothing'}")
        if state.silent_version:
            told = f"it is moved, and no worker of version {shown(state.silent_version)} asks its task queue"
            return Postcondition(holding=Holding.NO, evidence=told)
        if state.task_causes or (state.task is not None and state.task.state == "scheduled"):
            return Postcondition(holding=Holding.WAITING, evidence="it is moved; no task of it has succeeded there yet")
        return Postcondition(holding=Holding.YES, evidence=f"it runs on {shown(state.build)}")

    async def _state(self, call: ToolCall) -> WorkflowState | None:
        record = workflow_in(await self.look(call.record_id), call.record_id)
        return record.state if record and record.state.run_id == call.arguments["run_id"] else None

    async def _set(self, call: ToolCall, override: str) -> None:
        options = WorkflowExecutionOptions()
        if override:
            options.versioning_override.CopyFrom(_wire(override))
        request = UpdateWorkflowExecutionOptionsRequest(
            workflow_execution=run_of(call),
            workflow_execution_options=options,
            update_mask=FieldMask(paths=["versioning_override"]),
        )
        await self._bench.cluster.change("update_workflow_execution_options", request)


def _choices(state: WorkflowState) -> tuple[str, ...]:
    """Where it may go: what is pinned to what is current, and what goes with that back to where it got on."""
    if state.pinned:
        others = [each for each in state.versions if each != state.build]
        return (*others, _AUTO) if others else ()
    return tuple(dict.fromkeys(each for each in (state.build, *state.versions) if each))


def _set_ref(record_id: str) -> str:
    return f"{workflow_ref(record_id)}/version"


def _override_of(call: ToolCall, state: WorkflowState | None) -> str:
    version = str(call.arguments["version"])
    return _AUTO if version == _AUTO else f"{PINNED}{state.deployment if state else ''}.{version}"


def _wire(override: str) -> VersioningOverride:
    if override == _AUTO:
        return VersioningOverride(auto_upgrade=True)
    deployment, _, build = override.removeprefix(PINNED).partition(".")  # no deployment has a dot in its name
    version = WorkerDeploymentVersion(deployment_name=deployment, build_id=build)
    behavior = VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED
    return VersioningOverride(pinned=VersioningOverride.PinnedOverride(behavior=behavior, version=version))


def _deed(call: ToolCall, *, before: str, after: str) -> Deed:
    return Deed(
        before={"override": before},
        after={"override": after},
        wrote=[_set_ref(call.record_id)],
        evidence=[f"the workflow is {after}" if after else "nothing is set of its version"],
        originals=before,
    )
