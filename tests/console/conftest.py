"""A shop with its console, and a browser."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright, expect
from temporalio.testing import WorkflowEnvironment

from tests.console.served import served
from tests.workflow.shop import Shop, open_shop

PATIENCE_MS: Final = 90_000  # what is waited for comes from workers that share two cores with other tests


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; take a context of your own in it. `make test` installs it where it is not there."""
    found = shutil.which("chromium")
    assert found, "there is no chromium: make browser"
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=found)
        make = opened.new_context

        async def patient(**options: Any) -> BrowserContext:  # Any: what Playwright takes
            context = await make(**options)
            context.set_default_timeout(PATIENCE_MS)
            return context

        opened.new_context = patient  # type: ignore[method-assign]  # for all who use it
        yield opened
        await opened.close()


@pytest.fixture
async def shop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Shop]:
    """The shipped records in a home of their own, with a worker."""
    async with open_shop(temporal_env, tmp_path) as opened:
        yield opened


@pytest.fixture
async def url(shop: Shop) -> AsyncIterator[str]:
    """Where its console answers."""
    async with served(shop) as where:
        yield where
