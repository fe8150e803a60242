"""What the demo of stuck workflows needs beside that of other records: workflows that get stuck, and their worker."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daper.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

TEMPORAL: Final = "temporal"
STORY: Final = (
    "An owl post has sent eight parcels, each of them a workflow, and all are stuck. What really became of them:",
    "  - parcel-1, 2, 5 and 8 met a storm, which is over: two are tried again in an hour, 5 failed, 8 ran out of time",
    "  - parcel-3 has an address that nobody knows: trying again does not help",
    "  - parcel-4 was paused in the storm, and forgotten",
    "  - parcel-6 waits for an approval, a signal that was never sent",
    "  - parcel-7 met a bug in the workflow's code, which nobody has mended",
)


def prepare(home: Path) -> dict[str, str]:
    """What is set of the domain that looks at them; and a policy: some of what repairs them is of high risk."""
    from daper.domains.temporal.example import OPTIONS

    (home / "policy.toml").write_text('[grant]\nmax_risk = "high"\n', encoding="utf-8")
    return {f"DAPER_TEMPORAL_{name}": value for name, value in OPTIONS.items()}


def server_arguments() -> Sequence[str]:
    """What their server is started with."""
    from daper.domains.temporal.example import SERVER_ARGUMENTS

    return SERVER_ARGUMENTS


@asynccontextmanager
async def stage(settings: Settings, client: "Client") -> AsyncGenerator[Sequence[str]]:
    """Workflows that are stuck, and a worker for them until left; yields what is told of them, nothing elsewhere.

    Raises Unreachable where they do not get stuck.
    """
    if settings.domain != TEMPORAL:
        yield ()
        return
    from daper.domains.temporal.example import owl_post

    async with owl_post(client):
        yield STORY
