"""Sends a message to a server as signed JSON, in the manner of Standard Webhooks. Blocks: call it in a thread."""

import base64
import hashlib
import hmac
import http.client
import json
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from daper import __version__
from daper.adapters.notify.certificates import refused, trusting
from daper.core.errors import TargetRefused, TargetUnreachable
from daper.core.people import WebhookTarget
from daper.deadline import cut_off

PREFIX: Final = "whsec_"
_LEAST_KEY = 24
_MOST_KEY = 64
_AGAIN = frozenset({408, 425, 429})
_UNAVAILABLE = 503
LONGEST_PAUSE: Final = timedelta(minutes=5)  # half of the time after which a message is given up


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered, as far as we look at it. `again`: its Retry-After; `date`: what time it is there."""

    status: int
    again: str = ""
    date: str = ""


def key_of(secret: str) -> bytes | None:
    """The key in a secret: `whsec_` and base64 of 24 to 64 bytes; None where it is no such text."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        return None
    return key if secret.startswith(PREFIX) and _LEAST_KEY <= len(key) <= _MOST_KEY else None


def sign(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """The signature over id, time and body."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(
    target: WebhookTarget,
    secret: str,
    event_id: str,
    document: Mapping[str, object],
    *,
    now: datetime,
    before_body: Callable[[], None] = lambda: None,
) -> None:
    """Send one event. A redirect is not followed: what is signed for one server is for no other.

    `before_body` is called once the server has proved who it is, right before anything is said to it.
    Raises TargetRefused, or TargetUnreachable with the pause that the server asks for, of at most `LONGEST_PAUSE`;
    neither says where the server is.
    """
    key = key_of(secret)
    if key is None:
        raise TargetRefused(f"the secret in {target.secret_env} is not {PREFIX} and base64 of 24 to 64 bytes")
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"daper/{__version__}",
        "Connection": "close",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(key, event_id, timestamp, body),
    }
    try:
        answer = _send(target, body, headers, before_body)
    except ssl.SSLCertVerificationError as error:
        raise TargetRefused(refused(error)) from None
    except TimeoutError:
        raise TargetUnreachable(f"no answer within {target.timeout.total_seconds():g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise TargetUnreachable(f"no answer: {_reason(error)}") from None
    _judge(answer, now)


def pause_of(answer: Answer, now: datetime) -> timedelta | None:
    """How long a server wants to be left alone, at most `LONGEST_PAUSE`; None where it says nothing that we understand.

    A number of seconds, or a date: that one is told by the server's own clock, where it says what time it is.
    """
    again = answer.again.strip()
    if re.fullmatch(r"[0-9]+", again):
        # Not int() of any length: that is refused, or takes long.
        pause = LONGEST_PAUSE if len(again.lstrip("0")) > 6 else timedelta(seconds=int(again))
    else:
        until = _moment(again)
        pause = until - (_moment(answer.date) or now) if until else timedelta()
    return min(pause, LONGEST_PAUSE) if pause > timedelta() else None


def _moment(date: str) -> datetime | None:
    """A date as HTTP has it, in any of its three forms; None for anything else."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _send(target: WebhookTarget, body: bytes, headers: Mapping[str, str], before_body: Callable[[], None]) -> Answer:
    """The answer without its body, which is nobody's."""
    parts = urlsplit(target.url)
    host, seconds = parts.hostname or "", target.timeout.total_seconds()
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=trusting(target.ca_file))
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=seconds)
    )
    path = parts.path or "/"
    try:
        with cut_off(lambda: connection.sock):
            connection.connect()
            before_body()
            connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, headers)
            came = connection.getresponse()
            again, date = came.headers.get("Retry-After", ""), came.headers.get("Date", "")
            return Answer(status=came.status, again=again, date=date)
    finally:
        connection.close()


def _judge(answer: Answer, now: datetime) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if status in _AGAIN or status < 200 or status >= 500:
        # Of another fault, or of an answer before the last one, nobody can tell whether the message was taken.
        certain = status in _AGAIN or status == _UNAVAILABLE
        told = f"the server answered {_named(status)}"
        raise TargetUnreachable(told, retry_after=pause_of(answer, now), certain=certain)
    if 300 <= status < 400:
        raise TargetRefused(f"the server answered {_named(status)}; a redirect is not followed: name the final url")
    raise TargetRefused(f"the server answered {_named(status)}")


def _named(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}".strip()


def _reason(error: OSError | http.client.HTTPException) -> str:
    told = getattr(error, "strerror", None)
    return str(told) if told else type(error).__name__
