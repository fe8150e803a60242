"""The components of the console, each once, in both themes, at a desk and on a phone."""

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser

from tests.console.axe import objections
from tests.console.in_process import browsing, sample_app

DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 900}}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(
    ("theme", "size"),
    [
        pytest.param("light", DESK, id="desk, light", marks=pytest.mark.long),
        pytest.param("dark", PHONE, id="phone, dark"),
    ],
)
async def test_nothing_is_to_be_said_against_any_component(
    browser: Browser, tmp_path: Path, theme: str, size: dict[str, Any]
) -> None:
    async with browsing(browser, sample_app(tmp_path), color_scheme=theme, **size) as context:
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await page.goto("/sample")
        assert await objections(page) == []
        assert refused == []
        assert await page.title() == "Sample - daper"
