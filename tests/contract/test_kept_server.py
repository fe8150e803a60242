"""The server that keeps repairs in a file: one at a time, found again, and honest when it cannot be had."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from daper.adapters.temporal import kept_server as kept_server
from daper.adapters.temporal.connection import connect
from daper.adapters.temporal.file_lock import FileLock
from daper.adapters.temporal.kept_server import KeptServer, Wish
from daper.adapters.temporal.retention import keep_ended_for
from daper.adapters.temporal.server_file import EmbeddedServer, announce, living_server
from daper.core.errors import Occupied, Unreachable
from tests.contract.test_embedded_server import At, lives, parts_of_a_queue

NEVER_ANSWERS = """#!/bin/sh
exec sleep 1000
"""
DIES_AT_ONCE = """#!/bin/sh
echo the disk has a hole in it
exit 3
"""


@asynccontextmanager
async def opened(home: Path, *, namespace: str = "default") -> AsyncGenerator[tuple[KeptServer, EmbeddedServer]]:
    server = KeptServer(home, namespace=namespace)
    try:
        yield server, (await server.open())[0]
    finally:
        await server.stop()


def program(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> None:
    """Another program in the place of Temporal's."""
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setattr(kept_server, "find_temporal", lambda: path)


@pytest.mark.long
async def test_a_home_has_its_namespace_and_gives_its_address_away_only_while_it_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path, namespace="wizards") as (_, server):
        await connect(At(server.address, namespace="wizards"))
        assert living_server(tmp_path) == server

    assert not lives(server.pid)
    assert living_server(tmp_path) is None


@pytest.mark.long
async def test_the_lock_lives_as_long_as_the_server_and_no_longer_than_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "temporal.db.lock")
    async with opened(tmp_path) as (_, server):
        assert lock.is_held()

        os.kill(server.pid, signal.SIGKILL)

        async with asyncio.timeout(60):
            while lock.is_held():  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.01)


@pytest.mark.long
async def test_a_second_opening_finds_the_first_ones_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, first):
        second, found = await KeptServer(tmp_path, namespace="default").open()

    assert (second, found) == (first, True)


@pytest.mark.long
async def test_many_who_start_at_once_get_one_server(tmp_path: Path) -> None:
    """Even without the lock of `up`: the file's own lock lets one of them through."""
    openings = [KeptServer(tmp_path, namespace="default") for _ in range(4)]
    try:
        answers = await asyncio.gather(*(each.open() for each in openings), return_exceptions=True)
    finally:
        await openings[0].stop()

    servers = {answer[0] for answer in answers if not isinstance(answer, BaseException)}
    assert len(servers) == 1
    assert all(isinstance(answer, Occupied) for answer in answers if isinstance(answer, BaseException))


@pytest.mark.long
async def test_a_holder_that_does_not_answer_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (_, server):
        os.kill(server.pid, signal.SIGSTOP)
        monkeypatch.setattr(kept_server, "_WITHIN_S", 0.3)

        with pytest.raises(Occupied) as caught:
            await KeptServer(tmp_path, namespace="default").open()

    assert f"is held by process {server.pid}, which does not answer at {server.address}" in str(caught.value)
    assert f"kill {server.pid}, then try again" in str(caught.value)


async def test_a_server_that_does_not_come_up_is_ended_and_leaves_the_file_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, tmp_path / "temporal", NEVER_ANSWERS)
    monkeypatch.setattr(kept_server, "_WITHIN_S", 0.3)

    with pytest.raises(Unreachable, match=r"on '.*temporal\.db' does not come up"):
        await KeptServer(tmp_path, namespace="default").open()

    assert not FileLock(tmp_path / "temporal.db.lock").is_held()
    assert living_server(tmp_path) is None


@pytest.mark.long
async def test_a_start_that_is_cancelled_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, tmp_path / "temporal", NEVER_ANSWERS)
    lock = FileLock(tmp_path / "temporal.db.lock")
    opening = asyncio.create_task(KeptServer(tmp_path, namespace="default").open())
    async with asyncio.timeout(60):
        while not lock.text():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)

    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    assert not lock.is_held()


