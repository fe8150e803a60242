"""The report of an ended repair as Markdown, made from its result and from nothing else. Pure."""

from collections.abc import Iterable

from daper.adapters.reports.actions import actions_table, blocked_table, plans_table
from daper.adapters.reports.decided import decision_log, suppressed_table
from daper.adapters.reports.fates import fates
from daper.adapters.reports.tables import code, listed, moment, prose, score, section, table, took
from daper.core.outcomes import Counts, RecordReport, RepairResult, Report
from daper.core.text import markdown


def markdown_report(result: RepairResult) -> str:
    """The whole report. Text from records, people and models is shown as text, whatever it looks like."""
    lines = [
        f"# Repair {code(result.repair_id)}",
        "",
        f"**Summary:** {_summary(result)}",
        "",
        f"**Phase:** {code(result.phase)}{_because(result.reason)}",
        "",
        *_numbers(result.counts),
        *section("Left for a person", _left(result), otherwise=_nothing_left(result)),
        *section("Records", _records(result), otherwise="No record was looked at closely."),
        *section("What happened to each problem", _findings(result), otherwise="No problem was found."),
        *section("Actions", actions_table(result), otherwise="No action was proposed."),
        *section("Verification", _verification(result), otherwise="There was nothing to verify."),
        *section("Decisions", decision_log(result), otherwise="Nobody decided anything."),
        *section("Suppressed problems", suppressed_table(result)),
        *section("Blocked proposals", blocked_table(result)),
        *section("Plans", plans_table(result)),
        *section("Facts", table(("fact", "value"), _facts(result))),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _summary(result: RepairResult) -> str:
    if result.report and result.report.summary:
        return prose(result.report.summary)
    counts = result.counts
    return f"{counts.problems} problems found, {counts.proposed} actions proposed, {counts.applied} applied."


def _because(reason: str) -> str:
    return f": {prose(reason)}" if reason else ""


def _numbers(counts: Counts) -> list[str]:
    named = {
        "problems": counts.problems,
        "suppressed": counts.suppressed,
        "proposed": counts.proposed,
        "applied": counts.applied,
        "repaired": counts.repaired,
        "requested": counts.requested,
        "undone": counts.undone,
        "for a person": counts.for_person,
    }
    return table(tuple(named), [[str(number) for number in named.values()]])


def _left(result: RepairResult) -> list[str]:
    left = result.report.left_for_person if result.report else ()
    return [*(f"- [ ] {prose(item)}" for item in left), ""] if left else []


def _nothing_left(result: RepairResult) -> str:
    return "Look at the phase above and its reason." if result.needs_person else "Nothing is left for a person."


def _records(result: RepairResult) -> list[str]:
    return table(
        ("record", "about", "status before", "status after", "outstanding"),
        (
            (
                code(record.record_id),
                markdown(record.title),
                code(record.status_before),
                code(record.status_after),
                listed([markdown(item) for item in record.outstanding]),
            )
            for record in _record_reports(result)
        ),
    )


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


def _findings(result: RepairResult) -> list[str]:
    rows = (
        (
            code(finding.record_id),
            code(finding.kind),
            markdown(finding.issue),
            f"{markdown(finding.found_by)} ({score(finding.confidence_score)})",
            fate,
        )
        for finding, fate in fates(result)
    )
    return table(("record", "kind", "problem", "found by", "what happened"), rows)


def _verification(result: RepairResult) -> list[str]:
    found = result.verification.findings if result.verification else ()
    return table(
        ("record", "kind", "action", "status", "evidence"),
        (
            (code(item.record_id), code(item.kind), code(item.action_id), code(item.status), markdown(item.evidence))
            for item in found
        ),
    )


def _facts(result: RepairResult) -> list[tuple[str, str]]:
    store, found = result.store, result.detection
    facts = [
        ("repair", code(result.repair_id)),
        ("cycle", code(result.cycle_id)),
        ("requested by", markdown(result.user)),
        ("domain", code(result.domain)),
        ("store", f"{code(store.store_id)} at {code(store.place)}" if store else ""),
        ("counterparty", markdown(store.counterparty or "") if store else ""),
        ("today", f"{result.today:%Y-%m-%d}" if result.today else ""),
        ("started", moment(result.started_at)),
        ("ended", moment(result.ended_at)),
        ("took", took(result.ended_at - result.started_at)),
        ("durations", listed([f"{markdown(name)} {took(span)}" for name, span in result.durations.items()])),
        (
            "detection",
            f"{found.suspects} suspects of {found.scanned} scanned, {score(found.confidence_score)} sure"
            if found
            else "",
        ),
        ("detection notes", prose(found.notes) if found else ""),
        ("outcomes", listed([f"{markdown(name)} {number}" for name, number in result.counts.by_status.items()])),
        *(_spent(result.report) if result.report else ()),
        ("report", code(result.paths.json_path) if result.paths else ""),
    ]
    return [(name, shown) for name, shown in facts if shown]


def _spent(report: Report) -> list[tuple[str, str]]:
    return [
        ("repairs are sufficient", f"{score(report.repairs_sufficient_confidence_score)} sure"),
        ("tokens", str(report.tokens)),
        ("cost", str(report.cost)),
    ]
