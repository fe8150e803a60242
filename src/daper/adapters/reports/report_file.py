"""The report of a repair, or the plan of one, as a file: Markdown, HTML, PDF or JSON."""

from typing import Literal

from daper.adapters.reports.plan_report import plan_report
from daper.adapters.reports.repair_document import repair_document
from daper.adapters.reports.repair_report import repair_report
from daper.core.errors import UserError
from daper.core.outcomes import RepairResult
from daper.core.views import RepairView, whole_plans
from daper.documents.blocks import Document
from daper.documents.html import to_html
from daper.documents.json_text import json_text
from daper.documents.markdown import to_markdown
from daper.documents.pdf import to_pdf

Form = Literal["markdown", "html", "pdf", "json"]


def report_file(look: RepairView | RepairResult, form: Form, *, plan: bool, whole: bool = False) -> bytes:
    """The file. Of an open repair, and of any where `plan` is wanted, it is about the plan.

    `whole`: as `repair_report` has it. A long PDF takes seconds. Raises UserError where there is no plan, or no PDF can
    be made here.
    """
    if form == "json":
        return json_text(repair_document(look)).encode()
    document = _plan(look) if plan or isinstance(look, RepairView) else repair_report(look, whole=whole)
    match form:
        case "markdown":
            return to_markdown(document).encode()
        case "html":
            return to_html(document).encode()
        case "pdf":
            return to_pdf(document)


def _plan(look: RepairView | RepairResult) -> Document:
    """Raises UserError where there is no plan."""
    if isinstance(look, RepairResult):
        if not look.plans:
            see = f"daper repair report {look.repair_id}"
            raise UserError(f"repair {look.repair_id!r} ended as {look.phase} without a plan; see: {see}")
        return plan_report(look, whole_plans(look))
    if look.plan is None:
        raise UserError(
            f"repair {look.repair_id!r} has no plan yet (phase {look.phase}); "
            f"follow it: daper repair show {look.repair_id} --follow"
        )
    return plan_report(look, [look.plan])
