"""Looks at the signature of what a program sends us, in the manner of Standard Webhooks: as ours of what we send."""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from daper.adapters.notify.webhook import sign

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
WINDOW: Final = timedelta(minutes=5)
"""How far the time of sending may be from ours: what was sent before can be sent again by whoever has seen it."""

_ID: Final = re.compile(r"[!-~]{1,200}")
_MOST_SIGNATURES: Final = 10  # while a secret is changed there are two


_MISFIT: Final = f"{SIGNATURE} does not fit what was sent"


def why_refused(key: bytes, headers: Mapping[str, str], body: bytes, *, now: datetime) -> str:
    """Why it does not count as sent by whoever has the key, within the last minutes; empty where it does."""
    event_id, sent, given = headers.get(ID, ""), headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not _ID.fullmatch(event_id):
        return f"{ID} has to be 1 to 200 characters of ASCII without blanks"
    if not re.fullmatch(r"[0-9]{1,12}", sent):
        return f"{TIMESTAMP} has to be the time of sending, in seconds since 1970"
    right = sign(key, event_id, int(sent), body)
    found = [hmac.compare_digest(right.encode(), each.encode()) for each in given.split(" ")[:_MOST_SIGNATURES]]
    if not any(found):
        return _MISFIT
    if abs(now.timestamp() - int(sent)) > WINDOW.total_seconds():
        return f"it was sent more than {WINDOW.total_seconds() / 60:g} minutes ago, or is still to come"
    return ""
