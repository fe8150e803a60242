"""The passkey over a plan: whoever approves what is dangerous signs its digest, with a key that nobody else has.

A challenge is made of the plan's digest and of a number that is used once, and sealed for one session; so what was
signed for one plan, in one session, fits no other, and counts once.
"""

import asyncio
import hashlib
import ipaddress
import json
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    options_to_json,
    verify_authentication_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from daper.adapters.visitors import Passkey
from daper.clock import utc_now
from daper.core.errors import AccessRefused
from daper.core.models import IdentityProof, Person
from daper.core.policy import ApprovalPolicy
from daper.core.views import PlanView
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.visitors import visitor_of

SIGNED: Final = "passkey"
CHALLENGE: Final = "passkey_challenge"
VALID_FOR: Final = timedelta(minutes=5)
_LONGEST: Final = 20_000
_AGAIN: Final = "; nothing was decided. Load the page again and sign anew"


def step_up_required(plan: PlanView, policy: ApprovalPolicy, approved: Collection[str] | None = None) -> bool:
    """Whether approving these actions of a plan needs a passkey; None: all of them."""
    wanted = (action for action in plan.actions if approved is None or action.id in approved)
    return any(policy.needs_passkey(action.risk) for action in wanted)


async def challenge(request: Request, digest: str) -> dict[str, Any]:
    """What a browser has a passkey sign for this plan, and what comes back with it. Raises AccessRefused."""
    known = await passkeys_of(request)
    if not known:
        raise AccessRefused("you have no passkey; make one on your own page, at /passkeys")
    number = secrets.token_urlsafe(32)
    options = generate_authentication_options(
        rp_id=relying_party(request),
        challenge=_challenge(number, digest),
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.credential_id)) for each in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    sealed = _seal(request).dumps({"number": number, "digest": digest, "session": _session(request)})
    return {"options": json.loads(options_to_json(options)), "challenge": sealed}


async def verify_step_up(request: Request, digest: str) -> Person:
    """Who signed this plan's digest just now, in the form of this request.

    Raises AccessRefused, with the way on, where nobody did, or it was for another plan, in another session, by
    somebody else's passkey, too long ago, or counted already.
    """
    form = await request.form()
    signed, sealed = str(form.get(SIGNED, "")), str(form.get(CHALLENGE, ""))
    if not signed or not sealed:
        raise AccessRefused("this needs your passkey, and the form came without it; nothing was decided")
    if len(signed) > _LONGEST:
        raise AccessRefused(f"what came is no passkey{_AGAIN}")
    number = _number(request, sealed, digest)
    passkey, count = await _verified(request, signed, _challenge(number, digest))
    kept, owner = console_of(request).reception.kept, owner_of(request)
    if not await asyncio.to_thread(kept.once.use, f"passkey {number}", utc_now() + 2 * VALID_FOR):
        raise AccessRefused(f"this signature counted already{_AGAIN}")
    await asyncio.to_thread(kept.passkeys.signed, owner, passkey.credential_id, count)
    return Person(name=visitor_of(request).person.name, how=IdentityProof.PASSKEY)


async def passkeys_of(request: Request) -> tuple[Passkey, ...]:
    """Those of whoever asks. Raises AccessRefused for who has not signed in."""
    passkeys = console_of(request).reception.kept.passkeys
    return await asyncio.to_thread(passkeys.of, owner_of(request))


def owner_of(request: Request) -> str:
    """Whose passkeys count: those of the token that somebody signed in with, so that a new token begins with none.

    Raises AccessRefused for who has not signed in by a session.
    """
    visitor = visitor_of(request)
    if not visitor.session:
        raise AccessRefused("passkeys are of people who sign in to the console, and here nobody did")
    return visitor.owner


def relying_party(request: Request) -> str:
    """The name that passkeys are bound to: that by which the browser came. Raises AccessRefused where it is none."""
    host = urlsplit(origin_of(request)).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    raise AccessRefused(f"browsers know no passkeys for {host}: come by a name, on this machine as localhost")


def origin_of(request: Request) -> str:
    """Where the browser says that a page of ours is; the guard let in none but our own names."""
    scheme = "https" if console_of(request).reception.secure else "http"
    return f"{scheme}://{request.headers['host']}"


def _number(request: Request, sealed: str, digest: str) -> str:
    """The number in a challenge of ours, of this plan and this session."""
    try:
        said = _seal(request).loads(sealed, max_age=int(VALID_FOR.total_seconds()))
        number, of, session = str(said["number"]), str(said["digest"]), str(said["session"])
    except (BadSignature, KeyError, TypeError):
        raise AccessRefused(f"it was signed too long ago, or for nothing that was asked here{_AGAIN}") from None
    if not secrets.compare_digest(session, _session(request)):
        raise AccessRefused(f"it was signed in another session{_AGAIN}")
    if not secrets.compare_digest(of.encode(), digest.encode()):
        raise AccessRefused(f"your passkey signed another plan than this one{_AGAIN}")
    return number


async def _verified(request: Request, signed: str, expected: bytes) -> tuple[Passkey, int]:
    """Which passkey of this person signed that, and how often it has by now."""
    known = {each.credential_id: each for each in await passkeys_of(request)}
    try:
        credential = cast("dict[str, Any]", json.loads(signed))
        passkey = known[str(credential["id"])]
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=expected,
            expected_rp_id=relying_party(request),
            expected_origin=origin_of(request),
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
        raise AccessRefused(f"no passkey of yours signed this{_AGAIN}") from None
    return passkey, verified.new_sign_count


def _challenge(number: str, digest: str) -> bytes:
    return hashlib.sha256(f"daper plan\n{number}\n{digest}".encode()).digest()


def _session(request: Request) -> str:
    return bytes_to_base64url(hashlib.sha256(visitor_of(request).session.encode()).digest())


def _seal(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(console_of(request).reception.key, salt="a passkey over a plan")
