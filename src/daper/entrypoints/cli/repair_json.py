"""The one JSON document that `--json` prints of a repair, open or ended."""

from daper.adapters.reports.archive import kept_here
from daper.core.outcomes import RepairResult
from daper.core.views import RepairView, whole_plans


def repair_document(look: RepairResult | RepairView) -> dict[str, object]:
    """The same keys for an open repair and an ended one; what is not there yet is null or empty."""
    return _ended(look) if isinstance(look, RepairResult) else _open(look)


def _ended(result: RepairResult) -> dict[str, object]:
    dumped = result.model_dump(mode="json")
    plans = [plan.model_dump(mode="json") for plan in whole_plans(result)]
    return {
        "repair_id": result.repair_id,
        "cycle_id": result.cycle_id,
        "phase": str(result.phase),
        "ended": True,
        "needs_person": result.needs_person,
        "reason": result.reason,
        "user": result.user,
        "domain": result.domain,
        "store": dumped["store"],
        "today": dumped["today"],
        "started_at": dumped["started_at"],
        "ended_at": dumped["ended_at"],
        "durations": dumped["durations"],
        "detection": dumped["detection"],
        "findings": dumped["findings"],
        "plan": plans[-1] if plans else None,
        "earlier_plans": plans[:-1],
        "decisions": dumped["decisions"],
        "outcomes": dumped["outcomes"],
        "verification": dumped["verification"],
        "report": {**dumped["report"], **_paths(result)} if result.report else None,
        "counts": dumped["counts"],
        "thinkers": dumped["thinkers"],
        "usage": dumped["usage"],
        "notices": dumped["notices"],
    }


def _paths(result: RepairResult) -> dict[str, str | None]:
    """Where the report is, if it is on this machine; where another one keeps it would lead nobody there."""
    here = result.paths if kept_here(result) else None
    return {
        "json_path": here.json_path if here else None,
        "markdown_path": here.markdown_path if here else None,
    }


def _open(view: RepairView) -> dict[str, object]:
    dumped = view.model_dump(mode="json")
    return {
        "repair_id": view.repair_id,
        "phase": str(view.phase),
        "ended": False,
        "needs_person": view.decide_by is not None,
        "reason": view.message,
        "user": view.requested_by.name,
        "domain": view.domain,
        "store": {"store_id": view.store_id},
        "started_at": dumped["started_at"],
        "detection": dumped["detection"],
        "problems": view.problems,
        "plan": dumped["plan"],
        "decide_by": dumped["decide_by"],
        "decisions": [dumped["decision"]] if view.decision else [],
        "actions_to_run": view.actions_to_run,
        "actions_done": view.actions_done,
        "outcomes": [],
        "verification": None,
        "report": None,
        "counts": dumped["counts"],
        "thinkers": dumped["thinkers"],
        "usage": dumped["usage"],
        "notices": dumped["notices"],
    }
