"""The passkeys of whoever is signed in: which there are, one more, one less; and what is signed for a plan."""

import asyncio
import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any, Final, cast

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from webauthn import (
    base64url_to_bytes,
    generate_registration_options,
    options_to_json,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from daper.clock import utc_now
from daper.core.errors import AccessRefused
from daper.core.text import visible
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.step_up import (
    VALID_FOR,
    challenge,
    origin_of,
    owner_of,
    passkeys_of,
    relying_party,
    verify_step_up,
)
from daper.entrypoints.web.visitors import visitor_of

PASSKEYS: Final = "/passkeys"
FRESH: Final = timedelta(minutes=15)
OF_KEYS: Final = "my passkeys"  # what a passkey signs to add another, or to remove one: no digest of a plan
_LONGEST: Final = 60


async def passkeys(request: Request) -> Response:
    """Those that there are."""
    return page(request, "passkeys.html", passkeys=await passkeys_of(request), of_keys=OF_KEYS)


async def asked(request: Request) -> Response:
    """What is signed for the plan with that digest; it changes nothing."""
    return JSONResponse(await challenge(request, request.query_params.get("plan", "")))


async def new(request: Request) -> Response:
    """What a browser makes a passkey of; it changes nothing."""
    number, known = secrets.token_bytes(32), await passkeys_of(request)
    name = visible(visitor_of(request).person.name, longest=_LONGEST)
    options = generate_registration_options(
        rp_id=relying_party(request),
        rp_name="daper",
        user_name=name,
        user_id=hashlib.sha256(owner_of(request).encode()).digest(),
        challenge=number,
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.credential_id)) for each in known
        ],
        authenticator_selection=AuthenticatorSelectionCriteria(user_verification=UserVerificationRequirement.REQUIRED),
    )
    sealed = _seal(request).dumps({"number": bytes_to_base64url(number), "owner": owner_of(request)})
    return JSONResponse({"options": json.loads(options_to_json(options)), "challenge": sealed})


async def add(request: Request) -> Response:
    """Keep one more: of who has just signed in, or signs with one that is known. A session alone is not enough."""
    form, owner = await request.form(), owner_of(request)
    if await passkeys_of(request):
        await verify_step_up(request, OF_KEYS)
    else:
        begun = visitor_of(request).begun
        if begun is None or utc_now() - begun > FRESH:
            raise AccessRefused("your first passkey is made right after signing in: sign out, and in again")
    number = _number(request, str(form.get("new_challenge", "")), owner)
    try:
        made = verify_registration_response(
            credential=cast("dict[str, Any]", json.loads(str(form.get("new", "")))),
            expected_challenge=number,
            expected_rp_id=relying_party(request),
            expected_origin=origin_of(request),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
        raise AccessRefused("what came is no new passkey; nothing was kept. Load the page again") from None
    kept = console_of(request).reception.kept
    if not await asyncio.to_thread(kept.once.use, f"passkey {bytes_to_base64url(number)}", utc_now() + 2 * VALID_FOR):
        raise AccessRefused("this passkey was kept already, or was removed; make another one")
    label = visible(str(form.get("label", "")).strip() or "a passkey", longest=_LONGEST)
    await asyncio.to_thread(
        kept.passkeys.add,
        owner,
        credential_id=bytes_to_base64url(made.credential_id),
        label=label,
        public_key=bytes_to_base64url(made.credential_public_key),
        sign_count=made.sign_count,
    )
    return RedirectResponse(PASSKEYS, status_code=303)


async def remove(request: Request) -> Response:
    """Forget one, which a passkey of the same person has to sign as well."""
    form = await request.form()
    await verify_step_up(request, OF_KEYS)
    kept = console_of(request).reception.kept
    await asyncio.to_thread(kept.passkeys.remove, owner_of(request), str(form.get("credential", "")))
    return RedirectResponse(PASSKEYS, status_code=303)


def _number(request: Request, sealed: str, owner: str) -> bytes:
    try:
        said = _seal(request).loads(sealed, max_age=int(VALID_FOR.total_seconds()))
        number, of = str(said["number"]), str(said["owner"])
    except (BadSignature, KeyError, TypeError):
        raise AccessRefused("this passkey was begun too long ago; nothing was kept. Load the page again") from None
    if of != owner:
        raise AccessRefused("this passkey was begun by somebody else; nothing was kept")
    return base64url_to_bytes(number)


def _seal(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(console_of(request).reception.key, salt="a new passkey")


ROUTES: Final = (
    Route(PASSKEYS, passkeys, name="passkeys"),
    Route(PASSKEYS, add, methods=["POST"]),
    Route(f"{PASSKEYS}/challenge", asked),
    Route(f"{PASSKEYS}/new", new),
    Route(f"{PASSKEYS}/remove", remove, methods=["POST"]),
)
