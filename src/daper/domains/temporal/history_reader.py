"""Reads what one run did from the events of its history, of whatever library wrote them. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure as WireFailure
from temporalio.api.history.v1 import HistoryEvent, MarkerRecordedEventAttributes

from daper.domains.temporal.history import CANCEL, COMPLETED, Heard, ResetTrace, RunHistory, Sort, Step

_EVENT: Final = "EVENT_TYPE_"
_DATA: Final = TypeAdapter(dict[str, object])
_DEEPEST: Final = 20  # of a chain of failures


class HistoryReader:
    """Takes the events of one run, one after another, and keeps what matters of them."""

    def __init__(self, workflow_id: str, run_id: str) -> None:
        self._found = RunHistory(workflow_id=workflow_id, run_id=run_id)
        self._tasks: list[int] = []
        self._steps: dict[int, Step] = {}
        self._heard: list[Heard] = []
        self._resets: list[ResetTrace] = []
        self._named: list[tuple[str, int]] = []
        self.last_event = 0

    def take(self, event: HistoryEvent) -> None:
        """The next event."""
        self.last_event = event.event_id
        attributes = getattr(event, event.WhichOneof("attributes") or "", None)
        if event.event_type not in EventType.values():
            self._found = replace(self._found, strange=True)
            return
        kind = EventType.Name(event.event_type).removeprefix(_EVENT)
        if (known := _KINDS.get(kind)) is not None:
            known(self, event.event_id, attributes)
        elif kind == "WORKFLOW_EXECUTION_STARTED":
            self._found = replace(
                self._found,
                started=event.workflow_execution_started_event_attributes,
                metadata=event.user_metadata,
                continued_from=event.workflow_execution_started_event_attributes.continued_execution_run_id,
            )
        elif kind in _ENDINGS:
            self._end(event, _ENDINGS[kind])

    def history(self) -> RunHistory:
        """What was read."""
        return replace(
            self._found,
            last_event=self.last_event,
            tasks=tuple(self._tasks),
            steps=tuple(self._steps.values()),
            heard=tuple(self._heard),
            resets=tuple(self._resets),
            culprit=self._culprit(),
        )

    def task_completed(self, at: int, _: Any) -> None:
        """A workflow task is done."""
        self._tasks.append(at)
        self._found = replace(self._found, failing=False)

    def task_failed(self, at: int, attributes: Any) -> None:
        """A workflow task failed, or was failed by a reset."""
        if attributes.base_run_id:
            self._resets.append(
                ResetTrace(
                    at=at,
                    reason=attributes.failure.message,
                    base_run_id=attributes.base_run_id,
                    new_run_id=attributes.new_run_id,
                )
            )
        else:
            self._found = replace(self._found, failing=True)

    def asked(self, at: int, step: Step) -> None:
        """The workflow asked for something."""
        self._steps[at] = step

    def closed(self, at: int, of: int, outcome: str) -> None:
        """Something that it had asked for is over."""
        if of in self._steps:
            self._steps[of] = replace(self._steps[of], closed=at, outcome=outcome)

    def child_started(self, of: int, run_id: str) -> None:
        """A child runs."""
        if of in self._steps:
            self._steps[of] = replace(self._steps[of], run_id=run_id)

    def heard(self, at: int, sort: str, name: str) -> None:
        """Something came from outside."""
        self._heard.append(Heard(sort=sort, name=name, at=at))

    def _end(self, event: HistoryEvent, ending: str) -> None:
        self._found = replace(self._found, ending=ending)
        if event.HasField("workflow_execution_failed_event_attributes"):
            self._named = list(_named_in(event.workflow_execution_failed_event_attributes.failure))

    def _culprit(self) -> int:
        """What the failure names. Only the outermost: below it are those of another workflow's history."""
        if self._named:
            sort, at = self._named[0]
            step = self._steps.get(at)
            return at if step is not None and step.sort == sort else 0
        return 0


def _named_in(failure: WireFailure) -> Iterable[tuple[str, int]]:
    for _ in range(_DEEPEST):
        match failure.WhichOneof("failure_info"):
            case "activity_failure_info":
                # A local activity has no event of its own before it ends.
                if failure.activity_failure_info.scheduled_event_id:
                    yield Sort.ACTIVITY, failure.activity_failure_info.scheduled_event_id
            case "child_workflow_execution_failure_info":
                yield Sort.CHILD, failure.child_workflow_execution_failure_info.initiated_event_id
            case "nexus_operation_execution_failure_info":
                yield Sort.NEXUS, failure.nexus_operation_execution_failure_info.scheduled_event_id
            case _:
                pass
        if not failure.HasField("cause"):
            return
        failure = failure.cause


Taken = Callable[[HistoryReader, int, Any], None]

_ENDINGS: Final = {
    "WORKFLOW_EXECUTION_COMPLETED": "Completed",
    "WORKFLOW_EXECUTION_FAILED": "Failed",
    "WORKFLOW_EXECUTION_TIMED_OUT": "TimedOut",
    "WORKFLOW_EXECUTION_CANCELED": "Canceled",
    "WORKFLOW_EXECUTION_TERMINATED": "Terminated",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "ContinuedAsNew",
}
_NOT_STARTED: Final = "not started"


