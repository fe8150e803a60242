"""What whoever may not come in is answered, in the way that what was asked for is read: by a person, or a program."""

import math
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from daper.entrypoints.web.api.problems import Kind, answer, problem
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.pages.sign_in import go_on_page, sign_in_page
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.ways import API, for_program, path_in, path_of, sign_in_path

_ELSEWHERE = frozenset({"cross-site", "same-site"})
_HOW = "sign in at the console, or send a token: Authorization: Bearer TOKEN"


async def sign_in_first(request: Request) -> Response:
    """Who it is has to be said first; whoever came by a link of another site may have said it long ago."""
    if for_program(request.url.path) or "authorization" in request.headers:
        return answer(problem(Kind.NOT_SIGNED_IN, _HOW), headers={"www-authenticate": "Bearer"})
    if "hx-request" in request.headers:
        way = sign_in_path(path_in(request.headers.get("hx-current-url", "")))
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"hx-redirect": way})
    if request.method not in {"GET", "HEAD"}:
        said = "You were not signed in any more, so nothing was done. Sign in, and do it again."
        return await sign_in_page(request, then=path_in(request.headers.get("referer", "")), said=said, status=401)
    if "text/event-stream" in request.headers.get("accept", ""):
        return PlainTextResponse("sign in first\n", status_code=HTTPStatus.UNAUTHORIZED)
    if _came_from_elsewhere(request):
        return go_on_page(request, path_of(request.scope))
    return RedirectResponse(sign_in_path(path_of(request.scope)), status_code=HTTPStatus.SEE_OTHER)


def signed_out(path: str) -> bytes:
    """The last event of a stream whose person is not signed in any more."""
    if for_program(path):
        return b"event: problem\ndata: %b\n\n" % problem(Kind.NOT_SIGNED_IN, _HOW).model_dump_json().encode()
    return b"event: signed-out\ndata: sign in again\n\n"


def unproven(request: Request) -> Response:
    """A form without its proof."""
    said = (
        "This form is from before you signed in, or from no page of the console; nothing was done. Go back, load the "
        "page again, and send it anew."
    )
    if request.url.path.startswith(API):
        return answer(problem(Kind.FOREIGN, "send it as application/json, or with a token; nothing was done"))
    return page(request, "error.html", status=HTTPStatus.FORBIDDEN, said=said)


def too_often(request: Request, wait: float) -> Response:
    """Somebody was wrong too often."""
    again = math.ceil(wait)
    said = f"too many wrong tokens came from your address; try again in {again} s"
    return answer(problem(Kind.TOO_OFTEN, said), headers={"retry-after": str(again)})


def told(path: str, kind: Kind, said: str) -> Response:
    """In a line, what whoever asked is told before anybody knows who it is; a program is told a problem."""
    if for_program(path):
        return answer(problem(kind, said))
    return PlainTextResponse(f"{said}\n", status_code=kind.status)


def _came_from_elsewhere(request: Request) -> bool:
    """Whether a browser followed a link of another site: then it keeps what it has of a session to itself."""
    headers, cookie = request.headers, console_of(request).reception.cookie
    return (
        headers.get("sec-fetch-site") in _ELSEWHERE
        and headers.get("sec-fetch-mode") == "navigate"
        and cookie not in request.cookies
    )
