"""The report says what is in the result, and record text in it stays text."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import JsonValue
from report_tables import rows_of

from daper.adapters.reports.archive import read_report, write_report
from daper.adapters.reports.repair_report import repair_report
from daper.core.decisions import record
from daper.core.errors import StoreDamaged, StoreError
from daper.core.guard import seal
from daper.core.limits import Between
from daper.core.models import (
    BlockedProposal,
    BoundAction,
    Change,
    Decision,
    Detection,
    Fallback,
    Finding,
    ForPerson,
    IdentityProof,
    Person,
    Plan,
    ProposedAction,
    RecordedDecision,
    RecordHead,
    Risk,
    StoreInfo,
    SuppressedFinding,
    Verdict,
)
from daper.core.outcomes import (
    ActionOutcome,
    Counts,
    OutcomeStatus,
    RecordReport,
    RepairResult,
    Report,
    Verification,
    VerificationStatus,
    VerifiedFinding,
)
from daper.core.phases import Phase
from daper.documents.html import to_html
from daper.documents.markdown import to_markdown

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = (
    "a | b || \\| c\n\n# big\n| x | y |\n|---|---|\r\n```sh\nrm -rf /\n``` `tick` <script>alert(1)</script> <b>bold</b>"
    " <!-- hidden --> [click](http://evil.example/x) ![img](http://evil.example/p.png) <http://evil.example>"
    " https://evil.example/a?b=c www.evil.example [ref]: http://evil.example \u202eesrever\u2066 \x1b[31mred\x1b[0m"
    " \u200b\u2028- item\n1. one\n> quote\n*em* __strong__ ~~gone~~ &lt;i&gt; &#60; \\"
)

PIECES = st.lists(st.sampled_from([*"ab1 \n\r\t|`\\*_[]()<>&!#~:/.-+=$@", "www.", "://", "\u202e"]), max_size=25)


def finding(number: int, text: str) -> Finding:
    return Finding(record_id=f"ORD-{number}{text}", kind=f"never-paid{text}", issue=text, fingerprint=f"f{number}")


def action(number: int, text: str) -> ProposedAction:
    bound = BoundAction(
        cycle_id="c1",
        round=1,
        domain="orders",
        store_id="s1",
        tool="order_inventory",
        record_id=f"ORD-{number}{text}",
        arguments={"quantity": 300, f"note{text}": text},
        reads={},
        editable={"quantity": Between(minimum=100, maximum=400)},
        risk=Risk.MEDIUM,
        if_it_does_not_help=Fallback.HAND_OVER,
    ).to_text()
    return ProposedAction(
        id=f"a{number}",
        text=bound,
        digest=f"digest-of-a{number}",
        preview=(Change(record=f"ORD-{number}", field=f"status{text}", before=f"pending{text}", after="completed"),),
        rationale=text,
        answers=(f"f{number}",),
    )


def outcome(number: int, status: OutcomeStatus, text: str) -> ActionOutcome:
    return ActionOutcome(
        action_id=f"a{number}",
        record_id=f"ORD-{number}{text}",
        tool="order_inventory",
        status=status,
        arguments={"quantity": 250, f"note{text}": text},
        before={f"status{text}": f"pending{text}", "stock": 3},
        after={f"status{text}": "completed"},
        evidence=(f"ledger row {number}{text}", text),
        simulated=True,
        digest=f"digest-of-a{number}" if number != 1 else "digest-of-edited",
    )


def decided(plan: Plan, text: str) -> RecordedDecision:
    decision = Decision(
        plan_digest=plan.digest,
        verdicts={"a1": Verdict.APPROVE, "a2": Verdict.APPROVE, "a3": Verdict.REJECT},
        edits={"a1": {"quantity": 250}},
        by=Person(name=("Minerva" + text)[:200], how=IdentityProof.OS_USER),
        door=("cli" + text)[:200],
        comment="Mind the badges." + text,
    )
    return record(plan, decision, STARTED + timedelta(minutes=5))


def whole_result(text: str = "") -> RepairResult:
    plan = seal(
        Plan(
            actions=tuple(action(number, text) for number in (1, 2, 3, 4)),
            additional_notes="All by the rules." + text,
            suppressed=(SuppressedFinding(finding=finding(6, text), reason="Albus rejected it" + text),),
            blocked=(
                BlockedProposal(record_id="ORD-5" + text, tool=text, arguments={"to": text}, reason="no tool" + text),
            ),
            for_person=(
                ForPerson(
                    record_id="ORD-5", kind="odd", fingerprint="f5", reason="call them" + text, message="To: X\n" + text
                ),
            ),
        ),
        cycle_id="c1",
    )
    applied, rejected, unnamed = OutcomeStatus.APPLIED, OutcomeStatus.REJECTED, OutcomeStatus.NOT_APPROVED
    heads = tuple(
        RecordHead(record_id=f"ORD-{number}{text}", title=f"Customer {number}{text}", status="pending" + text)
        for number in range(1, 7)
    )
    return RepairResult(
        repair_id="repair-minerva-1" + text,
        cycle_id="c1" + text,
        user="minerva" + text,
        domain="orders" + text,
        store=StoreInfo(store_id="s1" + text, place="/data" + text, counterparty="the Ministry" + text),
        phase=Phase.REPORT_COMPLETED,
        reason="all was done" + text,
        started_at=STARTED,
        ended_at=STARTED + timedelta(minutes=6, seconds=1),
        today=datetime(2025, 6, 28, tzinfo=UTC),
        detection=Detection(confidence_score=0.97, suspects=5, scanned=6, notes="five look odd" + text),
        findings=tuple(finding(number, text) for number in range(1, 6)),
        heads=heads,
        plans=(plan,),
        decisions=(decided(plan, text),),
        outcomes=(
            outcome(1, applied, text),
            outcome(2, applied, text),
            outcome(3, rejected, text),
            outcome(4, unnamed, text),
        ),
        verification=Verification(
            findings=(
                VerifiedFinding(
                    fingerprint="f1",
                    record_id="ORD-1" + text,
                    kind="never-paid" + text,
                    action_id="a1",
                    status=VerificationStatus.RESOLVED,
                    evidence="it is completed" + text,
                ),
            )
        ),
        report=Report(
            summary="Two of five problems were repaired." + text,
            records=tuple(
                RecordReport(
                    record_id=head.record_id,
                    title=head.title,
                    status_before=head.status,
                    status_after="completed" + text,
                    outstanding=("a payment" + text, text),
                )
                for head in heads
            ),
            left_for_person=("call the customer of ORD-5" + text, text or "look at ORD-3"),
            tokens=0,
            cost=Decimal("0.00"),
        ),
        durations={"REPAIR" + text: timedelta(milliseconds=412)},
        counts=Counts(
            problems=5, suppressed=1, proposed=4, applied=2, repaired=1, for_person=2, by_status={"applied" + text: 2}
        ),
    )


def markdown_report(result: RepairResult) -> str:
    return to_markdown(repair_report(result))


def bare_result(phase: Phase, reason: str = "") -> RepairResult:
    return RepairResult(
        repair_id="r1",
        cycle_id="c1",
        user="minerva",
        domain="orders",
        phase=phase,
        reason=reason,
        started_at=STARTED,
        ended_at=STARTED + timedelta(seconds=2),
    )


def parsed(text: str) -> list[Token]:
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


OURS = {"strong_open", "strong_close", "text", "code_inline", "inline", "text_special", "softbreak"}
NEVER = {"html_block", "fence", "code_block", "blockquote_open", "ordered_list_open"}
AUTOLINK = re.compile(r"(?<!\\)://|www\.\w", re.IGNORECASE)
CODE_SPAN = re.compile(r"(?<!\\)`[^`\n]*`")
COPIED = re.compile("^(`{3,})text\n.*?^\\1$", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def blocks_of(text: str) -> list[str]:
    """Headings, paragraphs, lists, tables, rows and cells, after making sure that all inline markup is ours."""
    tokens = parsed(text)
    assert {token.type for token in tokens if not token.block} <= OURS
    # A text to copy is in a fence of ours, which nothing in it closes: what is in it is markup to nobody.
    assert NEVER.isdisjoint(token.type for token in tokens if (token.type, token.info) != ("fence", "text"))
    assert sum(token.type == "fence" for token in tokens) == len(COPIED.findall(text))
    text = COPIED.sub("", text)
    # Readers link bare addresses too; they do not look into code spans.
    assert not AUTOLINK.search(CODE_SPAN.sub("", text))
    assert not HIDDEN.search(text)
    return [token.type for token in tokens if token.block]


def test_s5_the_report_tells_everything_that_the_result_holds() -> None:
    text = markdown_report(whole_result())

    assert text.startswith(
        "# Repair report `repair-minerva-1`\n\n"
        "**Summary:** Two of five problems were repaired.\n\n"
        "**Phase:** `REPORT-COMPLETED` (it has ended, and this is what became of it): all was done\n\n"
        "| fact | value |\n"
        "| --- | --- |\n"
        "| requested by | minerva |\n"
        "| domain | `orders` |\n"
        "| started | 2026-03-01 12:00:00 UTC |\n"
        "| ended | 2026-03-01 12:06:01 UTC |\n"
        "| took | 0:06:01 |\n\n"
        "## Left for a person\n\n"
        "- [ ] call the customer of ORD-5\n- [ ] look at ORD-3\n\n"
        "## Messages to send by hand\n\n"
        "`ORD-5`: `odd`\n\n"
        "```text\nTo: X\n\n```\n\n"
        "## In numbers\n\n"
        "| problems | suppressed | proposed | applied | repaired | requested | undone | for a person |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| 5 | 1 | 4 | 2 | 1 | 0 | 0 | 2 |\n\n"
        "| what became of the problems | number | of all |\n"
        "| --- | --- | --- |\n"
        "| repaired, and verified | 1 | ██████████ |\n"
        "| tried, and not known to be repaired | 1 | ██████████ |\n"
        "| not approved | 2 | ████████████████████ |\n"
        "| left for a person | 1 | ██████████ |\n"
        "| left alone, because it is known | 1 | ██████████ |\n"
    )
    assert rows_of(text, "Records")[0] == "| `ORD-1` | Customer 1 | `pending` | `completed` | a payment |"
    assert rows_of(text, "Verification") == ["| `ORD-1` | `never-paid` | `a1` | `resolved` | it is completed |"]
    assert rows_of(text, "Blocked proposals") == ["| `ORD-5` | - | to = ` ` | rules | no tool |"]
    assert rows_of(text, "Suppressed problems") == ["| `ORD-6` | `never-paid` | - | Albus rejected it |"]


def test_the_report_says_who_decided_what_when_and_through_which_door() -> None:
    result = whole_result()
    text = markdown_report(result)
    plan, runs = result.plans[0].digest[:12], result.decisions[0].will_run

    assert (
        f"Decided by Minerva (os-user) on 2026-03-01 12:05:00 UTC through `cli`, on plan `{plan}`.\n\n"
        "Comment: Mind the badges.\n" in text
    )
    assert rows_of(text, "Decisions") == [
        f"| `a1` | approved | quantity = `250` | `{runs['a1'][:12]}` |",
        f"| `a2` | approved | - | `{runs['a2'][:12]}` |",
        "| `a3` | rejected | - | - |",
        "| `a4` | not approved (not named) | - | - |",
    ]


def test_each_problem_is_listed_once_with_what_happened_to_it() -> None:
    rows = rows_of(markdown_report(whole_result()), "What happened to each problem")

    assert [row.rsplit(" | ", 1)[1] for row in rows] == [
        "`resolved` (`a1` `applied`) |",
        "`a2` `applied` |",
        "`a3` `rejected` |",
        "`a4` `not-approved` |",
        "for a person: call them |",
        "left alone, see below |",
    ]


def test_d4_an_edited_action_shows_the_arguments_that_ran_and_others_what_was_proposed() -> None:
    rows = rows_of(markdown_report(whole_result()), "Actions")

    assert rows[0] == (
        "| `a1` | `ORD-1` | `order_inventory` | quantity = `250`; note = ` ` (edited) | 1 | medium"
        " | `applied` (simulated) | status: `pending` → `completed`; stock: `3` → - | ledger row 1 |"
    )
    assert "quantity = `300`" in rows[1]
    assert "(edited)" not in rows[1]


def test_an_action_without_an_outcome_did_not_run_and_shows_what_was_planned() -> None:
    expired = whole_result().model_copy(
        update={"phase": Phase.APPROVAL_EXPIRED, "outcomes": (), "decisions": (), "verification": None, "report": None}
    )

    text = markdown_report(expired)

    assert "| did not run | planned: ORD-1 status: `pending` → `completed` | - |" in rows_of(text, "Actions")[0]
    assert "Nobody decided anything." in text
    assert "There was nothing to verify." in text
    assert rows_of(text, "Records")[0] == "| `ORD-1` | Customer 1 | `pending` | - | - |"
    assert "**Summary:** 5 problems found, 4 actions proposed, 2 applied." in text


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.NO_REPAIR_NEEDED, ""),
        (Phase.REPAIR_FAILED, "the store is damaged"),
        (Phase.CANCELLED, "stopped by Albus"),
    ],
)
def test_d21_a_repair_that_ended_early_has_a_short_report_that_says_so(phase: Phase, reason: str) -> None:
    text = markdown_report(bare_result(phase, reason))

    assert re.search(
        rf"^\*\*Phase:\*\* `{phase}` \(it has ended; .+\){': ' if reason else ''}{reason}$", text, re.MULTILINE
    )
    assert "No problem was found." in text
    assert "None" not in text
    assert "\n\n\n" not in text
    assert blocks_of(text).count("table_open") == 3


TAME = blocks_of(markdown_report(whole_result("x")))


def test_d13_hostile_text_changes_no_table_and_no_block() -> None:
    assert blocks_of(markdown_report(whole_result(HOSTILE))) == TAME


@settings(max_examples=20, deadline=None)
@given(PIECES.map("".join))
def test_d13_no_text_at_all_changes_a_table_or_a_block(hostile: str) -> None:
    assert blocks_of(markdown_report(whole_result("x" + hostile))) == TAME


def few_texts(text: str) -> str:
    report = Report(summary=text, left_for_person=(text,))
    result = bare_result(Phase.REPAIR_FAILED, text)
    return markdown_report(result.model_copy(update={"report": report, "repair_id": text, "user": text}))


@settings(max_examples=150, deadline=None)
@given(PIECES.map("".join).filter(bool))
def test_d13_text_at_the_start_of_a_line_or_a_cell_starts_no_block(hostile: str) -> None:
    assert blocks_of(few_texts(hostile)) == blocks_of(few_texts("x"))


def test_the_same_result_gives_the_same_text() -> None:
    assert markdown_report(whole_result(HOSTILE)) == markdown_report(whole_result(HOSTILE))


def test_a_written_report_is_read_back_and_names_its_files(tmp_path: Path) -> None:
    result = whole_result(HOSTILE)

    paths = write_report(result, tmp_path)

    assert read_report(result.repair_id, tmp_path) == result.model_copy(update={"paths": paths})
    assert Path(paths.markdown_path).read_text(encoding="utf-8") == markdown_report(
        result.model_copy(update={"paths": paths})
    )
    assert {path.name for path in Path(paths.json_path).parent.iterdir()} == {"report.json", "report.md"}


def test_d1_writing_a_report_again_changes_nothing(tmp_path: Path) -> None:
    first = write_report(whole_result(), tmp_path)
    before = Path(first.json_path).read_bytes(), Path(first.markdown_path).read_bytes()

    second = write_report(whole_result(), tmp_path)

    assert second == first
    assert (Path(first.json_path).read_bytes(), Path(first.markdown_path).read_bytes()) == before
    assert len(list(tmp_path.rglob("*"))) == 3


def test_a_write_that_fails_leaves_the_old_report_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_report(whole_result(), tmp_path)

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(StoreError, match="No space left on device"):
        write_report(whole_result().model_copy(update={"reason": "new"}), tmp_path)

    old = read_report("repair-minerva-1", tmp_path)
    assert old is not None
    assert old.reason == "all was done"
    assert {path.name for path in Path(paths.json_path).parent.iterdir()} == {"report.json", "report.md"}


def test_a_repair_without_a_report_has_none(tmp_path: Path) -> None:
    assert read_report("nobody", tmp_path) is None


def test_a_file_that_is_no_report_is_refused_by_name(tmp_path: Path) -> None:
    path = Path(write_report(whole_result(), tmp_path).json_path)
    path.write_text("{", encoding="utf-8")

    with pytest.raises(StoreDamaged, match=r"report\.json' is no report"):
        read_report("repair-minerva-1", tmp_path)


@pytest.mark.parametrize(
    "repair_id",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b\\c",
        "a\x00b",
        "-rf",
        "~root",
        "CON",
        "x" * 5000,
        "ä/💥",
        "a\nb",
    ],
)
def test_no_repair_id_leaves_the_folder(tmp_path: Path, repair_id: str) -> None:
    folder = tmp_path / "reports"

    write_report(bare_result(Phase.CANCELLED).model_copy(update={"repair_id": repair_id}), folder)

    written = read_report(repair_id, folder)
    assert written is not None
    assert written.repair_id == repair_id
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    assert len(list(folder.iterdir())) == 1
    assert len(list(folder.rglob("report.json"))) == 1


def test_two_ids_that_sanitise_equally_do_not_share_a_report(tmp_path: Path) -> None:
    first = write_report(bare_result(Phase.CANCELLED).model_copy(update={"repair_id": "a/b"}), tmp_path)
    second = write_report(bare_result(Phase.CANCELLED).model_copy(update={"repair_id": "a-b"}), tmp_path)

    assert first != second
    assert [found and found.repair_id for found in (read_report(name, tmp_path) for name in ("a/b", "a-b"))] == [
        "a/b",
        "a-b",
    ]


LETTER = "Dear $customer_name,\n\nwe wait for $amount." + " Please pay." * 30
SENT = "Payment of order ORD-2\n\nDear Harry Potter,\n\nwe wait for 56.52." + " Please pay." * 30


def with_a_letter(result: RepairResult) -> RepairResult:
    """Its second action writes to somebody, as planned; its first did as well, with words that a person edited."""
    plan = result.plans[0]
    sent = Change(record="orders/ORD-2", field="message", before="none", after=SENT)
    actions = tuple(
        ProposedAction.model_validate(
            each.model_dump() | {"text": bound_with(each, message=LETTER), "preview": (*each.preview, sent)}
        )
        for each in plan.actions
    )
    came_to = {each.action_id: each for each in result.outcomes}
    applied = {"status": OutcomeStatus.APPLIED}
    edited = tuple(
        each.model_copy(update=applied | ({"arguments": {"message": "Pay!\nNow!"}} if each.action_id == "a1" else {}))
        for each in came_to.values()
    )
    plans = (plan.model_copy(update={"actions": actions}), *result.plans[1:])
    return result.model_copy(update={"plans": plans, "outcomes": edited})


def bound_with(action: ProposedAction, **arguments: JsonValue) -> str:
    return action.bound.model_copy(update={"arguments": arguments}).to_text()


def test_a_message_in_the_table_of_actions_is_whole_with_a_sign_for_the_ends_of_its_lines_and_as_it_was_sent() -> None:
    result = with_a_letter(whole_result())
    rows = {row.split(" | ")[0].strip("| `"): row for row in rows_of(markdown_report(result), "Actions")}
    shown = to_html(repair_report(result))
    outcomes = {each.action_id for each in result.outcomes}

    assert not any("U+000A" in page or "more characters" in page for page in (*rows.values(), shown))
    assert "message = `Pay!` ↵ `Now!` (edited)" in rows["a1"]
    assert "56.52" not in rows["a1"], "what is sent is what a person wrote"
    assert len(rows) > 2
    for each in rows.keys() - {"a1", *(each.id for each in result.plans[0].actions if each.id not in outcomes)}:
        assert "message = `Dear $customer_name,` ↵↵ `we wait for $amount. Please pay." in rows[each]
        assert "message: `Payment of order ORD-2` ↵↵ `Dear Harry Potter,` ↵↵ `we wait for 56.52. Please" in rows[each]
    assert "↵↵" in shown
