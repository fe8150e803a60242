"""Signing in by an OpenID provider: there, and back again."""

import asyncio
import logging
from dataclasses import asdict
from http import HTTPStatus
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daper.core.errors import AccessRefused, DaperError, NotFound, Unreachable
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.identity_provider import Begun, IdentityProvider
from daper.entrypoints.web.pages.sign_in import go_on_page, sign_in_page
from daper.entrypoints.web.reception import Reception
from daper.entrypoints.web.ways import SIGN_IN, onward

BEGIN: Final = f"{SIGN_IN}/oidc"
BACK: Final = f"{BEGIN}/callback"
_LASTS_S: Final = 600
_NOT_BEGUN: Final = "This sign-in was begun in another browser, or too long ago. Begin anew."

log = logging.getLogger(__name__)


async def begin(request: Request) -> Response:
    """Send the browser to the provider; what its answer has to fit stays in the browser, sealed."""
    reception, then = console_of(request).reception, onward(request.query_params.get("next", "/"))
    try:
        url, begun = await _provider(request).begin()
    except (Unreachable, AccessRefused) as error:
        return await _told(request, then, error)
    answer = RedirectResponse(url, status_code=HTTPStatus.SEE_OTHER)
    sealed = _seal(reception).dumps({**asdict(begun), "then": then})
    # Lax, and not strict: the way back begins at the provider.
    answer.set_cookie(
        _cookie(reception),
        sealed,
        path=BEGIN,
        max_age=_LASTS_S,
        httponly=True,
        samesite="lax",
        secure=reception.secure,
    )
    return answer


async def come_back(request: Request) -> Response:
    """Begin a session of whom the provider names, in the browser that was sent there and in no other."""
    reception = console_of(request).reception
    try:
        kept = _seal(reception).loads(request.cookies.get(_cookie(reception), ""), max_age=_LASTS_S)
        begun = Begun(state=kept["state"], nonce=kept["nonce"], verifier=kept["verifier"])
    except (BadSignature, KeyError, TypeError):
        return await sign_in_page(request, then="/", said=_NOT_BEGUN, status=HTTPStatus.BAD_REQUEST)
    then = onward(str(kept.get("then", "/")))
    try:
        person, access = await _provider(request).finish(f"{reception.url}{BACK}?{request.url.query}", begun)
        had = reception.session_text(request.headers)
        text = await asyncio.to_thread(reception.sessions.begin, person, access=access, instead_of=had)
    except DaperError as error:
        answer = await _told(request, then, error)
    else:
        answer = go_on_page(request, then)  # from here: what was just kept is sent to no one who comes from elsewhere
        reception.keep(answer, text)
    answer.delete_cookie(_cookie(reception), path=BEGIN, httponly=True, samesite="lax", secure=reception.secure)
    return answer


async def _told(request: Request, then: str, error: DaperError) -> Response:
    log.warning("nobody was signed in by the OpenID provider", exc_info=error)
    if isinstance(error, Unreachable):
        return await sign_in_page(request, then=then, said=str(error), status=HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(error, AccessRefused):
        return await sign_in_page(request, then=then, said=str(error), status=HTTPStatus.FORBIDDEN)
    said = "Nobody can sign in just now; what is wrong is in the console's log."
    return await sign_in_page(request, then=then, said=said, status=HTTPStatus.SERVICE_UNAVAILABLE)


def _provider(request: Request) -> IdentityProvider:
    provider = console_of(request).reception.provider
    if provider is None:
        raise NotFound("there is no OpenID provider to sign in by: DAPER_OIDC_ISSUER is not set")
    return provider


def _seal(reception: Reception) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(reception.key, salt="signing in by an OpenID provider")


def _cookie(reception: Reception) -> str:
    return f"{reception.cookie.removeprefix('__Host-')}-oidc"


ROUTES: Final = (Route(BEGIN, begin, name="oidc"), Route(BACK, come_back, name="oidc-callback"))
