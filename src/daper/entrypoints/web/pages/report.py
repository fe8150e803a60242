"""The report of a repair, or the plan that it waits with, as a file of four kinds."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.adapters.reports.report_file import Form, report_file
from daper.core.access import Access
from daper.core.errors import NotFound
from daper.core.ids import file_stem
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.visitors import require
from daper.service.whole_plan import look_at_whole_plan

_FORMS: Final[dict[str, tuple[Form, str]]] = {
    "html": ("html", "text/html; charset=utf-8"),
    "pdf": ("pdf", "application/pdf"),
    "md": ("markdown", "text/markdown; charset=utf-8"),
    "json": ("json", "application/json"),
}
# The file is one that a mail can carry, with its styles in it: a page of no origin, on which nothing runs.
_ALONE: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


async def report(request: Request) -> Response:
    """The file: HTML to be read at once, the others to be kept."""
    require(request, Access.READ)
    repair_id, ending = str(request.path_params["repair_id"]), str(request.path_params["ending"])
    if ending not in _FORMS:
        raise NotFound(f"there is no report of the kind {ending!r}; there are: {', '.join(_FORMS)}")
    form, kind = _FORMS[ending]
    look = await look_at_whole_plan(console_of(request).services.repairs, repair_id)
    # In a thread: a long PDF takes seconds, and everybody else is answered meanwhile.
    data = await asyncio.to_thread(report_file, look, form, plan=False)
    name = f"{file_stem(repair_id)}.{ending}"
    shown = "inline" if ending == "html" else "attachment"
    headers = {"content-disposition": f'{shown}; filename="{name}"'}
    if ending == "html":
        headers["content-security-policy"] = _ALONE
    return Response(data, media_type=kind, headers=headers)


ROUTES: Final = (Route("/repairs/{repair_id}/report.{ending}", report, name="report"),)