@pytest.mark.long
async def test_a_server_that_dies_again_and_again_is_given_up_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (server, running):
        keeping = asyncio.create_task(server.keep())
        pids = {running.pid}
        async with asyncio.timeout(60):
            while not keeping.done():
                if (now := living_server(tmp_path)) is not None:
                    pids.add(now.pid)
                    with suppress(ProcessLookupError):  # gone since it was looked at
                        os.kill(now.pid, signal.SIGKILL)
                await asyncio.sleep(0.02)
        with pytest.raises(Unreachable, match="died 4 times within seconds"):
            await keeping

    assert len(pids) == 4  # the first one, and three that were started again


async def test_a_program_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, tmp_path / "temporal", DIES_AT_ONCE)

    with pytest.raises(Unreachable, match="the disk has a hole in it"):
        await KeptServer(tmp_path, namespace="default").open()


@pytest.mark.long
async def test_the_servers_log_is_put_aside_when_it_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_server, "_LONGEST_LOG", 10)
    log = tmp_path / "logs" / "temporal.log"
    log.parent.mkdir()
    log.write_text("what was said the last time")

    async with opened(tmp_path):
        assert (tmp_path / "logs" / "temporal.log.1").read_text() == "what was said the last time"


@pytest.mark.long
async def test_the_clients_variables_do_not_reach_the_kept_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "planted-secret")
    async with opened(tmp_path) as (_, server):
        assert b"TEMPORAL_" not in Path(f"/proc/{server.pid}/environ").read_bytes()


@pytest.mark.long
async def test_what_an_older_release_left_in_any_part_of_a_queue_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, server):
        assert await parts_of_a_queue(server.address) == 4  # as all servers on this file before it


async def retention_of(client: Client) -> timedelta:
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    return described.config.workflow_execution_retention_ttl.ToTimedelta()


@pytest.mark.long
async def test_a_retention_is_raised_and_never_lowered(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, server):
        client = await connect(At(server.address))

        await keep_ended_for(client, at_least=timedelta(days=40))
        await keep_ended_for(client, at_least=timedelta(days=30))

        assert await retention_of(client) == timedelta(days=40)


@pytest.mark.parametrize("text", ["", "[]", '{"address": 3, "pid": 1}', '{"address": "127.0.0.1:1"}', "{"])
def test_a_server_file_that_says_nothing_useful_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)

    assert living_server(tmp_path) is None


def test_a_server_file_of_a_process_that_is_gone_is_as_none(tmp_path: Path) -> None:
    announce(tmp_path, EmbeddedServer(address="127.0.0.1:1", pid=2**22 + 1))

    assert living_server(tmp_path) is None


def test_a_lock_that_was_seen_held_stays_held_when_its_file_is_removed(tmp_path: Path) -> None:
    holder, looker = FileLock(tmp_path / "temporal.db.lock"), FileLock(tmp_path / "temporal.db.lock")
    descriptor = holder.take()
    assert descriptor is not None
    holder.sign(descriptor, "somebody")
    assert looker.is_held()

    (tmp_path / "temporal.db.lock").unlink()

    assert looker.is_held()
    assert looker.text() == "somebody"
    os.close(descriptor)
    assert not looker.is_held()


@pytest.mark.long
async def test_removing_the_locks_file_makes_room_for_no_second_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as (first, server):
        keeping = asyncio.create_task(first.keep())
        (tmp_path / "temporal.db.lock").unlink()
        second = KeptServer(tmp_path, namespace="default")

        with pytest.raises(Occupied, match=f"process {server.pid} serves .* temporal.db.lock was removed"):
            await second.open()
        await second.stop()

        assert living_server(tmp_path) == server
        assert not keeping.done()
        keeping.cancel()

    assert not lives(server.pid)
    assert living_server(tmp_path) is None


@pytest.mark.long
async def test_a2_a_server_of_which_every_trace_was_removed_is_still_the_only_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, server):
        (tmp_path / "temporal.db.lock").unlink()
        (tmp_path / "server.json").unlink()
        second = KeptServer(tmp_path, namespace="default")

        with pytest.raises(Occupied, match=r"somebody serves '.*temporal\.db', but temporal.db.lock was removed"):
            await second.open()

        assert lives(server.pid)


