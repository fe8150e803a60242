"""What `daper doctor` says of one thing: whether it is as it must be, and the way out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from daper.core.errors import DaperError


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; without a `needed` one no repair can run."""

    name: str
    ok: bool
    what: str
    needed: bool = True


async def checked(name: str, look: Callable[[], Awaitable[str]], *, needed: bool = True) -> Check:
    """What a look found, or why it could not be had; whatever is broken, the rest is still told."""
    try:
        return Check(name, True, await look(), needed)
    except DaperError as error:
        return Check(name, False, str(error), needed)
    except OSError as error:
        where = f"{error.filename!r}: " if error.filename else ""
        return Check(name, False, f"{where}{error.strerror or error}; look at its rights, or move it away", needed)
    except Exception as error:  # noqa: BLE001 - told like the others: a traceback would hide what else is wrong
        return Check(name, False, f"it cannot be looked at ({type(error).__name__}: {error})", needed)


async def in_thread(look: Callable[[], str]) -> str:
    """A look that blocks."""
    return await asyncio.to_thread(look)
