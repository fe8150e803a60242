"""The link of a message by which whoever reads that mailbox decides: sealed, for one plan, for a quarter of an hour."""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LASTS: Final = timedelta(minutes=15)
_LONGEST: Final = 2000
_FOR: Final = b"links of messages"


@dataclass(frozen=True, kw_only=True)
class DecisionLink:
    """What a link is for. `number`: the event that was told, one for each target; by it the link counts once."""

    number: str
    repair_id: str
    plan_digest: str
    target: str
    until: datetime


def link_token(key: bytes, *, number: str, repair_id: str, plan_digest: str, target: str, at: datetime) -> str:
    """The text of a link that is made now."""
    until = int((at + LASTS).timestamp())
    said = {"n": number, "r": repair_id, "p": plan_digest, "t": target, "u": until}
    body = _text(json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode())
    return f"{body}.{_seal(key, body)}"


def read_link(key: bytes, token: str, *, now: datetime) -> DecisionLink | None:
    """What a link is for; None where it is none of ours, or too old."""
    body, _, seal = token.partition(".")
    if len(token) > _LONGEST or not hmac.compare_digest(seal.encode(), _seal(key, body).encode()):
        return None
    said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))  # nobody else could have sealed it
    found = DecisionLink(
        number=said["n"],
        repair_id=said["r"],
        plan_digest=said["p"],
        target=said["t"],
        until=datetime.fromtimestamp(said["u"], UTC),
    )
    return found if now < found.until else None


def what_it_uses(link: DecisionLink) -> str:
    """By what it is known that the link was used."""
    return f"link {hashlib.sha256(repr(sorted(asdict(link).items())).encode()).hexdigest()}"


def _seal(key: bytes, body: str) -> str:
    own = hmac.new(key, _FOR, hashlib.sha256).digest()
    return _text(hmac.new(own, body.encode("utf-8", "replace"), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
