"""The report of an ended repair, made from its result and from nothing else. Pure."""

from collections.abc import Iterable

from daper.adapters.reports.actions import actions_table, blocked_table, plans_table, rows_table
from daper.adapters.reports.alike import ACTION_IDS, BECAME, EACH, RECORDS, together
from daper.adapters.reports.decision_log import decision_log, messages_to_send, suppressed_table
from daper.adapters.reports.fates import chart, fates
from daper.adapters.reports.model_costs import by_record, by_role
from daper.adapters.reports.words import PHASES, glossary
from daper.core.lines import partition_words
from daper.core.models import Finding, ForPerson
from daper.core.outbox import MessageOutcome, in_words
from daper.core.outcomes import Counts, RecordReport, RepairResult, Report
from daper.core.phases import Phase
from daper.documents.blocks import (
    LONGEST_PROSE,
    Cell,
    CheckList,
    Column,
    Document,
    Facts,
    Line,
    Numbers,
    Paragraph,
    Part,
    Table,
)
from daper.documents.cells import (
    cell,
    code,
    facts,
    in_a_row,
    listed,
    moment,
    prose,
    score,
    section,
    text,
    took,
    uncut,
)

_LONGEST_MESSAGE = 4000
_RECORD_PARTS = (Part("record", 30), Part("status", 35), Part("outstanding", 35))
_RECORD_OWN = {0: RECORDS, 1: EACH}
_RECORD_COLUMNS = (
    Column("record", 0),
    Column("about", 0),
    Column("status before", 1, "before"),
    Column("status after", 1, "after"),
    Column("outstanding", 2),
)
_FINDING_PARTS = (Part("record", 30), Part("problem", 35), Part("what happened", 35))
_FINDING_OWN = {0: RECORDS, 2: EACH, 4: BECAME}
_FINDING_COLUMNS = (
    Column("record", 0),
    Column("kind", 0),
    Column("problem", 1),
    Column("found by", 1, "found by"),
    Column("what happened", 2),
)
_VERIFIED_PARTS = (Part("record", 30), Part("what was seen afterwards", 70))
_VERIFIED_OWN = {0: RECORDS, 2: ACTION_IDS}
_VERIFIED_COLUMNS = (
    Column("record", 0),
    Column("kind", 0),
    Column("action", 0, "action"),
    Column("status", 1),
    Column("evidence", 1),
)


def repair_report(result: RepairResult, *, whole: bool = False) -> Document:
    """The whole report: what is left for a person comes first, the technical facts last.

    Of rows that say the same, one stands for all; `whole`: each stands for itself.
    """
    planned = {plan.digest: [action.id for action in plan.actions] for plan in result.plans}
    return Document(
        title="Repair report",
        repair_id=result.repair_id,
        made_at=result.ended_at,
        summary=_summary(result),
        state=state(result.phase, result.reason),
        about=_about(result),
        sections=(
            *section("Left for a person", _left(result), otherwise=_nothing_left(result)),
            *section("Messages to send by hand", *messages_to_send(_handed(result))),
            *section(f"In the words of {_narrator(result)}", _narrative(result)),
            *section("What went otherwise than it was set up", _notices(result)),
            *section("In numbers", _numbers(result.counts), chart(result)),
            *section("Records", _records(result, whole=whole), otherwise="No record was looked at closely."),
            *section(
                "What happened to each problem", _findings(result, whole=whole), otherwise="No problem was found."
            ),
            *section("Actions", actions_table(result, whole=whole), otherwise="No action was proposed."),
            *section("Verification", _verification(result, whole=whole), otherwise="There was nothing to verify."),
            *section("Messages", *map(_message, result.messages)),
            *section("Decisions", *decision_log(result.decisions, planned), otherwise="Nobody decided anything."),
            *section(
                "Suppressed problems", suppressed_table(item for plan in result.plans for item in plan.suppressed)
            ),
            *section("Blocked proposals", blocked_table(item for plan in result.plans for item in plan.blocked)),
            *section("Plans", plans_table(result)),
            *section("What language models took", by_role(result), by_record(result)),
            *section("Facts", _facts(result)),
            *section("What the words mean", glossary(result)),
        ),
    )


def state(phase: Phase, reason: str) -> Line:
    """The phase, what it means, and why."""
    because = (*text(": "), *prose(reason)) if reason else ()
    return (*code(phase), *text(f" ({PHASES[phase]})"), *because)


def _summary(result: RepairResult) -> Line:
    if result.report and result.report.summary:
        return prose(result.report.summary)
    counts = result.counts
    return text(f"{counts.problems} problems found, {counts.proposed} actions proposed, {counts.applied} applied.")


def _narrator(result: RepairResult) -> str:
    return result.report.narrated_by if result.report else ""


def _narrative(result: RepairResult) -> Paragraph | None:
    return Paragraph(prose(result.report.narrative)) if result.report and result.report.narrative else None


def _notices(result: RepairResult) -> CheckList | None:
    return CheckList(tuple(map(prose, result.notices))) if result.notices else None


