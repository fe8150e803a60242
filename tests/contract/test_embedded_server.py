"""The embedded server and connecting to it, with real processes and sockets."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import ListTaskQueuePartitionsRequest
from temporalio.service import RPCError, RPCStatusCode, WorkflowService
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from daper.adapters.temporal import embedded
from daper.adapters.temporal.connection import connect, search_attributes_registered
from daper.adapters.temporal.embedded import embedded_server
from daper.adapters.temporal.program import Ports, find_temporal, free_ports
from daper.adapters.temporal.server_file import EmbeddedServer
from daper.core.errors import SettingError, Unreachable

DEADLINE_S = 60.0
# Leaves as our commands do: while Python is torn down, Temporal's client may abort or never come to an end.
RUNS_A_SERVER = """
import asyncio, os, pathlib, signal, sys
from daper.adapters.temporal.embedded import embedded_server

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored by what it runs beside itself

async def main():
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with embedded_server(log_file=pathlib.Path(sys.argv[1])) as server:
        sys.stdout.write(f"{server.pid}\\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

try:
    asyncio.run(main())
except asyncio.CancelledError:
    os._exit(7)
except KeyboardInterrupt:
    os._exit(8)
"""


@dataclass(frozen=True)
class At:
    """A target as the settings would give it."""

    address: str
    address_source: str = "configured"
    namespace: str = "default"
    temporal: Mapping[str, str] = field(default_factory=dict[str, str])


def lives(pid: int) -> bool:
    """Whether a process is there and is not merely waiting to be reaped by somebody else."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs an embedded server, and prints the server's pid once it is up."""
    command = [sys.executable, "-c", RUNS_A_SERVER, str(tmp_path / "temporal.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        yield process
        process.kill()


def server_pid(child: subprocess.Popen[str]) -> int:
    assert child.stdout is not None
    return int(child.stdout.readline())


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    async with embedded_server(log_file=tmp_path_factory.mktemp("embedded") / "temporal.log") as running:
        yield running


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_address() -> Iterator[str]:
    """Bound by us, so that nobody else can listen there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


async def test_the_server_answers_and_knows_our_search_attributes(server: EmbeddedServer) -> None:
    client = await connect(At(server.address))

    assert await search_attributes_registered(client)
    assert server.address.startswith("127.0.0.1:")
    assert server.ui_url is None


async def parts_of_a_queue(address: str) -> int:
    """In how many parts a server keeps a queue."""
    client = await connect(At(address))
    asked = ListTaskQueuePartitionsRequest(namespace="default", task_queue=TaskQueue(name="any"))
    return len((await client.workflow_service.list_task_queue_partitions(asked)).workflow_task_queue_partitions)


async def test_what_is_kept_by_nobody_needs_no_queues_in_parts(server: EmbeddedServer) -> None:
    assert await parts_of_a_queue(server.address) == 1


async def test_search_attributes_that_are_not_registered_are_seen_to_be_missing(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(At(server.address))
    monkeypatch.setattr("daper.adapters.temporal.connection.SEARCH_ATTRIBUTES", ("DaperPhase", "DaperNever"))

    assert not await search_attributes_registered(client)


async def test_the_server_has_a_session_of_its_own_so_that_a_terminal_cannot_interrupt_it(
    server: EmbeddedServer,
) -> None:
    assert os.getsid(server.pid) == server.pid


@pytest.mark.long
async def test_two_servers_at_once_do_not_collide(tmp_path: Path) -> None:
    async with (
        embedded_server(log_file=tmp_path / "one.log") as one,
        embedded_server(log_file=tmp_path / "two.log") as two,
    ):
        await asyncio.gather(connect(At(one.address)), connect(At(two.address)))

        assert one.pid != two.pid
        assert one.address != two.address
    assert not lives(one.pid)
    assert not lives(two.pid)


@pytest.mark.long
async def test_the_web_page_is_where_the_server_says(tmp_path: Path) -> None:
    async with embedded_server(log_file=tmp_path / "temporal.log", headless=False) as running:
        assert running.ui_url is not None
        _, writer = await asyncio.open_connection("127.0.0.1", int(running.ui_url.rpartition(":")[2]))
        writer.close()
        await writer.wait_closed()


async def test_nothing_is_left_after_a_normal_end(tmp_path: Path) -> None:
    async with embedded_server(log_file=tmp_path / "temporal.log") as running:
        assert lives(running.pid)

    assert not lives(running.pid)


async def test_nothing_is_left_after_an_exception(tmp_path: Path) -> None:
    pids: list[int] = []

    async def fail() -> None:
        async with embedded_server(log_file=tmp_path / "temporal.log") as running:
            pids.append(running.pid)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert not lives(pids[0])


async def test_nothing_is_left_when_the_start_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()
    pids: list[int] = []

    async def never_answers(process: asyncio.subprocess.Process, _: str) -> bool:
        pids.append(process.pid)
        started.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(embedded, "until_it_answers_or_ends", never_answers)

    async def run() -> None:
        async with embedded_server(log_file=tmp_path / "temporal.log"):
            pass

    task = asyncio.create_task(run())
    await started.wait()
    assert lives(pids[0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not lives(pids[0])


async def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_GRACE_S", 0.2)
    async with embedded_server(log_file=tmp_path / "temporal.log") as running:
        os.kill(running.pid, signal.SIGSTOP)  # a stopped process acts on no signal but SIGKILL

    assert not lives(running.pid)


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8)])
def test_nothing_is_left_after_a_signal_to_its_owner(
    child: subprocess.Popen[str], number: signal.Signals, code: int
) -> None:
    pid = server_pid(child)

    child.send_signal(number)

    assert child.wait(DEADLINE_S) == code
    assert not lives(pid)


def test_nothing_is_left_after_kill_9_of_its_owner(child: subprocess.Popen[str]) -> None:
    pid = server_pid(child)
    assert lives(pid)

    child.kill()

    assert eventually(lambda: not lives(pid))


@pytest.mark.long
async def test_a_port_that_was_taken_meanwhile_is_replaced(
    tmp_path: Path, closed_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(closed_address.rpartition(":")[2])
    answers = [replace(free_ports(), http=taken), free_ports()]

    def ports() -> Ports:
        return answers.pop(0)

    monkeypatch.setattr(embedded, "free_ports", ports)
    async with embedded_server(log_file=tmp_path / "temporal.log") as running:
        await connect(At(running.address))

    assert not answers


async def test_a_server_that_ends_at_once_is_reported_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"ended at once, exit code 1; .*unknown flag: --no-such-flag"):
        async with embedded_server(log_file=tmp_path / "temporal.log", extra_args=["--no-such-flag"]):
            pass


async def test_a_server_that_does_not_come_up_in_time_is_ended_and_reported(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"did not answer within 0.01 s; the end of .*temporal.log"):
        async with embedded_server(log_file=tmp_path / "temporal.log", within=timedelta(milliseconds=10)):
            pass


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_the_clients_variables_do_not_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "planted-secret")
    async with embedded_server(log_file=tmp_path / "temporal.log") as running:
        assert b"TEMPORAL_" not in environment_of(running.pid)


def scripts_are_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def get_path(_: str) -> str:
        return str(folder)

    monkeypatch.setattr(sysconfig, "get_path", get_path)


def test_a_missing_program_gives_one_line_with_both_ways_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    scripts_are_in(monkeypatch, tmp_path)

    with pytest.raises(SettingError, match=r"daper\[embedded\].*https://docs.temporal.io/cli") as caught:
        find_temporal()

    assert "\n" not in str(caught.value)


def test_the_program_on_path_is_used_where_the_environment_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "temporal"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    scripts_are_in(monkeypatch, tmp_path / "none")

    assert find_temporal() == program


async def failure(target: At, *, within: timedelta = timedelta(seconds=4)) -> Unreachable | SettingError:
    """The failure to connect: one line, which names the target, and not long after the time that was given."""
    async with asyncio.timeout(60):
        with pytest.raises((Unreachable, SettingError)) as caught:
            await connect(target, within=within)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_a_refused_connection_says_what_to_start(closed_address: str) -> None:
    error = await failure(At(closed_address))

    assert isinstance(error, Unreachable)
    assert str(error) == (
        f"Temporal at {closed_address!r} (configured), namespace 'default' cannot be reached: nothing listens there; "
        "start one: daper up; or name one: TEMPORAL_ADDRESS"
    )


async def test_a_name_that_does_not_resolve_is_said_to_be_that() -> None:
    assert "its name cannot be resolved" in str(await failure(At("no-such-host.invalid:7233")))


@pytest.mark.long
async def test_an_address_that_never_answers_fails_within_five_seconds(silent_address: str) -> None:
    error = await failure(At(silent_address))

    assert isinstance(error, Unreachable)
    assert "did not answer within 4 s" in str(error)


async def test_an_address_that_never_answers_a_tls_handshake_fails_in_time_too(silent_address: str) -> None:
    error = await failure(At(silent_address, temporal={"TEMPORAL_TLS": "true"}), within=timedelta(milliseconds=300))

    assert isinstance(error, Unreachable)
    assert "did not answer within 0.3 s" in str(error)


async def test_tls_to_a_server_without_it_says_so_and_shows_no_key(server: EmbeddedServer) -> None:
    error = await failure(At(server.address, temporal={"TEMPORAL_API_KEY": "planted-secret"}))

    assert "it does not speak TLS" in str(error)
    assert "planted-secret" not in str(error)


async def test_an_unknown_namespace_is_a_setting_to_mend(server: EmbeddedServer) -> None:
    error = await failure(At(server.address, namespace="nowhere"))

    assert isinstance(error, SettingError)
    assert "namespace 'nowhere': there is no such namespace; set TEMPORAL_NAMESPACE" in str(error)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[profile.default]\naddress = "x:1"\n', "Profile 'nope' not found"),
        ('[profile.nope]\napi_key = "planted-secret\n', "TOML parse error at line 2"),
    ],
)
async def test_a_profile_that_cannot_be_used_is_a_setting_to_mend(
    closed_address: str, tmp_path: Path, toml: str, said: str
) -> None:
    path = tmp_path / "temporal.toml"
    path.write_text(toml)

    error = await failure(At(closed_address, temporal={"TEMPORAL_PROFILE": "nope", "TEMPORAL_CONFIG_FILE": str(path)}))

    assert isinstance(error, SettingError)
    assert said in str(error)
    assert str(path) in str(error)
    assert "planted-secret" not in str(error)
    assert error.__cause__ is None


async def test_a_profile_without_a_configuration_file_is_a_setting_to_mend(closed_address: str) -> None:
    error = await failure(At(closed_address, temporal={"TEMPORAL_PROFILE": "nope"}))

    assert "TEMPORAL_PROFILE is 'nope'" in str(error)


async def test_a_certificate_file_that_is_not_there_is_named_with_its_variable(closed_address: str) -> None:
    error = await failure(At(closed_address, temporal={"TEMPORAL_TLS_CLIENT_CERT_PATH": "/no/such.pem"}))

    assert isinstance(error, SettingError)
    assert str(error).startswith("TEMPORAL_TLS_CLIENT_CERT_PATH: cannot read '/no/such.pem'")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TEMPORAL_GRPC_META_X": "planted-\nsecret"}, "TEMPORAL_GRPC_META_*"),
        ({"TEMPORAL_TLS_CLIENT_CERT_DATA": "planted-secret"}, "go together"),
        (
            {"TEMPORAL_TLS_CLIENT_CERT_DATA": "planted-secret", "TEMPORAL_TLS_CLIENT_KEY_DATA": "planted-secret"},
            "TEMPORAL_TLS_CLIENT_CERT_DATA holds no certificate",
        ),
    ],
)
async def test_d20_credentials_that_cannot_be_sent_are_named_and_never_shown(
    server: EmbeddedServer, variables: dict[str, str], said: str
) -> None:
    error = await failure(At(server.address, temporal=variables))

    assert isinstance(error, SettingError)
    assert said in str(error)
    assert "planted" not in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("address", ["http://localhost:7233", "localhost"])
async def test_an_address_that_is_no_host_and_port_is_a_setting_to_mend(address: str) -> None:
    error = await failure(At(address))

    assert isinstance(error, SettingError)
    assert "the address must be host:port" in str(error)


@pytest.mark.parametrize(
    ("status", "expected", "said"),
    [
        (RPCStatusCode.UNAUTHENTICATED, SettingError, "it wants credentials; set TEMPORAL_API_KEY"),
        (RPCStatusCode.PERMISSION_DENIED, SettingError, "it wants credentials; set TEMPORAL_API_KEY"),
        (RPCStatusCode.UNAVAILABLE, Unreachable, r"does not answer \(UNAVAILABLE\); start one: daper up"),
    ],
)
async def test_a_server_that_refuses_or_is_not_ready_says_so(
    server: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
    status: RPCStatusCode,
    expected: type[Exception],
    said: str,
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise RPCError("no", status, b"")

    monkeypatch.setattr(WorkflowService, "describe_namespace", refuse)

    with pytest.raises(expected, match=said):
        await connect(At(server.address))


async def test_asking_a_server_that_has_gone_for_its_search_attributes_fails_in_one_line(tmp_path: Path) -> None:
    async with embedded_server(log_file=tmp_path / "temporal.log") as running:
        client = await connect(At(running.address))

    with pytest.raises(Unreachable, match="namespace 'default', does not answer: UNAVAILABLE"):
        await search_attributes_registered(client)


@workflow.defn
class Patient:
    """Waits for three days."""

    @workflow.run
    async def run(self) -> str:
        """What it says then."""
        await workflow.sleep(timedelta(days=3))
        return "three days later"


async def test_time_is_skipped_on_a_server_of_the_tests(future_env: WorkflowEnvironment) -> None:
    client = future_env.client
    assert await search_attributes_registered(client)

    async with Worker(client, task_queue="patience", workflows=[Patient]):
        said = await client.execute_workflow(Patient.run, id="patient", task_queue="patience")

    assert said == "three days later"
