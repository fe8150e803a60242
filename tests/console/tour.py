"""Every page of the console, with something on it: what is looked at under axe-core, and in pictures."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import quote

from playwright.async_api import Page

from daper.adapters.decision_links import link_token
from daper.clock import utc_now
from daper.core.access import Access
from daper.settings import Settings
from tests.console.authenticator import give_authenticator


@dataclass(frozen=True)
class Stop:
    """A page: what it is called, its path, and with which status it answers."""

    name: str
    path: str
    status: int = 200


def stops(*, waiting: str, ended: str, record: str) -> tuple[Stop, ...]:
    """All pages, by the ids of a repair that waits, of one that ended, and of a record with problems."""
    return (
        Stop("inbox", "/"),
        Stop("repairs", "/repairs"),
        Stop("plan", f"/repairs/{quote(waiting)}"),
        Stop("ended", f"/repairs/{quote(ended)}"),
        Stop("agents", "/agents"),
        Stop("records", "/records"),
        Stop("record", f"/records/{quote(record)}"),
        Stop("overview", "/overview"),
        Stop("settings", "/settings"),
        Stop("missing", "/repairs/nobody-started-this", 404),
        Stop("nowhere", "/nowhere", 404),
    )


async def entrance(page: Page, url: str, settings: Settings, *, waiting: str, digest: str) -> AsyncGenerator[str]:
    """Each screen of somebody who signs in and decides, while the page shows it: its name.

    `url`: by a name, for passkeys. `waiting`: a repair whose plan, with that digest, a list and a link may decide on.
    """
    token = settings.state.tokens().add("Luna", tuple(Access))
    key = settings.state.form_key().for_a_server()
    sealed = link_token(key, number="e1", repair_id=waiting, plan_digest=digest, target="owl", at=utc_now())
    await page.goto(f"{url}/passkeys")
    yield "sign-in"
    for each in ("daper_wrong", token):
        await page.get_by_label("Your access token").fill(each)
        await page.get_by_role("button", name="Sign in").click()
        if each != token:
            await page.get_by_role("alert").wait_for()
            yield "sign-in-refused"
    await page.get_by_text("You have none yet").wait_for()
    yield "passkeys-none"
    await give_authenticator(page)
    await page.get_by_label("What you call it").fill("my owl")
    await page.get_by_role("button", name="Make a passkey").click()
    await page.get_by_text("my owl").wait_for()
    yield "passkeys"
    await page.goto(f"{url}/links/{sealed}")
    yield "link"
    await page.goto(url)
    await page.locator("input[name=repair]").check()
    yield "inbox-ticked"
    await page.get_by_role("button", name="Reject").click()
    await page.get_by_text("Back to what waits").wait_for()
    yield "decided"
    await page.goto(f"{url}/links/{sealed}")
    yield "link-too-late"
    await page.goto(url)
    await page.get_by_text("Nothing waits for you").wait_for()
    yield "inbox-empty"
    await page.goto(f"{url}/sign-in")
    yield "signed-in"
