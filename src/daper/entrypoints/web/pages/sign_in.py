"""Signing in with a token, and out again; and the page that says as whom one is here."""

import asyncio
import logging
import math
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daper.core.errors import DaperError
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import NOBODY, visitor_of
from daper.entrypoints.web.ways import SIGN_IN, SIGN_OUT, onward

_WRONG: Final = "There is no such token. It may have been removed; whoever gave it to you can make another one."
_NOBODY_CAN: Final = "Nobody can sign in just now; what is wrong is in the console's log."
_ENDED: Final = "You were signed out: your session had ended, or your token was removed."

log = logging.getLogger(__name__)


async def sign_in_page(request: Request, *, then: str, said: str = "", status: int = HTTPStatus.OK) -> Response:
    """The form, which goes on to `then`."""
    reception = console_of(request).reception
    provider = reception.provider_host
    by_token = not provider or await asyncio.to_thread(lambda: reception.by_token)
    return page(request, "sign_in.html", status=status, then=then, said=said, provider=provider, by_token=by_token)


def go_on_page(request: Request, then: str) -> Response:
    """A page that goes on by itself to another one of ours, this time from here."""
    return page(request, "go_on.html", then=then)


async def who_am_i(request: Request) -> Response:
    """The form; for whoever is signed in, as whom, and the way out; where nobody has to sign in, what was wanted."""
    visitor, then = visitor_of(request), onward(request.query_params.get("next", "/"))
    if visitor.signed_in:
        return page(request, "signed_in.html")
    if visitor is not NOBODY:
        return RedirectResponse(then, status_code=HTTPStatus.SEE_OTHER)
    reception = console_of(request).reception
    ended = reception.cookie in request.cookies
    answer = await sign_in_page(request, then=then, said=_ENDED if ended else "")
    if ended:
        reception.forget(answer)
    return answer


async def sign_in(request: Request) -> Response:
    """Begin a session of whoever has the token, always a new one."""
    reception, address = console_of(request).reception, request.client.host if request.client else ""
    form = await request.form()
    then, token = onward(str(form.get("next", "/"))), str(form.get("token", "")).strip()
    if wait := reception.attempts.wait(address):
        again = math.ceil(wait)
        said = f"There were too many wrong tokens from your address. Try again in {again} s."
        answer = await sign_in_page(request, then=then, said=said, status=HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["retry-after"] = str(again)
        return answer
    had = reception.session_text(request.headers)
    reception.attempts.wrong(address)  # before anybody looks: many that come at once are counted too
    try:
        text = await asyncio.to_thread(reception.sign_in, token, instead_of=had)
    except DaperError:
        log.exception("nobody can sign in at the console")  # where what is kept lies is no stranger's business
        return await sign_in_page(request, then=then, said=_NOBODY_CAN, status=HTTPStatus.SERVICE_UNAVAILABLE)
    if text is None:
        return await sign_in_page(request, then=then, said=_WRONG, status=HTTPStatus.UNAUTHORIZED)
    reception.attempts.right(address)
    answer = RedirectResponse(then, status_code=HTTPStatus.SEE_OTHER)
    reception.keep(answer, text)
    return answer


async def sign_out(request: Request) -> Response:
    """End the session, here and for the browser."""
    reception, visitor = console_of(request).reception, visitor_of(request)
    if visitor.session:
        await asyncio.to_thread(reception.sessions.end, visitor.session)
    answer = RedirectResponse(SIGN_IN, status_code=HTTPStatus.SEE_OTHER)
    reception.forget(answer)
    return answer


ROUTES: Final = (
    Route(SIGN_IN, who_am_i, name="sign-in"),
    Route(SIGN_IN, sign_in, methods=["POST"]),
    Route(SIGN_OUT, sign_out, methods=["POST"], name="sign-out"),
)
