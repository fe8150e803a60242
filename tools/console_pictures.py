"""Makes the pictures of the console, each of a real run: `make pictures`.

A Temporal server of its own, a worker, the shipped records, and Chromium at a desk and on a phone. With a folder as
argument it puts every page in every form there, to be looked at: of the shop full of odd orders.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, async_playwright
from temporalio.client import Client
from tests.console.served import serving
from tests.console.tour import Stop, entrance, stops

from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.embedded import embedded_server
from daper.bootstrap import open_services
from daper.core.decisions import answer_plan
from daper.core.models import IdentityProof, Person, Scope
from daper.core.phases import Phase
from daper.core.views import PlanView, RepairView
from daper.domains.temporal.example import OPTIONS, SERVER_ARGUMENTS, owl_post
from daper.service.repairs import RepairService
from daper.service.requests import StartRepair
from daper.service.whole_plan import look_at_whole_plan
from daper.settings import Settings, load_settings
from daper.workers import working
from tools.pictures import PICTURES

_WHO: Final = Person(name="Minerva McGonagall", how=IdentityProof.CLAIMED)
# Of each data set: what repairs are about, the first of which is decided; and a record to look at.
_PARTS: Final = {
    "hogwarts": (
        (
            Scope(record_ids=("ORD-003-RBW",)),
            Scope(record_ids=("ORD-001-HJP",)),
            Scope(record_ids=("ORD-002-HJG", "ORD-004-RHG")),
        ),
        "ORD-002-HJG",
    ),
    "trouble": ((Scope(limit=5), Scope()), "ORD-110-SPT"),
}
_SAFE: Final = Scope(record_ids=("ORD-001-HJP",))  # whose plan a list and a link may decide on
_DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 900}}
_PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
_TALL: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 1500}}  # what one action is told with, as a whole
_SIZES: Final = {"desk": _DESK, "phone": _PHONE}
# Of the docs: a page, at a desk or on a phone, in which theme.
_SHOWN: Final = (
    ("inbox", "phone", "light"),
    ("plan", "phone", "light"),
    ("plan", "desk", "light"),
    ("ended", "desk", "light"),
    ("agents", "desk", "light"),
    ("records", "desk", "dark"),
    ("overview", "desk", "light"),
    ("settings", "phone", "dark"),
)


async def _plan(repairs: RepairService, repair_id: str) -> PlanView:
    """The whole plan, once it waits."""
    async with aclosing(repairs.follow(repair_id)) as looks:
        async for look in looks:
            if isinstance(look, RepairView) and look.phase is Phase.PENDING_APPROVAL and look.plan is not None:
                break
    whole = await look_at_whole_plan(repairs, repair_id)
    if not isinstance(whole, RepairView) or whole.plan is None:
        raise TypeError(f"{repair_id} never waited")
    return whole.plan


async def _started(repairs: RepairService, scope: Scope, *, domain: str = "orders") -> str:
    return (await repairs.start(StartRepair(requested_by=_WHO, domain=domain, scope=scope))).repair_id


@asynccontextmanager
async def _installed(
    home: Path, *, arguments: Sequence[str] = (), **given: str
) -> AsyncGenerator[tuple[Settings, Client, RepairService]]:
    """Temporal and a worker of a home of its own."""
    environ = {"DAPER_HOME": str(home), "USER_NAME": _WHO.name, "TEMPORAL_TASK_QUEUE": "pictures", **given}
    async with embedded_server(log_file=home / "temporal.log", extra_args=arguments) as server:
        settings = load_settings(environ={**environ, "TEMPORAL_ADDRESS": server.address}, folder=home)
        client = await connect(settings)
        async with working(client, settings):
            yield settings, client, (await open_services(settings, client=client)).repairs


@asynccontextmanager
async def _console(home: Path, *, dataset: str) -> AsyncGenerator[tuple[str, tuple[Stop, ...]]]:
    """A console with a repair that ended and others that wait; where it is, and its pages."""
    parts, record = _PARTS[dataset]
    async with _installed(home, DAPER_ORDERS_DATASET=dataset) as (settings, client, repairs):
        first = await _started(repairs, parts[0])
        plan = await _plan(repairs, first)
        *most, last = [action.id for action in plan.actions]
        decision = answer_plan(
            plan,
            approved=most or [last],
            rejected=[last] if most else [],
            by=_WHO,
            door="console",
            comment="As agreed with the house elves.",
        )
        await repairs.decide(first, decision)
        async with aclosing(repairs.follow(first)) as looks:
            async for _ in looks:
                pass
        waiting = [await _started(repairs, part) for part in parts[1:]]
        for repair_id in waiting:
            await _plan(repairs, repair_id)
        async with serving(settings, client) as url:
            yield url, stops(waiting=waiting[-1], ended=first, record=record)


async def _shot(
    browser: Browser, url: str, stop: Stop, size: Mapping[str, Any], theme: Any, path: Path, *, whole: bool
) -> None:
    context = await browser.new_context(base_url=url, color_scheme=theme, **size)
    page = await context.new_page()
    await page.goto(stop.path)
    await page.wait_for_timeout(400)  # for what shows by itself
    await page.screenshot(path=path, full_page=whole)
    await context.close()


async def _stuck(browser: Browser, into: Path) -> None:
    """The plan of a reset, of the demo's workflows that are stuck."""
    with tempfile.TemporaryDirectory() as home:
        options = {f"DAPER_TEMPORAL_{name}": value for name, value in OPTIONS.items()}
        async with (
            _installed(Path(home), arguments=SERVER_ARGUMENTS, **options) as (settings, client, repairs),
            owl_post(client),
            serving(settings, client) as url,
        ):
            waiting = await _started(repairs, Scope(record_ids=("parcel-5",)), domain="temporal")
            await _plan(repairs, waiting)
            path, stop = into / "console-stuck-desk.png", Stop("stuck", f"/repairs/{waiting}")
            await _shot(browser, url, stop, _TALL, "light", path, whole=False)
            sys.stderr.write(f"{path}\n")


