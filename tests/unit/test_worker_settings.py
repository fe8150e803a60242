"""What may be configured of a worker, and that it is what a worker does."""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest
from temporalio.client import Client
from temporalio.service import ConnectConfig, ServiceClient

from daper import workers
from daper.core.errors import SettingError
from daper.settings import ModelLimits, PagesAddress, Settings, WorkerSettings, load_settings


def configured(folder: Path, **environ: str) -> Settings:
    """The settings of a home of its own."""
    return load_settings(environ={"HOME": str(folder), "DAPER_HOME": str(folder), **environ}, folder=folder)


def test_without_a_word_a_worker_tells_of_itself_at_a_free_port_of_this_machine_alone(tmp_path: Path) -> None:
    settings = configured(tmp_path)

    assert settings.worker == WorkerSettings(pages=PagesAddress("127.0.0.1", 0), at_once=100)
    assert settings.model_limits == ModelLimits(at_once=100, per_minute=None)
    assert settings.model_limits.per_second is None


ADDRESSES: Mapping[str, PagesAddress | None] = {
    "127.0.0.1:9464": PagesAddress("127.0.0.1", 9464),
    "0.0.0.0:65535": PagesAddress("0.0.0.0", 65535),  # noqa: S104 - what somebody may write
    "[::1]:0": PagesAddress("::1", 0),
    "worker-1.hogwarts.example:9464": PagesAddress("worker-1.hogwarts.example", 9464),
    "off": None,
    "OFF": None,
}


@pytest.mark.parametrize("value", ADDRESSES)
def test_where_a_worker_tells_of_itself_may_be_named(value: str, tmp_path: Path) -> None:
    assert configured(tmp_path, DAPER_WORKER_ADDRESS=value).worker.pages == ADDRESSES[value]


WRONG = {
    "DAPER_WORKER_ADDRESS": (
        "9464",
        ":9464",
        "127.0.0.1",
        "127.0.0.1:65536",
        "http://127.0.0.1:9464",
        "::1:9464",
        "no",
    ),
    "DAPER_WORKER_AT_ONCE": ("0", "1001", "-1", "many", "1.5"),
    "DAPER_LLM_AT_ONCE": ("0", "1001", "all"),
    "DAPER_LLM_PER_MINUTE": ("0", "-60", "60/min", "0.5", "100001"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_cannot_be_is_refused_by_name(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"{name} is '{value}'; it must be "):
        configured(tmp_path, **{name: value})


async def test_each_role_of_a_worker_takes_as_much_as_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dict[str, tuple[object, object]]()

    class Full(Exception):
        pass

    class Noted:
        def __init__(self, _: object, *, task_queue: str, **config: object) -> None:
            role = task_queue.partition("--")[2].partition("--")[2] or ("records" if "--" in task_queue else "repairs")
            made[role] = config.get("max_concurrent_activities"), config.get("max_task_queue_activities_per_second")

        async def __aenter__(self) -> NoReturn:
            raise Full

        async def __aexit__(self, *_: object) -> None: ...

        async def shutdown(self) -> None: ...

    monkeypatch.setattr(workers, "Worker", Noted)
    settings = configured(
        tmp_path, DAPER_WORKER_AT_ONCE="7", DAPER_LLM_AT_ONCE="3", DAPER_LLM_PER_MINUTE="90", TEMPORAL_TASK_QUEUE="q"
    )
    service = await ServiceClient.connect(ConnectConfig(target_host="127.0.0.1:1", lazy=True))

    with pytest.raises(Full):
        async with workers.working(Client(service), settings):
            pass

    assert made == {
        "repairs": (None, None),
        "records": (7, None),
        "models": (3, 1.5),
        "people": (7, None),
    }
