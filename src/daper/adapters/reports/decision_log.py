"""Who decided what, and what is left alone or handed over. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from daper.adapters.reports.actions import rows_table
from daper.core.decisions import decided_by
from daper.core.models import ForPerson, RecordedDecision, SuppressedFinding, Verdict
from daper.documents.blocks import Block, Column, Copied, Paragraph, Part, Table
from daper.documents.cells import cell, code, moment, prose, settings, text

_VERDICTS = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected", None: "not approved (not named)"}
_DECISION_PARTS = (
    Part("action", 15),
    Part("decision", 28),
    Part("changed by the person", 30),
    Part("digest of what runs", 27),
)
_DECISION_COLUMNS = (
    Column("action", 0),
    Column("decision", 1),
    Column("changed by the person", 2),
    Column("digest of what runs", 3),
)
_SUPPRESSED_PARTS = (Part("record", 30), Part("problem", 35), Part("why it is left alone", 35))
_SUPPRESSED_COLUMNS = (
    Column("record", 0),
    Column("kind", 0),
    Column("problem", 1),
    Column("why it is left alone", 2),
)
_PERSON_PARTS = (Part("record", 30), Part("why a person has to", 70))
_PERSON_COLUMNS = (Column("record", 0), Column("kind", 0), Column("why a person has to", 1))


def decision_log(decisions: Iterable[RecordedDecision], planned: Mapping[str, Sequence[str]]) -> tuple[Block, ...]:
    """Who decided what and when, through which door. `planned`: for each plan's digest the ids of its actions."""
    return tuple(
        block for each in decisions for block in _decision(each, planned.get(each.decision.plan_digest, ())) if block
    )


def _decision(recorded: RecordedDecision, planned: Sequence[str]) -> tuple[Block | None, ...]:
    decision = recorded.decision
    door = (*text(" through "), *code(decision.door)) if decision.door else ()
    said = (
        *text("Decided by "),
        *text(decided_by(decision)),
        *text(" on "),
        *text(moment(recorded.decided_at)),
        *door,
        *text(", on plan "),
        *code(decision.plan_digest[:12]),
        *text("."),
    )
    comment = Paragraph((*text("Comment: "), *prose(decision.comment))) if decision.comment else None
    verdicts = rows_table(
        _DECISION_COLUMNS,
        _DECISION_PARTS,
        (
            (
                cell(code(action_id)),
                cell(text(_VERDICTS[decision.verdicts.get(action_id)])),
                settings(decision.edits.get(action_id, {})),
                cell(code(recorded.will_run.get(action_id, "")[:12])),
            )
            for action_id in dict.fromkeys((*planned, *decision.verdicts))
        ),
    )
    return Paragraph(said), comment, verdicts


def suppressed_table(suppressed: Iterable[SuppressedFinding]) -> Table | None:
    """Each problem that is left alone, once, with the reason."""
    items = {item.finding.fingerprint: item for item in suppressed}
    return rows_table(
        _SUPPRESSED_COLUMNS,
        _SUPPRESSED_PARTS,
        (
            (
                cell(code(item.finding.record_id)),
                cell(code(item.finding.kind)),
                cell(text(item.finding.issue)),
                cell(text(item.reason)),
            )
            for item in items.values()
        ),
    )


def messages_to_send(handed: Iterable[ForPerson]) -> tuple[Block, ...]:
    """The messages that a person may send by hand, each to be copied."""
    return tuple(
        block
        for item in handed
        if item.message
        for block in (
            Paragraph((*code(item.record_id), *text(": "), *code(item.kind))),
            Copied(tuple(item.message.split("\n"))),
        )
    )


def for_person_table(handed: Iterable[ForPerson]) -> Table | None:
    """Each problem that no tool repairs, with the reason."""
    return rows_table(
        _PERSON_COLUMNS,
        _PERSON_PARTS,
        ((cell(code(item.record_id)), cell(code(item.kind)), cell(text(item.reason))) for item in handed),
    )
