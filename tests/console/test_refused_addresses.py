"""Where the console does not listen: nobody comes from another machine unless somebody asks who it is."""

from pathlib import Path

import pytest

from daper.core.access import Access
from daper.core.errors import SettingError
from daper.entrypoints.http import Address
from daper.entrypoints.web.server import serve_console
from daper.settings import Settings, load_settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that is what is refused


def settings_of(home: Path) -> Settings:
    return load_settings(environ={"DAPER_HOME": str(home), "USER_NAME": "Harry"}, folder=home)


@pytest.mark.parametrize(
    "address",
    [
        Address(host=EVERYWHERE, port=0),
        # A proxy comes from this machine, and brings everybody.
        Address(host="127.0.0.1", port=0, public_url="https://daper.example.org"),
    ],
)
async def test_without_tokens_nobody_from_elsewhere_is_served(address: Address, tmp_path: Path) -> None:
    served: list[str] = []
    with pytest.raises(SettingError, match=r"lets other machines in, .* daper mcp token add NAME") as refused:
        await serve_console(settings_of(tmp_path), address, ready=lambda url, guarded: served.append(url))
    assert "--scope approve" in str(refused.value)
    assert not served


async def test_every_address_is_none_that_a_browser_can_name(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.state.tokens().add("Luna", {Access.READ})
    with pytest.raises(SettingError, match="--public-url https://NAME"):
        await serve_console(settings, Address(host=EVERYWHERE, port=0), ready=lambda url, guarded: None)