def _about(result: RepairResult) -> Facts:
    return facts(
        [
            ("requested by", cell(text(result.user))),
            ("domain", cell(code(result.domain))),
            ("started", cell(text(moment(result.started_at)))),
            ("ended", cell(text(moment(result.ended_at)))),
            ("took", cell(text(took(result.ended_at - result.started_at)))),
        ]
    )


def _numbers(counts: Counts) -> Numbers:
    return Numbers(
        (
            ("problems", counts.problems),
            ("suppressed", counts.suppressed),
            ("proposed", counts.proposed),
            ("applied", counts.applied),
            ("repaired", counts.repaired),
            ("requested", counts.requested),
            ("undone", counts.undone),
            ("for a person", counts.for_person),
        )
    )


def _left(result: RepairResult) -> CheckList | None:
    left = result.report.left_for_person if result.report else ()
    return CheckList(tuple(map(prose, left))) if left else None


def _handed(result: RepairResult) -> tuple[ForPerson, ...]:
    return tuple({item.fingerprint: item for plan in result.plans for item in plan.for_person}.values())


def _nothing_left(result: RepairResult) -> str:
    return "Look at the phase above and its reason." if result.needs_person else "Nothing is left for a person."


def _records(result: RepairResult, *, whole: bool) -> Table | None:
    rows = (
        (
            cell(code(record.record_id)),
            cell(text(record.title)),
            cell(code(record.status_before)),
            cell(code(record.status_after)),
            listed(map(text, record.outstanding)),
        )
        for record in _record_reports(result)
    )
    return rows_table(_RECORD_COLUMNS, _RECORD_PARTS, together(rows, _RECORD_OWN, whole=whole))


def _record_reports(result: RepairResult) -> Iterable[RecordReport]:
    if result.report and result.report.records:
        return result.report.records
    after = {head.record_id: head.status for head in result.verification.heads} if result.verification else {}
    return (
        RecordReport(
            record_id=head.record_id,
            title=head.title,
            status_before=head.status,
            status_after=after.get(head.record_id, ""),
        )
        for head in result.heads
    )


def _findings(result: RepairResult, *, whole: bool) -> Table | None:
    rows = (
        (
            cell(code(finding.record_id)),
            cell(code(finding.kind)),
            cell(text(finding.issue)),
            _finders(finding),
            fate,
        )
        for finding, fate in fates(result)
    )
    return rows_table(_FINDING_COLUMNS, _FINDING_PARTS, together(rows, _FINDING_OWN, whole=whole))


def _finders(finding: Finding) -> Cell:
    """Who found it and how sure, who else did, and who looked and does not see it."""
    also = (f"also {name}" for name in finding.seconded_by)
    doubts = (f"doubted by {doubt}" for doubt in finding.doubts)
    return listed(map(text, (f"{finding.found_by} ({score(finding.confidence_score)})", *also, *doubts)))


def _verification(result: RepairResult, *, whole: bool) -> Table | None:
    rows = (
        (
            cell(code(item.record_id)),
            cell(code(item.kind)),
            cell(code(item.action_id)),
            cell(code(item.status)),
            cell(text(item.evidence)),
        )
        for item in (result.verification.findings if result.verification else ())
    )
    return rows_table(_VERIFIED_COLUMNS, _VERIFIED_PARTS, together(rows, _VERIFIED_OWN, whole=whole))


def _message(message: MessageOutcome) -> Facts:
    """What became of a message; its text where somebody may have to send it by hand, whole, to be copied."""
    return facts(
        [
            (f"message {message.sequence}", cell(text(in_words(message.state, message.note), longest=LONGEST_PROSE))),
            ("record", cell(code(message.record_id))),
            ("to", cell(text(message.to))),
            ("subject", cell(text(message.subject))),
            ("text", uncut(text(line, longest=_LONGEST_MESSAGE) for line in message.text.splitlines())),
        ]
    )


def _facts(result: RepairResult) -> Facts:
    store, found, report = result.store, result.detection, result.report
    place = (*code(store.store_id), *text(" at "), *code(store.place)) if store else ()
    suspects = (
        f"{found.suspects} suspects of {found.scanned} scanned, {score(found.confidence_score)} sure" if found else ""
    )
    return facts(
        [
            ("cycle", cell(code(result.cycle_id))),
            ("store", cell(place)),
            ("counterparty", cell(text((store.counterparty if store else "") or ""))),
            ("partition", cell(text(result.partition and partition_words(result.partition)))),
            ("today", cell(text(f"{result.today:%Y-%m-%d}" if result.today else ""))),
            (
                "durations",
                cell(in_a_row((*text(name), *text(f" {took(span)}")) for name, span in result.durations.items())),
            ),
            ("detection", cell(text(suspects))),
            ("detection notes", cell(prose(found.notes if found else ""))),
            ("outcomes", cell(in_a_row((*text(name), *text(f" {n}")) for name, n in result.counts.by_status.items()))),
            *(_spent(report) if report else ()),
        ]
    )


def _spent(report: Report) -> tuple[tuple[str, Cell], ...]:
    return (
        ("repairs are sufficient", cell(text(f"{score(report.repairs_sufficient_confidence_score)} sure"))),
        ("tokens", cell(text(report.tokens))),
        ("cost", cell(text(report.cost))),
    )
