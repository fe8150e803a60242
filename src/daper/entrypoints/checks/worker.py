"""What `daper doctor` hears from a worker that tells of itself at a fixed address of this machine."""

import http.client
import json
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from daper.adapters.metrics.worker_pages import READY
from daper.core.errors import Unreachable
from daper.core.text import visible
from daper.entrypoints.checks.check import Check, checked, in_thread
from daper.settings import PagesAddress, Settings

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is asked instead of it
_PATIENCE_S: Final = 5.0
_LONGEST: Final = 2000


async def check_worker(settings: Settings) -> list[Check]:
    """Whether the worker there is ready. Nothing where its port is any free one, which only its own words name."""
    where = settings.worker.pages
    if where is None or not where.port:
        return []
    name = f"worker at {where.host}:{where.port}"
    return [await checked(name, partial(in_thread, partial(_ready, where)), needed=False)]


def _ready(where: PagesAddress) -> str:
    """Raises Unreachable where nobody tells that it is ready."""
    asking = http.client.HTTPConnection(_EVERYWHERE.get(where.host, where.host), where.port, timeout=_PATIENCE_S)
    try:
        asking.request("GET", READY)
        answer = asking.getresponse()
        status, said = answer.status, answer.read(_LONGEST)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable("nobody tells anything there; that is fine where no worker of this machine is up") from error
    finally:
        asking.close()
    if status != http.client.OK:
        raise Unreachable(f"not ready: {_reason(said)}")
    if notes := _notes(said):
        raise Unreachable(f"ready, and {notes}")
    return "ready"


def _reason(said: bytes) -> str:
    return visible(
        str(_said(said).get("reason") or "it does not say why, and may be no worker of daper"), longest=_LONGEST
    )


def _notes(said: bytes) -> str:
    notes = _said(said).get("notes")
    every = cast("list[object]", notes) if isinstance(notes, list) else []
    return visible("; ".join(map(str, every)), longest=_LONGEST)


def _said(said: bytes) -> Mapping[str, object]:
    try:
        found: object = json.loads(said)
    except ValueError:
        found = None
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
