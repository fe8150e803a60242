"""Pages from templates: everything that comes from records, models and people is text, and stays text."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from daper.core.text import visible
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.visitors import visitor_of
from daper.entrypoints.web.ways import sign_in_path

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_LONGEST: Final = 4000


def shown_text(text: object, longest: int = _LONGEST) -> str:
    """Text as a page shows it: nothing in it is hidden. The template escapes it."""
    return visible(text, longest=longest)


def time_element(at: datetime | None) -> Markup:
    """A moment: the exact UTC, which the script turns into the reader's zone, and leaves in the title."""
    if at is None:
        return Markup("")
    moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    stamp = escape(moment.isoformat(timespec="seconds"))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(stamp, exact, exact)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["text"] = shown_text
    made.filters["time"] = time_element
    made.globals["sign_in_path"] = sign_in_path  # type: ignore[assignment]  # its types know its own globals alone
    return made


ENVIRONMENT: Final = _environment()


def csrf_input(request: Request) -> Markup:
    """What a form carries to show that a page of ours, which this visitor saw, sent it."""
    key = console_of(request).reception.form_key(visitor_of(request))
    return Markup('<input type="hidden" name="csrf" value="{}">').format(key)


# Any: what a template shows.
def page(request: Request, template: str, *, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page, or the part of one that a template is. It knows `visitor`, `console`, its path `here`, `csrf_input()`."""
    text = ENVIRONMENT.get_template(template).render(
        csrf_input=partial(csrf_input, request),
        visitor=visitor_of(request),
        console=console_of(request),
        here=request.url.path,
        **shown,
    )
    return HTMLResponse(text, status_code=status)
