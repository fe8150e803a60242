"""A call of a language model as a JSON document, and what that is called."""

from datetime import UTC, datetime

from pydantic import JsonValue

from daper.adapters.transcripts.bounds import fitted
from daper.adapters.transcripts.redaction import Redactor
from daper.core.ids import safe_name
from daper.ports import Transcript

MOST_CALLS = 1_000
"""Documents of one repair; what is called later is not written down."""

MOST_REPAIRS = 200
"""That have documents; those of the one that was written to the longest ago go when another one begins."""

MORE = f"{MOST_CALLS}-and-more.txt"
SAID_OF_MORE = f"This repair made more calls; the first {MOST_CALLS:,} are kept here.\n".encode()
"""What stands there for the calls that are not written down."""


def written(entry: Transcript, redactor: Redactor) -> bytes:
    """The document, of bounded size, without anything that the redactor knows."""
    return fitted(redactor.entries(_document(entry)))


def name_of(entry: Transcript) -> str:
    """Its name among those of a repair; names sort as the calls began."""
    return f"{_moment(entry.began)}-{entry.role}-{safe_name(entry.call_id[:8])}.json"


def _document(entry: Transcript) -> dict[str, JsonValue]:
    return {
        "call_id": entry.call_id,
        "repair_id": entry.repair_id,
        "cycle_id": entry.cycle_id,
        "role": entry.role.value,
        "model": entry.model,
        "record_ids": list(entry.record_ids),
        "began": _in_utc(entry.began).isoformat(),
        "took_seconds": entry.took.total_seconds(),
        "prompt_digest": entry.prompt_digest,
        "spent": entry.spent.model_dump(mode="json"),
        "error": entry.error,
        "sent": entry.sent,
        "answer": entry.answer,
    }


def _in_utc(at: datetime) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _moment(at: datetime) -> str:
    return f"{_in_utc(at):%Y%m%dT%H%M%S.%f}"
