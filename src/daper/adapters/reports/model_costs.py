"""What language models took for a repair, as tables; none where none was asked. Pure."""

from daper.adapters.reports.actions import rows_table
from daper.core.outcomes import RepairResult
from daper.core.usage import Spent
from daper.documents.blocks import Cell, Column, Part, Table
from daper.documents.cells import cell, code, text

_PARTS = (Part("what for", 30), Part("tokens", 35), Part("money", 35))
_COLUMNS = (
    Column("role", 0),
    Column("model", 0),
    Column("calls", 1, "calls"),
    Column("tokens in", 1, "in"),
    Column("tokens out", 1, "out"),
    Column("cost", 2),
    Column("not known", 2),
)
_RECORD_COLUMNS = (Column("record", 0), *_COLUMNS[2:])
MOST_RECORDS = 100


def by_role(result: RepairResult) -> Table | None:
    """One row for each role that a model played."""
    return rows_table(
        _COLUMNS,
        _PARTS,
        (
            (cell(text(role)), cell(text(result.thinkers.get(role, ""))), *_spent(spent))
            for role, spent in result.usage.by_role.items()
        ),
    )


def by_record(result: RepairResult) -> Table | None:
    """One row for each record, those first that took most; a call about several is shared out among them."""
    most = sorted(result.usage.by_record.items(), key=lambda item: -item[1].tokens)[:MOST_RECORDS]
    return rows_table(_RECORD_COLUMNS, _PARTS, ((cell(code(record_id)), *_spent(spent)) for record_id, spent in most))


def _spent(spent: Spent) -> tuple[Cell, ...]:
    unknown = [f"{spent.unpriced} without a known price"] if spent.unpriced else []
    unknown += [f"{spent.uncertain} counted by an estimate"] if spent.uncertain else []
    return (
        cell(text(spent.calls)),
        cell(text(f"{spent.input_tokens:,}")),
        cell(text(f"{spent.output_tokens:,}")),
        cell(text(f"${spent.cost:.4f}" if spent.cost or not spent.unpriced else "")),
        cell(text("; ".join(unknown))),
    )
