"""Whom `daper mcp --http` will not serve."""

from pathlib import Path

import pytest

from daper.adapters.tokens.files import TokenFile
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import SettingError
from daper.entrypoints.http import Address
from daper.entrypoints.mcp.http import serve_http
from daper.settings import load_settings


@pytest.mark.parametrize(
    "address",
    [
        Address(host="0.0.0.0", port=0),  # noqa: S104 - that is what is refused
        # A proxy comes from this machine, and brings everybody.
        Address(host="127.0.0.1", port=0, public_url="https://daper.example.org/mcp"),
    ],
)
async def test_without_tokens_nobody_from_elsewhere_is_served(address: Address, tmp_path: Path) -> None:
    served: list[str] = []

    with pytest.raises(SettingError, match="daper mcp token add"):
        await serve_http(
            load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path),
            address,
            TokenFile(tmp_path / "mcp-tokens.json", now=utc_now),
            read_only=False,
            ready=lambda url, _: served.append(url),
        )

    assert not served


async def test_every_address_is_none_that_a_client_can_name(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "mcp-tokens.json", now=utc_now)
    tokens.add("Luna", {Access.READ})
    settings = load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path)
    address = Address(host="0.0.0.0", port=0)  # noqa: S104 - that is what is refused

    with pytest.raises(SettingError, match="--public-url http://NAME:PORT/mcp"):
        await serve_http(settings, address, tokens, read_only=False, ready=lambda url, guarded: None)