@pytest.mark.long
async def test_a_server_that_dies_after_its_locks_file_was_removed_comes_back_at_its_address(tmp_path: Path) -> None:
    async with opened(tmp_path) as (server, before):
        (tmp_path / "temporal.db.lock").unlink()
        keeping = asyncio.create_task(server.keep())
        os.kill(before.pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while (after := living_server(tmp_path)) is None or after.pid == before.pid:
                assert not keeping.done()
                await asyncio.sleep(0.02)
        keeping.cancel()

    assert (after.address, after.ui_url) == (before.address, before.ui_url)


@pytest.mark.long
async def test_a_holder_that_was_refused_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message leaves that to a person."""
    async with opened(tmp_path) as (_, server):
        os.kill(server.pid, signal.SIGSTOP)
        monkeypatch.setattr(kept_server, "_WITHIN_S", 0.3)
        second = KeptServer(tmp_path, namespace="default")

        with pytest.raises(Occupied):
            await second.open()
        await second.stop()

        assert lives(server.pid)
        assert living_server(tmp_path) == server


@pytest.mark.long
async def test_what_is_ended_during_a_start_is_the_new_process_and_not_who_signed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, tmp_path / "temporal", NEVER_ANSWERS)
    monkeypatch.setattr(kept_server, "_BECOME_SERVER", "import time; time.sleep(1000)")  # as long as it has not signed
    lock = FileLock(tmp_path / "temporal.db.lock")
    stranger = await asyncio.create_subprocess_exec("sleep", "1000")
    signed = EmbeddedServer(address="127.0.0.1:1", pid=stranger.pid)
    (tmp_path / "temporal.db.lock").write_text(signed.to_json())
    server = KeptServer(tmp_path, namespace="default")
    opening = asyncio.create_task(server.open())
    try:
        async with asyncio.timeout(60):
            while not lock.is_held():  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)

            server.kill()

            while lock.is_held():  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)
        assert stranger.returncode is None
        assert lives(stranger.pid)
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        stranger.kill()
        await stranger.wait()


@pytest.mark.long
@pytest.mark.parametrize("name", ["work#1", "work?x=1", "100%41", "a b&c;d"])
async def test_the_file_is_in_the_home_whatever_the_home_is_called(tmp_path: Path, name: str) -> None:
    """SQLite would take some signs in a path for the end of it, and two homes for one."""
    async with opened(tmp_path / name):
        assert (tmp_path / name / "temporal.db").is_file()

    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.long
async def test_a_wished_port_that_was_the_other_ones_the_last_time_is_had(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, before):
        pass
    assert before.ui_url is not None
    port = int(before.ui_url.rpartition(":")[2])
    server = KeptServer(tmp_path, namespace="default", wish=Wish(port=port))
    try:
        after, _ = await server.open()
    finally:
        await server.stop()

    assert after.address == f"127.0.0.1:{port}"
    assert after.ui_url != before.ui_url


@pytest.mark.long
@pytest.mark.parametrize("port", ["99999", "0", "9" * 5000])
async def test_a_lock_whose_text_names_no_port_is_as_a_new_one(tmp_path: Path, port: str) -> None:
    said = EmbeddedServer(address=f"127.0.0.1:{port}", pid=1, ui_url=f"http://127.0.0.1:{port}")
    (tmp_path / "temporal.db.lock").write_text(said.to_json())

    async with opened(tmp_path) as (_, server):
        assert living_server(tmp_path) == server


def test_a_lock_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "up.lock")
    descriptor = lock.take()
    assert descriptor is not None
    lock.sign(descriptor, "somebody")

    assert lock.take() is None
    assert lock.text() == "somebody"
    os.close(descriptor)
    assert not lock.is_held()


@pytest.mark.long
async def test_a_server_without_the_namespace_is_started_anew_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, before):
        second = KeptServer(tmp_path, namespace="wizards")
        try:
            after, found = await second.open()
            await connect(At(after.address, namespace="wizards"))
        finally:
            await second.stop()

    assert not found
    assert after.pid != before.pid


@pytest.mark.long
async def test_an_announcement_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (server, running):
        keeping = asyncio.create_task(server.keep())
        (tmp_path / "server.json").unlink()

        async with asyncio.timeout(60):
            while living_server(tmp_path) != running:  # noqa: ASYNC110 - nobody tells of a file
                await asyncio.sleep(0.01)
        keeping.cancel()


def test_a_server_file_that_names_another_machine_is_as_none(tmp_path: Path) -> None:
    announce(tmp_path, EmbeddedServer(address="evil.example:7233", pid=os.getpid()))

    assert living_server(tmp_path) is None
