"""`daper demo`: the whole cycle on a throw-away copy, with a Temporal of its own."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import find_temporal
from daper.bootstrap import open_service, working
from daper.core.errors import SettingError, UserError
from daper.core.models import Person
from daper.entrypoints.cli.exits import Interrupted, UsageError
from daper.entrypoints.cli.output import console, say
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import on_terminal, run_to_end
from daper.entrypoints.cli.session import Following
from daper.service.repairs import RepairService
from daper.service.requests import StartRepair
from daper.settings import DEFAULT, Settings, load_settings, shown_settings

_STORES: Final = ("json", "sqlite")  # without a server


def demo(
    *,
    auto_approve: Flag = False,
    data: str = "hogwarts",
    store: str = "json",
    as_json: Json = False,
) -> int:
    """One repair of the wizards' shop from end to end, shown live. Needs no server, no key, no network.

    It works on a throw-away copy of the shipped records with an embedded Temporal on a free port, both its own. On a
    terminal it asks for the decision; without one it approves by itself, and says so.

    Parameters
    ----------
    auto_approve
        Approve by policy instead of asking.
    data
        Which shipped records to repair: hogwarts, or trouble, a shop full of odd orders and tricks.
    store
        Where to keep them: json, two files to look at, or sqlite.
    as_json
        Print one JSON document instead of the story.
    """
    if store not in _STORES:
        raise UsageError(f"--store {store!r} must be one of: {', '.join(_STORES)}")
    find_temporal()
    home = _throw_away_folder()
    environ = {
        "DAPER_HOME": str(home),
        "DAPER_ORDERS_DATASET": data,
        "DAPER_ORDERS_STORE": store,
        "TEMPORAL_TASK_QUEUE": "daper-demo",
    }
    try:
        load_settings(environ=environ | _name(home), folder=home)  # a name that cannot be is told before it begins
        return run_to_end(_demo(environ | _name(home), home, auto_approve=auto_approve, as_json=as_json))
    except Interrupted as interrupted:
        shutil.rmtree(home, ignore_errors=True)
        sys.stderr.write("The demo ended early: its server is stopped, its records are deleted.\n")
        return interrupted.exit_code
    except UserError:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _throw_away_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="daper-demo-"))
    except OSError as error:
        raise SettingError(f"no folder for the demo's records can be made: {error}; set TMPDIR") from error


def _name(folder: Path) -> dict[str, str]:
    """Of all that may be configured, the demo takes over who the user is; `folder` holds no .env."""
    rows = {row.name: row for row in shown_settings(folder=folder)}
    user = rows["USER_NAME"]
    return {} if user.source == DEFAULT else {user.name: user.value}


async def _demo(environ: dict[str, str], home: Path, *, auto_approve: bool, as_json: bool) -> int:
    screen = console()
    asks = on_terminal() and not auto_approve and not as_json
    async with embedded_server(log_file=home / "temporal.log") as server:
        settings = load_settings(environ={**environ, "TEMPORAL_ADDRESS": server.address}, folder=home)
        client = await connect(settings)
        async with working(client, settings):
            service = await open_service(settings, client=client)
            by = who_asks(settings)
            if not as_json:
                for line in _opening(settings, asks=asks, auto_approve=auto_approve):
                    say(screen, line)
            repair_id = await _start(service, by, auto_approve=not asks)
            if not as_json:
                say(screen, f"{by.name}'s Repair Workflow started with ID: {repair_id}")
            following = Following(
                service=service,
                screen=screen,
                by=by,
                asks=asks,
                as_json=as_json,
                left_open="Left open; the demo's server ends now, and the repair with it. Nothing was changed.",
            )
            code = await following.to_the_end(repair_id)
    if not as_json:
        say(screen, f"Records, outbox and report stay in {home} until you delete it.")
    return code


def _opening(settings: Settings, *, asks: bool, auto_approve: bool) -> list[str]:
    lines = [
        f"Client connection: [{settings.address}], Namespace: [{settings.namespace}], "
        f"Task Queue: [{settings.task_queue}] (embedded, for this demo alone)",
    ]
    if auto_approve:
        lines.append("Auto-approval is enabled.")
    elif not asks:
        lines.append("No terminal to ask at: the records are a throw-away copy, so the demo approves by itself.")
    return lines


async def _start(service: RepairService, by: Person, *, auto_approve: bool) -> str:
    started = await service.start(StartRepair(requested_by=by, domain="orders", auto_approve=auto_approve))
    return started.repair_id