async def _entrance(browser: Browser, into: Path) -> None:
    """Each screen of somebody who signs in and decides, in every form."""
    for size in _SIZES:
        for theme in ("light", "dark"):
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                (home / "policy.toml").write_text("[people]\nby_link = true\n", encoding="utf-8")
                async with _installed(home, DAPER_ORDERS_DATASET="hogwarts") as (settings, client, repairs):
                    repair_id = await _started(repairs, _SAFE)
                    digest = (await _plan(repairs, repair_id)).digest
                    async with serving(settings, client, host="localhost") as url:
                        context = await browser.new_context(color_scheme=theme, **_SIZES[size])
                        page = await context.new_page()
                        screens = entrance(page, url, settings, waiting=repair_id, digest=digest)
                        async with aclosing(screens):
                            async for name in screens:
                                path = into / f"console-{name}-{size}{'-dark' if theme == 'dark' else ''}.png"
                                await page.screenshot(path=path, full_page=True)
                                sys.stderr.write(f"{path}\n")
                        await context.close()


async def _make(into: Path | None) -> None:
    with tempfile.TemporaryDirectory() as home:
        console = _console(Path(home), dataset="hogwarts" if into is None else "trouble")
        async with console as (url, pages), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
            named = {stop.name: stop for stop in pages}
            wanted = (
                _SHOWN if into is None else [(name, s, t) for name in named for s in _SIZES for t in ("light", "dark")]
            )
            for name, size, theme in wanted:
                path = (into or PICTURES) / f"console-{name}-{size}{'-dark' if theme == 'dark' else ''}.png"
                await _shot(browser, url, named[name], _SIZES[size], theme, path, whole=into is not None)
                sys.stderr.write(f"{path}\n")
            await _stuck(browser, into or PICTURES)
            if into is not None:
                await _entrance(browser, into)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(_make(Path(sys.argv[1]) if sys.argv[1:] else None))