def _asks(sort: Sort, name: Callable[[Any], str], id_: Callable[[Any], str], *, over: bool = False) -> Taken:
    """An event by which a workflow asks for something; `over`: that is all, nothing is waited for."""

    def take(reader: HistoryReader, at: int, attributes: Any) -> None:
        reader.asked(
            at,
            Step(
                sort=sort,
                name=name(attributes),
                id=id_(attributes),
                at=at,
                task=attributes.workflow_task_completed_event_id,
                closed=at if over else 0,
                outcome=COMPLETED if over else "",
                namespace=attributes.namespace if sort is Sort.CHILD else "",
            ),
        )

    return take


def _ends(field_: str, outcome: str) -> Taken:
    """An event by which something ends; `field_` names what."""

    def take(reader: HistoryReader, at: int, attributes: Any) -> None:
        reader.closed(at, getattr(attributes, field_), outcome)

    return take


def _marked(reader: HistoryReader, at: int, attributes: MarkerRecordedEventAttributes) -> None:
    """Local activities and side effects are told of by markers, each library's with a name of its own."""
    sort = {
        "core_local_activity": Sort.LOCAL,
        "LocalActivity": Sort.LOCAL,
        "SideEffect": Sort.SIDE_EFFECT,
        "MutableSideEffect": Sort.SIDE_EFFECT,
    }.get(attributes.marker_name)
    if sort is None:
        return
    name, id_ = _said_of_it(attributes) if sort is Sort.LOCAL else ("", "")
    outcome = "failed" if attributes.HasField("failure") else COMPLETED
    task = attributes.workflow_task_completed_event_id
    reader.asked(at, Step(sort=sort, name=name, id=id_, at=at, task=task, closed=at, outcome=outcome))


def _said_of_it(attributes: MarkerRecordedEventAttributes) -> tuple[str, str]:
    """The type and the id of a local activity, where its library wrote them so that they can be read."""
    for payloads in attributes.details.values():
        for payload in payloads.payloads:
            try:
                said = _DATA.validate_json(payload.data)
            except ValidationError:
                continue
            names = {key.casefold().replace("_", ""): value for key, value in said.items()}
            if isinstance(name := names.get("activitytype"), str):
                return name, str(names.get("activityid") or "")
    return "", ""


def _heard_as(sort: str, name: Callable[[Any], str]) -> Taken:
    def take(reader: HistoryReader, at: int, attributes: Any) -> None:
        reader.heard(at, sort, name(attributes))

    return take


def _update_accepted(reader: HistoryReader, at: int, attributes: Any) -> None:
    """One that was admitted before came with that."""
    if attributes.accepted_request.input.name:
        reader.heard(at, "update", attributes.accepted_request.input.name)


def _child_started(reader: HistoryReader, _: int, attributes: Any) -> None:
    reader.child_started(attributes.initiated_event_id, attributes.workflow_execution.run_id)


def _task_failed(reader: HistoryReader, at: int, attributes: Any) -> None:
    reader.task_failed(at, attributes)


def _task_completed(reader: HistoryReader, at: int, attributes: Any) -> None:
    reader.task_completed(at, attributes)


_KINDS: Final[dict[str, Taken]] = {
    "WORKFLOW_TASK_COMPLETED": _task_completed,
    "WORKFLOW_TASK_FAILED": _task_failed,
    "ACTIVITY_TASK_SCHEDULED": _asks(Sort.ACTIVITY, lambda a: a.activity_type.name, lambda a: a.activity_id),
    "TIMER_STARTED": _asks(Sort.TIMER, lambda a: "", lambda a: a.timer_id),
    "TIMER_FIRED": _ends("started_event_id", COMPLETED),
    "TIMER_CANCELED": _ends("started_event_id", "canceled"),
    "MARKER_RECORDED": _marked,
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED": _asks(
        Sort.CHILD, lambda a: a.workflow_type.name, lambda a: a.workflow_id
    ),
    "START_CHILD_WORKFLOW_EXECUTION_FAILED": _ends("initiated_event_id", _NOT_STARTED),
    "CHILD_WORKFLOW_EXECUTION_STARTED": _child_started,
    "NEXUS_OPERATION_SCHEDULED": _asks(Sort.NEXUS, lambda a: f"{a.service}.{a.operation}", lambda a: ""),
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": _asks(
        Sort.SIGNAL, lambda a: f"{a.workflow_execution.workflow_id}: {a.signal_name}", lambda a: "", over=True
    ),
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": _asks(
        Sort.CANCEL, lambda a: a.workflow_execution.workflow_id, lambda a: "", over=True
    ),
    "WORKFLOW_EXECUTION_SIGNALED": _heard_as("signal", lambda a: a.signal_name),
    "WORKFLOW_EXECUTION_UPDATE_ADMITTED": _heard_as("update", lambda a: a.request.input.name),
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": _update_accepted,
    "WORKFLOW_EXECUTION_CANCEL_REQUESTED": _heard_as(CANCEL, lambda a: ""),
    **{
        f"{what}_{how}": _ends(by, outcome)
        for what, by in (
            ("ACTIVITY_TASK", "scheduled_event_id"),
            ("CHILD_WORKFLOW_EXECUTION", "initiated_event_id"),
            ("NEXUS_OPERATION", "scheduled_event_id"),
        )
        for how, outcome in (
            ("COMPLETED", COMPLETED),
            ("FAILED", "failed"),
            ("TIMED_OUT", "timed out"),
            ("CANCELED", "canceled"),
            ("TERMINATED", "terminated"),
        )
    },
}
