"""Signing in by an OpenID provider: whom it names comes in, and nothing that only looks like its answer does."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey
from playwright.async_api import Browser as RealBrowser

from daper.core.errors import SettingError
from daper.entrypoints.http import Address
from daper.settings import Part, load_settings
from tests.console.desk import Browser, Desk
from tests.console.listening import listening
from tests.console.provider import CLIENT_ID, CLIENT_SECRET, Provider


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    found = Provider()
    async with listening(found.app, Address(host="127.0.0.1", port=0)) as port:
        found.issuer = f"http://127.0.0.1:{port}"
        yield found


def environ(provider: Provider, **more: str) -> dict[str, str]:
    told = {"ISSUER": provider.issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, **more}
    return {f"DAPER_OIDC_{name}": value for name, value in told.items()}


@pytest.fixture
def desk(tmp_path: Path, provider: Provider) -> Desk:
    """A console with that provider and no tokens."""
    return Desk(tmp_path / "home", environ=environ(provider))


@pytest.fixture
async def visitor(desk: Desk) -> AsyncIterator[Browser]:
    async with desk.browser() as found:
        yield found


async def back_from(visitor: Browser, then: str = "/") -> str:
    """Go to the provider; where it sends the browser back to."""
    gone = await visitor.get(f"/sign-in/oidc?next={then}")
    assert gone.status_code == 303, gone.text
    async with httpx2.AsyncClient() as client:
        came = await client.get(gone.headers["location"])
    return came.headers["location"].removeprefix(str(visitor.client.base_url).rstrip("/"))


async def test_whom_the_provider_names_comes_in_with_what_it_says_that_person_may(desk: Desk, visitor: Browser) -> None:
    asked = await visitor.get("/deed?x=1")
    assert "Sign in with" in (await visitor.get(asked.headers["location"])).text
    done = await visitor.get(await back_from(visitor, "/deed%3Fx%3D1"))
    assert done.status_code == 200
    assert 'content="0;url=/deed?x=1"' in done.text
    assert (await visitor.get("/deed")).text == "luna@hogwarts.example oidc"
    assert [cookie.name for cookie in visitor.client.cookies.jar] == [desk.console.reception.cookie]
    assert (await visitor.post("/deed", {"csrf": await visitor.form_key()})).status_code == 200
    await visitor.post("/sign-out", {"csrf": await visitor.form_key()})
    assert (await visitor.get("/deed")).status_code == 303


async def test_claims_may_be_named_otherwise_and_come_with_the_user_info(tmp_path: Path, provider: Provider) -> None:
    provider.person = {"sub": "1"}
    provider.more = {"nick": "Luna", "groups": "x daper:read y"}
    desk = Desk(tmp_path / "home", environ=environ(provider, NAME_CLAIM="nick", SCOPES_CLAIM="groups"))
    async with desk.browser() as visitor:
        assert (await visitor.get(await back_from(visitor))).status_code == 200
        assert (await visitor.get("/deed")).text == "Luna oidc"
        assert (await visitor.post("/deed", {"csrf": await visitor.form_key()})).status_code == 403
    assert desk.deeds == []


def of_another(provider: Provider) -> None:
    provider.key = RSAKey.generate_key(2048, {"kid": "one"})


def by_the_secret(provider: Provider) -> None:
    provider.algorithm = "HS256"


def lies(**claims: object) -> Callable[[Provider], None]:
    def lie(provider: Provider) -> None:
        provider.lie = lambda told: told.update(claims)

    return lie


LIES: dict[str, tuple[Callable[[Provider], None], str]] = {
    "another key": (of_another, "does not fit"),
    "a signature by the secret": (by_the_secret, "does not fit"),
    "another issuer": (lies(iss="http://evil.example"), "does not fit"),
    "for another client": (lies(aud="another"), "does not fit"),
    "for several, and not by us": (lies(aud=[CLIENT_ID, "another"], azp="another"), "does not fit"),
    "an old one": (lies(exp=1, iat=0), "does not fit"),
    "another sign-in": (lies(nonce="another"), "does not fit"),
    "an address that is not verified": (lies(email_verified=False), "has not verified the address"),
    "an address that says it is": (lies(email_verified="false"), "has not verified the address"),
    "no name": (lies(email=""), "tells no name"),
    "a name with a line of its own": (lies(email="a\nb"), "tells no name"),
    "a name that is none": (lies(email=["a"]), "tells no name"),
    "nothing to do here": (lies(daper=[]), "nothing that you may do here"),
    "what nobody knows": (lies(daper="admin READ *"), "nothing that you may do here"),
    "what is no text": (lies(daper={"read": True}), "nothing that you may do here"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_answer_that_does_not_fit_lets_nobody_in(
    desk: Desk, visitor: Browser, provider: Provider, lie: str
) -> None:
    change, said = LIES[lie]
    change(provider)
    refused = await visitor.get(await back_from(visitor))
    assert (refused.status_code, said in refused.text) == (403, True), refused.text
    assert (await visitor.get("/deed")).status_code == 303


async def test_an_answer_counts_once_and_in_the_browser_that_asked(desk: Desk, visitor: Browser) -> None:
    back = await back_from(visitor)
    async with desk.browser() as other:
        assert (await other.get(back)).status_code == 400  # somebody was led to another's answer
        mine = await back_from(other)
        assert (await other.get(back)).status_code == 403  # it is of another sign-in
        assert (await other.get(mine)).status_code == 400  # which is over
    assert (await visitor.get(f"{back}&iss=http://evil.example")).status_code == 403
    async with desk.browser() as third:
        back = await back_from(third)
        kept = dict(third.client.cookies)
        assert (await third.get(back)).status_code == 200
        third.client.cookies.update(kept)
        assert (await third.get(back)).status_code == 403  # the provider takes a code once


async def test_what_the_browser_keeps_meanwhile_is_sealed(visitor: Browser, desk: Desk) -> None:
    back = await back_from(visitor)
    name = f"{desk.console.reception.cookie}-oidc"
    kept = visitor.client.cookies[name]
    visitor.client.cookies.clear()
    # Not the last letter: some of its bits say nothing.
    visitor.client.cookies.set(name, kept[:-2] + ("A" if kept[-2] != "A" else "B") + kept[-1])
    assert (await visitor.get(back)).status_code == 400
    visitor.client.cookies.clear()
    done = await visitor.get(await back_from(visitor, "//evil.example/"))
    assert 'content="0;url=/"' in done.text


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"issuer": "http://evil.example"}, "calls itself"),
        ({"token_endpoint": "http://evil.example/token"}, "is not https"),
        ({"userinfo_endpoint": "http://evil.example/me"}, "is not https"),
        ({"jwks_uri": None}, "is not https"),
    ],
)
async def test_a_provider_that_is_not_what_it_should_be_is_not_gone_to(
    visitor: Browser, provider: Provider, metadata: dict[str, Any], said: str
) -> None:
    provider.metadata = metadata
    refused = await visitor.get("/sign-in/oidc")
    assert (refused.status_code, said in refused.text) == (403, True), refused.text


async def test_a_provider_that_is_away_is_said_so(tmp_path: Path) -> None:
    with Address(host="127.0.0.1", port=0).listen() as bound:
        port = bound.getsockname()[1]
    gone = Provider()
    gone.issuer = f"http://127.0.0.1:{port}"
    desk = Desk(tmp_path / "home", environ=environ(gone))
    async with desk.browser() as visitor:
        answer = await visitor.get("/sign-in/oidc")
        assert (answer.status_code, "gave no answer" in answer.text) == (503, True)


async def test_a_provider_may_sign_with_a_new_key(visitor: Browser, provider: Provider) -> None:
    await back_from(visitor)
    provider.key = provider.shown = RSAKey.generate_key(2048, {"kid": "one"})
    assert (await visitor.get(await back_from(visitor))).status_code == 200


async def test_a_session_ends_when_nobody_vouches_for_it_any_more(tmp_path: Path, desk: Desk, visitor: Browser) -> None:
    await visitor.get(await back_from(visitor))
    text = visitor.client.cookies[desk.console.reception.cookie]
    assert desk.console.reception.signed_in(text)
    assert Desk(tmp_path / "home").console.reception.signed_in(text) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ISSUER": "http://login.example"}, "DAPER_OIDC_ISSUER is 'http://login.example'; it must be the https"),
        ({"ISSUER": "https://a:b@login.example"}, "DAPER_OIDC_ISSUER holds what looks like"),
        ({"CLIENT_SECRET": ""}, "DAPER_OIDC_CLIENT_SECRET is not set"),
        ({"NAME_CLAIM": "a b"}, "DAPER_OIDC_NAME_CLAIM is 'a b'"),
    ],
)
def test_half_a_provider_is_told(tmp_path: Path, values: dict[str, str], said: str) -> None:
    told = {"ISSUER": "https://login.example", "CLIENT_ID": "daper", "CLIENT_SECRET": "hush", **values}
    given = {f"DAPER_OIDC_{name}": value for name, value in told.items()}
    with pytest.raises(SettingError) as caught:
        load_settings(needs={Part.CONSOLE}, environ={"DAPER_HOME": str(tmp_path), **given}, folder=tmp_path)
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.long
async def test_a_real_browser_signs_in_without_javascript(
    provider: Provider, tmp_path: Path, browser: RealBrowser
) -> None:
    address = Address(host="127.0.0.1", port=0)
    with address.listen() as free:
        port = free.getsockname()[1]
    # The provider is another site than the console: a strict cookie is not sent on the way back from there.
    desk = Desk(tmp_path / "real", port=port, environ=environ(provider), host="localhost")
    async with listening(desk.app, Address(host="localhost", port=port)):
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{desk.url}/deed?x=1")
        await page.get_by_role("link", name=f"Sign in with {urlsplit(provider.issuer).netloc}").click()
        await page.get_by_text("luna@hogwarts.example oidc").wait_for()
        assert page.url == f"{desk.url}/deed?x=1"
        await context.close()
