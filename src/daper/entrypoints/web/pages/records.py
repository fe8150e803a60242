"""The records: any of them, those with a text or a problem, and one in full with its problems and its repairs."""

from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import StoreError
from daper.core.text import counted
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.forms import asked_line, asked_scope
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require
from daper.ports import Window
from daper.service.record_pages import RecordPageView
from daper.service.selection import RecordFilter

_ON_A_PAGE: Final = 50
_REPAIRS: Final = 10  # of a record
ANY: Final = "any"
_MOST_ROWS: Final = 100
_MOST_COLUMNS: Final = 8


async def records(request: Request) -> Response:
    """Some records, from any one on."""
    require(request, Access.READ)
    console, given = console_of(request), request.query_params
    name = console.settings.domain_or(asked_line(given, "domain"))
    search, status = asked_line(given, "search"), asked_line(given, "status")
    problem = asked_line(given, "problem")
    window = Window(
        most=_ON_A_PAGE, search=search, after=asked_line(given, "after"), before=asked_line(given, "before")
    )
    wanted = RecordFilter(problem=None if problem in {"", ANY} else problem, with_problems=problem == ANY)
    kinds = console.records.kinds(name)
    found = await console.records.page(name, asked_scope(status=status or None), window, now=utc_now(), wanted=wanted)
    asked = {"domain": asked_line(given, "domain"), "search": search, "status": status, "problem": problem}
    return page(
        request,
        "records.html",
        found=found,
        asked=asked,
        kinds=kinds,
        any=ANY,
        domains=console.records.domains,
        domain=name,
        told=_told(found, asked),
        links={
            "all": _link({"domain": asked["domain"]}),
            "first": _link(asked) if window.after or window.before else "",
            "before": _link(asked, before=found.before) if found.before else "",
            "after": _link(asked, after=found.after) if found.after else "",
        },
    )


async def record(request: Request) -> Response:
    """One record in full."""
    require(request, Access.READ)
    console, record_id = console_of(request), str(request.path_params["record_id"])
    name = console.settings.domain_or(asked_line(request.query_params, "domain"))
    line, fields = await console.records.show(name, record_id, now=utc_now())
    repairs, trouble = (), ""
    try:
        repairs = await console.figures.of_record(name, line.head.record_id, limit=_REPAIRS)
    except StoreError as error:  # of the reports, which are elsewhere
        trouble = str(error)
    return page(
        request,
        "record.html",
        is_table=is_table,
        line=line,
        fields=fields,
        domain=name,
        back=_link({"domain": asked_line(request.query_params, "domain")}),
        repairs=repairs,
        trouble=trouble,
        most=_REPAIRS,
    )


def is_table(given: object) -> bool:
    """Whether a list is of things that have the same few plain fields."""
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_ROWS:  # pyright: ignore[reportUnknownArgumentType]
        return False
    # JSON of unknown shape.
    rows = cast("list[object]", given)
    names = [tuple(cast("dict[str, object]", row)) for row in rows if isinstance(row, dict)]
    if len(names) != len(rows) or len(set(names)) > 1 or not 0 < len(names[0]) <= _MOST_COLUMNS:
        return False
    cells = (cell for row in cast("list[dict[str, object]]", rows) for cell in row.values())
    return not any(isinstance(cell, (dict, list)) for cell in cells)


def _link(asked: Mapping[str, str], **place: str) -> str:
    given = {name: value for name, value in {**asked, **place}.items() if value}
    return f"/records?{urlencode(given)}" if given else "/records"


def _told(found: RecordPageView, asked: Mapping[str, str]) -> str:
    """How many there are, in words."""
    if found.total is not None:
        like = " like that" if asked["search"] or asked["status"] or asked["problem"] else ""
        return f"{counted(found.total, 'record')}{like}"
    looked = counted(found.looked_at, "open record")
    return f"{len(found.records)} found in {looked} from here on{'; there are more' if found.after else ''}"


ROUTES: Final = (
    Route("/records", records, name="records"),
    Route("/records/{record_id:path}", record, name="record"),
)
