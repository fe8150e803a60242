"""Sends a message to a server as signed JSON, in the manner of Standard Webhooks. Blocks: call it in a thread."""

import base64
import hashlib
import hmac
import http.client
import json
import re
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from daper import __version__
from daper.adapters.notify.certificates import refused, trusting
from daper.adapters.notify.deadline import cut_off
from daper.core.errors import TargetRefused, TargetUnreachable
from daper.core.people import WebhookTarget

PREFIX: Final = "whsec_"
_LEAST_KEY = 24
_MOST_KEY = 64
_AGAIN = frozenset({408, 425, 429})
_LONGEST_PAUSE = timedelta(minutes=1)


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


def post(target: WebhookTarget, secret: str, event_id: str, document: Mapping[str, object], *, now: datetime) -> None:
    """Send one event. A redirect is not followed: what is signed for one server is for no other.

    Raises TargetRefused, TargetUnreachable; neither says where the server is.
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
        status, again = _send(target, body, headers)
    except ssl.SSLCertVerificationError as error:
        raise TargetRefused(refused(error)) from None
    except TimeoutError:
        raise TargetUnreachable(f"no answer within {target.timeout.total_seconds():g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise TargetUnreachable(f"no answer: {_reason(error)}") from None
    _judge(status, again)


def _send(target: WebhookTarget, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and Retry-After of the answer; its body is nobody's."""
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
            connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Retry-After", "")
    finally:
        connection.close()


def _judge(status: int, again: str) -> None:
    if 200 <= status < 300:
        return
    if status in _AGAIN or status >= 500:
        seconds = int(again) if re.fullmatch(r"[0-9]{1,6}", again) else 0
        after = min(timedelta(seconds=seconds), _LONGEST_PAUSE) if seconds else None
        raise TargetUnreachable(f"the server answered {_named(status)}", retry_after=after)
    if 300 <= status < 400:
        raise TargetRefused(f"the server answered {_named(status)}; a redirect is not followed: name the final url")
    raise TargetRefused(f"the server answered {_named(status)}")


def _named(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}".strip()


def _reason(error: OSError | http.client.HTTPException) -> str:
    told = getattr(error, "strerror", None)
    return str(told) if told else type(error).__name__
