"""A passkey signs the very plan that is approved: once, in that session, by whoever has it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from daper.adapters.visitors import Passkeys
from daper.core.access import Access
from daper.core.models import Risk
from daper.core.policy import ApprovalPolicy
from daper.entrypoints.http import Address
from daper.entrypoints.web import step_up
from daper.entrypoints.web.pages import passkeys as passkey_pages
from daper.entrypoints.web.rendering import ENVIRONMENT, csrf_input
from daper.entrypoints.web.step_up import verify_step_up
from daper.entrypoints.web.visitors import require
from tests.console.authenticator import give_authenticator
from tests.console.desk import ALL, Desk
from tests.console.listening import listening

_FORM = (
    "{% extends 'base.html' %}{% block scripts %}<script src='/static/passkey.js' defer></script>{% endblock %}"
    "{% block main %}<form method='post' action='/approve/{{ plan }}' data-passkey='{{ signs }}'>{{ csrf_input() }}"
    "<button>Approve</button><button data-without-passkey>Reject</button></form>{% endblock %}"
)


@dataclass
class Signing:
    """A desk at which plans are approved with a passkey, and a browser with a device of its own that has some."""

    desk: Desk
    page: Page
    sent: list[dict[str, str]]
    signed: dict[str, str] = field(default_factory=dict[str, str])

    async def approve(self, plan: str, *, signs: str = "", button: str = "Approve") -> str:
        """What comes of it."""
        await self.page.goto(f"{self.desk.url}/approve/{plan}?signs={signs or plan}")
        await self.page.get_by_role("button", name=button).click()
        said = self.page.get_by_role("alert").or_(self.page.locator("pre"))
        await said.first.wait_for()
        if self.sent and button == "Approve":
            self.signed = dict(self.sent[-1])
        return await said.first.inner_text()

    async def again(self, plan: str, **changed: str) -> str:
        """What was sent last, sent anew."""
        answer = await self.page.request.post(
            f"{self.desk.url}/approve/{plan}", form={**self.signed, **changed}, headers={"origin": self.desk.url}
        )
        return await answer.text()

    async def make(self, label: str) -> None:
        await self.page.goto(f"{self.desk.url}/passkeys")
        await self.page.get_by_label("What you call it").fill(label)
        await self.page.get_by_role("button", name="Make a passkey").click()

    async def sign_in_at_passkeys(self, token: str) -> None:
        await self.page.context.clear_cookies()
        await self.page.goto(f"{self.desk.url}/sign-in?next=/passkeys")
        await self.page.get_by_label("Your access token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("heading", name="Your passkeys").wait_for()


def _plans(sent: list[dict[str, str]]) -> Route:
    async def approve(request: Request) -> Response:
        plan = request.path_params["plan"]
        require(request, Access.APPROVE)
        if request.method == "GET":
            signs = request.query_params["signs"]
            template = ENVIRONMENT.from_string(_FORM)
            shown = {"visitor": request.state.visitor, "here": "/", "plan": plan, "signs": signs}
            return HTMLResponse(template.render(csrf_input=lambda: csrf_input(request), console=None, **shown))
        sent.append({name: str(value) for name, value in (await request.form()).items()})
        person = await verify_step_up(request, plan)
        return PlainTextResponse(f"{person.name} {person.how}")

    return Route("/approve/{plan}", approve, methods=["GET", "POST"])


@pytest.fixture
async def luna(browser: Browser, tmp_path: Path) -> AsyncIterator[Signing]:
    """Luna, who has signed in and has no passkey yet."""
    with Address(host="localhost", port=0).listen() as free:
        port = free.getsockname()[1]
    desk = Desk(tmp_path / "home", host="localhost", port=port)
    sent: list[dict[str, str]] = []
    desk.app.router.routes.insert(0, _plans(sent))
    async with listening(desk.app, Address(host="localhost", port=port)):
        context = await browser.new_context()
        page = await context.new_page()
        await give_authenticator(page)
        signing = Signing(desk, page, sent)
        await signing.sign_in_at_passkeys(desk.tokens.add("Luna", ALL))
        yield signing
        await context.close()


@pytest.mark.long
async def test_a_passkey_signs_one_plan_once_in_one_session(luna: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "you have no passkey" in await luna.approve("plan-1")
    await luna.make("my owl")
    await luna.page.get_by_text("my owl").wait_for()

    assert await luna.approve("plan-1") == "Luna passkey"
    assert "no passkey of yours signed this" in await luna.again("plan-1")  # by the count of the device
    assert "signed another plan" in await luna.again("plan-2")
    assert "signed another plan" in await luna.approve("plan-2", signs="plan-1")
    assert "without it" in await luna.again("plan-1", passkey="")
    assert "too long ago, or for nothing" in await luna.again("plan-1", passkey_challenge="x")
    for junk in ("{}", "[]", "null", "{", '{"id": 1}', "[" * 15000, "x" * 30000):
        assert "nothing was decided" in await luna.again("plan-1", passkey=junk)
    assert "without it" in await luna.approve("plan-1", button="Reject")  # which sends the form as it is

    def signed(passkeys: Passkeys, owner: str, credential_id: str, count: int) -> None:
        """As of a device that does not count."""

    monkeypatch.setattr(Passkeys, "signed", signed)
    assert await luna.approve("plan-3") == "Luna passkey"
    assert "counted already" in await luna.again("plan-3")
    monkeypatch.setattr(step_up, "VALID_FOR", timedelta(seconds=-2))
    assert "too long ago" in await luna.approve("plan-4")


@pytest.mark.long
async def test_a_passkey_of_somebody_else_or_of_a_former_token_signs_nothing(luna: Signing) -> None:
    await luna.make("my owl")
    await luna.page.get_by_text("my owl").wait_for()
    assert await luna.approve("plan-1") == "Luna passkey"
    had = luna.signed

    luna.desk.tokens.remove("Luna")
    await luna.sign_in_at_passkeys(luna.desk.tokens.add("Luna", ALL))
    assert "you have no passkey" in await luna.approve("plan-1")
    key = await luna.page.locator("input[name=csrf]").first.get_attribute("value")
    luna.signed = had
    assert "another session" in await luna.again("plan-1", csrf=key or "")


@pytest.mark.long
async def test_a_passkey_is_added_and_removed_by_a_passkey_and_the_first_right_after_signing_in(
    luna: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkey_pages, "FRESH", timedelta(seconds=-1))
    await luna.make("too late")
    await luna.page.get_by_text("right after signing in").wait_for()
    monkeypatch.undo()
    await luna.make("my owl")
    await luna.page.get_by_text("my owl").wait_for()
    monkeypatch.setattr(passkey_pages, "FRESH", timedelta(seconds=-1))

    key = await luna.page.locator("input[name=csrf]").first.get_attribute("value") or ""
    credential = await luna.page.locator("input[name=credential]").get_attribute("value") or ""
    for path, form in (("", {"new": "{}"}), ("/remove", {"credential": credential})):
        answer = await luna.page.request.post(
            f"{luna.desk.url}/passkeys{path}", form={"csrf": key, **form}, headers={"origin": luna.desk.url}
        )
        assert (answer.status, "needs your passkey" in await answer.text()) == (403, True)
    await luna.page.goto(f"{luna.desk.url}/passkeys")
    await luna.page.get_by_role("button", name="Remove my owl").click()
    await luna.page.get_by_text("You have none yet").wait_for()


async def test_who_is_at_this_machine_without_a_session_has_no_passkeys(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    async with desk.browser() as browser:
        refused = await browser.get("/passkeys")
        assert (refused.status_code, "people who sign in" in refused.text) == (403, True)
        desk.tokens.add("Luna", ALL)
        assert (await browser.get("/passkeys")).status_code == 303
        token = desk.tokens.add("Ginny", ALL)
        await browser.sign_in(token)
        refused = await browser.get("/passkeys/new")  # browsers know no passkeys for addresses
        assert (refused.status_code, "come by a name" in refused.text) == (403, True)


def test_the_policy_says_which_risk_needs_one() -> None:
    assert not any(ApprovalPolicy().needs_passkey(risk) for risk in Risk)
    asks = ApprovalPolicy(passkey_from=Risk.MEDIUM)
    assert [asks.needs_passkey(risk) for risk in Risk] == [False, True, True]
