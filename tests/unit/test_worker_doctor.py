"""What doctor hears from a worker at a fixed address."""

import json
from http import HTTPStatus
from pathlib import Path

import pytest

from daper.adapters.metrics.pages import Answer, pages_at
from daper.entrypoints.checks.worker import check_worker
from daper.settings import Settings, load_settings


def configured(folder: Path, address: str) -> Settings:
    """The settings of a home whose worker tells of itself there."""
    return load_settings(environ={"DAPER_HOME": str(folder), "DAPER_WORKER_ADDRESS": address}, folder=folder)


SAID = {
    "ready": (Answer(b'{"ready": true}\n'), True, "ready"),
    "outdated": (
        Answer(b'{"ready": true, "notes": ["people.toml has changed", "so has another"]}'),
        False,
        "ready, and people.toml has changed; so has another",
    ),
    "draining": (
        Answer(json.dumps({"ready": False, "reason": "it dr\u202eains"}).encode(), HTTPStatus.SERVICE_UNAVAILABLE),
        False,
        "not ready: it dr<U+202E>ains",
    ),
    "no worker": (
        Answer(b"[1]", HTTPStatus.NOT_FOUND),
        False,
        "not ready: it does not say why, and may be no worker of daper",
    ),
    "no JSON": (
        Answer(b"<html>", HTTPStatus.NOT_FOUND),
        False,
        "not ready: it does not say why, and may be no worker of daper",
    ),
}


@pytest.mark.parametrize("who", SAID)
async def test_a_worker_at_a_fixed_port_is_asked_whether_it_is_ready(who: str, tmp_path: Path) -> None:
    said, ok, what = SAID[who]

    async def ready() -> Answer:
        return said

    async with pages_at("127.0.0.1", 0, {"/ready": ready}) as address:
        [check] = await check_worker(configured(tmp_path, address.replace("127.0.0.1", "0.0.0.0")))  # noqa: S104

    assert (check.ok, check.what, check.needed) == (ok, what, False)


async def test_where_nobody_is_that_is_no_trouble_and_a_free_port_is_not_asked_for(tmp_path: Path) -> None:
    async with pages_at("127.0.0.1", 0, {}) as address:
        pass
    [check] = await check_worker(configured(tmp_path, address))

    assert (check.name, check.ok, check.needed) == (f"worker at {address}", False, False)
    assert check.what == "nobody tells anything there; that is fine where no worker of this machine is up"
    assert await check_worker(configured(tmp_path, "127.0.0.1:0")) == []
    assert await check_worker(configured(tmp_path, "off")) == []
