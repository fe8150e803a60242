"""One plan with every field filled, and every door through which a person sees it, as what stands there."""

import html
import io
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from markdown_it import MarkdownIt
from rich.console import Console

from daper.adapters.notify import letter as letter
from daper.adapters.reports.plan_report import plan_report
from daper.core.guard import seal
from daper.core.limits import Between
from daper.core.models import (
    BlockedProposal,
    BoundAction,
    Change,
    Decision,
    Fallback,
    Finding,
    ForPerson,
    IdentityProof,
    Person,
    Plan,
    ProposedAction,
    RecordHead,
    Risk,
    SuppressedFinding,
    Verdict,
)
from daper.core.notices import Notice, Occasion, plan_message
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView, view_plan
from daper.documents.html import to_html
from daper.documents.markdown import to_markdown
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.repair_view import look_lines
from daper.entrypoints.cli.story import Story
from daper.entrypoints.mcp.forms import question_of
from daper.workflows.details import details

AT: Final = datetime(2026, 3, 1, 9, 0, 12, tzinfo=UTC)
UNTIL: Final = datetime(2026, 3, 1, 21, 0, 12, tzinfo=UTC)
MINERVA: Final = Person(name="Minerva McGonagall", how=IdentityProof.OS_USER)
FINDINGS: Final = {
    "f1": Finding(
        record_id="ORD-1", kind="inventory-short", issue="300 badges are needed, 187 are there.", fingerprint="f1"
    ),
    "f2": Finding(record_id="ORD-1", kind="late", issue="It should have left on Monday.", fingerprint="f2"),
}
MESSAGE: Final = "To: Luna *Lovegood*\nSubject: The <b>sums</b> of ORD-9\n\nDear Luna,\n\nthey are ``` odd."
HEADS: Final = {"ORD-1": RecordHead(record_id="ORD-1", title="Hermione Jean Granger", status="pending-inventory")}


def _action(action_id: str, quantity: int, *, spends: Decimal | None, more: dict[str, object]) -> ProposedAction:
    text = BoundAction(
        cycle_id="c1",
        round=1,
        domain="orders",
        store_id="s1",
        tool="order_inventory",
        record_id="ORD-1",
        arguments={"inventory_to_order": "STP-ORG-001", "quantity": quantity},
        reads={},
        editable={"quantity": Between(minimum=113, maximum=553)},
        risk=Risk.MEDIUM,
        spends=spends,
        if_it_does_not_help=Fallback.UNDO,
    ).to_text()
    return ProposedAction.model_validate(
        {
            "id": action_id,
            "text": text,
            "digest": f"digest-{action_id}",
            "preview": (
                Change(record="orders/ORD-1", field="status", before="pending-inventory", after="restock-ordered"),
                Change(record="inventory/STP-ORG-001", field="stock", before="247", after="447 when delivered"),
            ),
            "rationale": "The supplier has to bring the rest.",
            "answers": ("f1", "f2"),
            **more,
        }
    )


PLAN: Final[Plan] = seal(
    Plan(
        actions=(
            _action(
                "a1",
                200,
                spends=Decimal("170.00"),
                more={
                    "confidence_score": 0.95,
                    "seconded_by": ("fake-2",),
                    "doubts": ("fake-1: They sell slowly.",),
                    "done_before": ("ordered 100 x 'badges', on 2026-02-01",),
                },
            ),
            _action(
                "a2",
                300,
                spends=None,
                more={"confidence_score": 0.625, "proposed_by": "fake-1", "instead_of": "a1"},
            ),
        ),
        overall_confidence_score=0.75,
        additional_notes="Two suppliers are closed until Thursday.",
        suppressed=(
            SuppressedFinding(
                finding=Finding(record_id="ORD-7", kind="never-paid", issue="Not paid.", fingerprint="f7"),
                reason="rejected by Minerva on 2026-02-27",
            ),
        ),
        blocked=(
            BlockedProposal(
                record_id="ORD-8", tool="order_it_all", arguments={}, reason="a quantity of 900 is too much"
            ),
        ),
        for_person=(
            ForPerson(
                record_id="ORD-9", kind="odd-totals", fingerprint="f9", reason="no tool adds them up", message=MESSAGE
            ),
        ),
        left_out=7,
    ),
    cycle_id="c1",
)
VIEW: Final[PlanView] = view_plan(PLAN, heads=HEADS, findings=FINDINGS, partition="2/4")
LOOK: Final = RepairView(
    repair_id="repair-Minerva-1",
    phase=Phase.PENDING_APPROVAL,
    requested_by=MINERVA,
    domain="orders",
    store_id="s1",
    started_at=AT,
    phase_since=AT,
    problems=5,
    plan=VIEW,
    decide_by=UNTIL,
    phases_seen=(Phase.INITIALIZING, Phase.PLANNING_REPAIR, Phase.PENDING_APPROVAL),
    partition="2/4",
)


def _on_terminal(lines: Iterable[str], *, columns: int) -> str:
    shown = io.StringIO()
    screen = Console(file=shown, width=columns, force_terminal=True, color_system=None, highlight=False, markup=False)
    for line in lines:
        say(screen, line)
    return shown.getvalue()


def _asked() -> str:
    verdicts = {"a1": Verdict.APPROVE, "a2": Verdict.APPROVE}
    decision = Decision(plan_digest=PLAN.digest, verdicts=verdicts, by=MINERVA)
    asked = question_of(LOOK.repair_id, VIEW, decision, decide_by=UNTIL).replace('"', "").split("\n")
    assert asked.pop(1).startswith("In short: ")  # what follows says all of it
    return "\n".join(asked)


def _told() -> Notice:
    return plan_message(Occasion.PLAN_WAITS, LOOK, at=AT)


def rendered(page: str) -> str:
    """What a reader of the page sees."""
    body = re.sub(r"</?(code|strong|b|bdi|em|wbr)\b[^>]*>", "", page.partition("</head>")[2] or page)
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


def from_markdown(text: str) -> str:
    """What a reader of Markdown sees."""
    return rendered(MarkdownIt("commonmark").enable("table").render(text))


# What a person sees there, with white space as it comes.
DOORS: Final[dict[str, Callable[[], str]]] = {
    "show, 80 columns": lambda: _on_terminal(look_lines(LOOK), columns=80),
    "show, 200 columns": lambda: _on_terminal(look_lines(LOOK), columns=200),
    "prompt": lambda: _on_terminal(Story().go_on(LOOK), columns=80),
    "Temporal UI": lambda: from_markdown(
        details(Phase.PENDING_APPROVAL, PLAN, "", decide_by=UNTIL, heads=HEADS, findings=FINDINGS, partition="2/4")
    ),
    "form": _asked,
    "mail": lambda: letter.plain_letter(_told(), None),
    "mail, HTML": lambda: rendered(to_html(letter.letter_document(_told(), None))),
    "plan report, Markdown": lambda: from_markdown(to_markdown(plan_report(LOOK, [VIEW]))),
    "plan report, HTML": lambda: rendered(to_html(plan_report(LOOK, [VIEW]))),
}
