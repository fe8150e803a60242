"""`daper demo`: the whole cycle on a throw-away copy, with a Temporal of its own."""

import shutil
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import find_temporal
from daper.bootstrap import open_service
from daper.core.errors import SettingError, UserError
from daper.core.models import Person
from daper.entrypoints.cli import demo_workflows
from daper.entrypoints.cli.demo_console import demo_console
from daper.entrypoints.cli.demo_workflows import TEMPORAL
from daper.entrypoints.cli.exits import Interrupted, UsageError
from daper.entrypoints.cli.output import console, say
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import on_terminal, run_to_end
from daper.entrypoints.cli.session import Following
from daper.service.repairs import RepairService
from daper.service.requests import StartRepair
from daper.settings import DEFAULT, Settings, load_settings, shown_settings
from daper.workers import working

_STORES: Final = ("json", "sqlite")  # without a server
_ORDERS: Final = "orders"
_IN_FILES: Final = ("payments", "jobs")
_DOMAINS: Final = (_ORDERS, *_IN_FILES, TEMPORAL)


def demo(
    *,
    auto_approve: Flag = False,
    console: Flag = False,
    domain: str = "orders",
    data: str = "hogwarts",
    store: str = "json",
    as_json: Json = False,
) -> int:
    """One repair from end to end, shown live. Needs no server, no key, no network.

    It works on a throw-away copy of the shipped records with an embedded Temporal on a free port, both its own. On a
    terminal it asks for the decision; without one it approves by itself, and says so. With --console the decision is
    given in a browser.

    Parameters
    ----------
    auto_approve
        Approve by policy instead of asking.
    console
        Open the plan in a browser, or print where it is, and wait for the decision there.
    domain
        What to repair: orders, the wizards' shop; what a file declares, payments or jobs, in an SQLite database; or
        temporal, workflows that are stuck.
    data
        Which shipped orders to repair: hogwarts, or trouble, a shop full of odd orders and tricks.
    store
        Where to keep the orders: json, two files to look at, or sqlite.
    as_json
        Print one JSON document instead of the story.
    """
    if store not in _STORES:
        raise UsageError(f"--store {store!r} must be one of: {', '.join(_STORES)}")
    if domain not in _DOMAINS:
        raise UsageError(f"--domain {domain!r} must be one of: {', '.join(_DOMAINS)}")
    if auto_approve and console:
        raise UsageError("--auto-approve and --console contradict each other; leave one of them out")
    find_temporal()
    home = _throw_away_folder()
    environ = {
        "DAPER_HOME": str(home),
        "DAPER_ORDERS_DATASET": data,
        "DAPER_ORDERS_STORE": store,
        "TEMPORAL_TASK_QUEUE": "daper-demo",
        "DAPER_DOMAIN": domain,
    }
    try:
        if domain in _IN_FILES:
            environ |= _example(domain, home)
        if domain == TEMPORAL:
            environ |= demo_workflows.prepare(home)
        load_settings(environ=environ | _name(home), folder=home)  # a name that cannot be is told before it begins
        return run_to_end(
            _demo(environ | _name(home), home, auto_approve=auto_approve, as_json=as_json, elsewhere=console)
        )
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


def _example(name: str, home: Path) -> dict[str, str]:
    """The file of a shipped domain in the home, with a database and its ledger; the variable that names that."""
    try:
        from daper.domains.declared.domain import DeclaredDomain
        from daper.domains.declared.examples import install_example
    except ImportError as error:
        raise SettingError(
            f"--domain {name} needs the extra declared: pip install 'daper[declared]' ({error})"
        ) from error
    variables = install_example(name, home)
    DeclaredDomain(home / "domains" / f"{name}.toml", variables=variables.get).now().store.init()
    return variables


def _name(folder: Path) -> dict[str, str]:
    """Of all that may be configured, the demo takes over who the user is; `folder` holds no .env."""
    rows = {row.name: row for row in shown_settings(folder=folder)}
    user = rows["USER_NAME"]
    return {} if user.source == DEFAULT else {user.name: user.value}


async def _demo(environ: dict[str, str], home: Path, *, auto_approve: bool, as_json: bool, elsewhere: bool) -> int:
    screen = console()
    asks = on_terminal() and not auto_approve and not as_json and not elsewhere
    arguments = demo_workflows.server_arguments() if environ["DAPER_DOMAIN"] == TEMPORAL else ()

    def tell(*lines: str) -> None:
        for line in () if as_json else lines:
            say(screen, line)

    async with embedded_server(log_file=home / "temporal.log", extra_args=arguments) as server:
        settings = load_settings(environ={**environ, "TEMPORAL_ADDRESS": server.address}, folder=home)
        client = await connect(settings)
        async with (
            working(client, settings),
            demo_console(settings, client, screen, quiet=as_json) if elsewhere else nullcontext() as pages,
        ):
            service = await open_service(settings, client=client)
            by = who_asks(settings)
            tell(*_opening(settings, asks=asks or elsewhere, auto_approve=auto_approve))
            async with demo_workflows.stage(settings, client) as story:
                tell(*story)
                repair_id = await _start(service, by, domain=settings.domain, auto_approve=not asks and pages is None)
                tell(f"{by.name}'s Repair Workflow started with ID: {repair_id}")
                following = Following(
                    service=service,
                    screen=screen,
                    by=by,
                    asks=asks,
                    settings=settings,
                    whole=not asks,  # nobody can look again: its server ends with it
                    elsewhere=pages.decided_there if pages else None,
                    as_json=as_json,
                    left_open="Left open; the demo's server ends now, and the repair with it. Nothing was changed.",
                )
                code = await following.to_the_end(repair_id)
            if pages is not None and on_terminal() and not as_json:
                await pages.looked_at()
    tell(f"{_kept(settings.domain)} stay in {home} until you delete it.")
    return code


def _kept(domain: str) -> str:
    return "The ledger of what was done and the report" if domain == TEMPORAL else "Records, outbox and report"


def _opening(settings: Settings, *, asks: bool, auto_approve: bool) -> list[str]:
    lines = [
        f"Client connection: [{settings.address}], Namespace: [{settings.namespace}], "
        f"Task Queue: [{settings.task_queue}] (embedded, for this demo alone)",
    ]
    if auto_approve:
        lines.append("Auto-approval is enabled.")
    elif not asks:
        what = "workflows are the demo's own" if settings.domain == TEMPORAL else "records are a throw-away copy"
        lines.append(f"No terminal to ask at: the {what}, so the demo approves by itself.")
    if settings.domain == TEMPORAL and not asks:
        lines.append("Its policy lets that be of high risk too, which a policy has to say in so many words.")
    return lines


async def _start(service: RepairService, by: Person, *, domain: str, auto_approve: bool) -> str:
    started = await service.start(StartRepair(requested_by=by, domain=domain, auto_approve=auto_approve))
    return started.repair_id
