"""What a worker counts of its work, and a console of requests: every figure of ours, by the name that a scraper sees.

No label has a value that grows with the work: no record, no repair, no person, no text. What is not known is `other`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from daper.core import errors

OTHER: Final = "other"
"""In place of a value that is none of those we know."""

_SECONDS: Final = "_seconds"
_TOTAL: Final = "_total"
_DOORS: Final = frozenset({"cli", "mcp", "web", "console", "api", "mail", "policy", "evaluation"})
_ERRORS: Final = frozenset(
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DaperError)
)


@dataclass(frozen=True)
class Measure:
    """One figure: a counter where the name ends in `_total`, else a histogram over `buckets`.

    `name`: as it is scraped. `help`: what it is, in a sentence. `labels`: by what it is told apart.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def base(self) -> str:
        """The name without what the exporter puts behind it: `_total`, or the unit."""
        return self.name.removesuffix(_TOTAL).removesuffix(_SECONDS)


PHASES: Final = Measure(
    "daper_repair_phases_total",
    "Phases that repairs entered after their start; the last of a repair says how it ended.",
    ("domain", "phase"),
)
DECISIONS: Final = Measure(
    "daper_decision_delay_seconds",
    "Decisions that were recorded, and how long their plans had waited: who decided, by which door, what.",
    ("domain", "door", "by", "answer"),
    (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400),
)
ACTIONS: Final = Measure(
    "daper_actions_total",
    "Actions by what became of them; one that took effect and is taken back counts as both.",
    ("domain", "tool", "outcome"),
)
WAITS: Final = Measure(
    "daper_wait_seconds",
    "Waits of repairs for a disk or a database that are over, and the error that each began with.",
    ("domain", "error"),
    (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400),
)
HELD: Final = Measure(
    "daper_findings_held_total",
    "Findings that were not planned for because the plan of another repair holds their record.",
    ("domain",),
)
FAILED: Final = Measure(
    "daper_attempts_failed_total",
    "Attempts of steps that ended with an error; most are tried again.",
    ("domain", "step", "error"),
)
CALLS: Final = Measure(
    "daper_llm_calls_total",
    "Calls of language models: answered; released, where nothing was taken; or refused, by the cap of a repair.",
    ("domain", "role", "model", "outcome"),
)
TOKENS: Final = Measure(
    "daper_llm_tokens_total",
    "Tokens that language models took.",
    ("domain", "role", "model", "kind"),
)
COST: Final = Measure(
    "daper_llm_cost_dollars",
    "What calls of language models cost, where prices are known; the sum is the money.",
    ("domain", "role", "model"),
    (0.001, 0.01, 0.1, 1),
)
REQUESTS: Final = Measure(
    "daper_api_request_seconds",
    "Requests to the API of a console, and how long each took until its answer began.",
    ("operation", "status"),
    (0.005, 0.02, 0.05, 0.2, 1, 5),
)
MEASURES: Final = (PHASES, DECISIONS, ACTIONS, WAITS, HELD, FAILED, CALLS, TOKENS, COST, REQUESTS)


def known_error(name: str) -> str:
    """The name of an error of ours, or `other`."""
    return name if name in _ERRORS else OTHER


def known_door(name: str) -> str:
    """The name of a door of ours, or `other`: whoever sends a decision by hand may write anything."""
    return name if name in _DOORS else OTHER


def known(name: str, among: Collection[str]) -> str:
    """A name that is one of these, or `other`."""
    return name if name in among else OTHER
