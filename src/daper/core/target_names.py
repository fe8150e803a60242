"""What is dangerous is approved by naming its target: nobody does that by habit. Pure."""

from collections.abc import Iterable, Mapping

from daper.core.models import Risk, Verdict
from daper.core.text import visible
from daper.core.views import ActionView

_NAMED: int = 3


def target_to_name(action: ActionView) -> str:
    """What a person types to approve this action; empty where nothing has to be."""
    return action.record_id if action.risk is Risk.HIGH else ""


def names_target(action: ActionView, typed: str) -> bool:
    """Whether `typed` names the target: as it is, or as a screen shows it; case and blanks around it do not count."""
    said = typed.strip().casefold()
    return said in {known.strip().casefold() for known in (action.record_id, visible(action.record_id))}


def refuse_unnamed(
    actions: Iterable[ActionView], verdicts: Mapping[str, Verdict], typed: Mapping[str, str]
) -> str | None:
    """Why these approvals do not count yet, or None. `typed`: by action, what the person typed."""
    lacking = [
        action
        for action in actions
        if target_to_name(action)
        and verdicts.get(action.id) is Verdict.APPROVE
        and not names_target(action, typed.get(action.id, ""))
    ]
    if not lacking:
        return None
    asked = "; ".join(f"for {action.id}, type {visible(action.record_id)!r}" for action in lacking[:_NAMED])
    more = f"; and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return f"what has a high risk is approved by typing its target's name: {asked}{more}"
