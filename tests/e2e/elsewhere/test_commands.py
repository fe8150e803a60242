"""Commands, as processes, with a Temporal elsewhere: configured as the docs show, and not as it should be."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Beside
from tests.e2e.elsewhere.api_key_gate import Gate
from tests.e2e.elsewhere.conftest import Elsewhere
from tests.e2e.elsewhere.papers import API_KEY
from tests.e2e.elsewhere.tls_proxy import tls_before
from tests.e2e.shell import Ran, Shell, finish, read_line

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
CLUSTER, CLOUD = "A cluster of your own, with mTLS", "Temporal Cloud, with an API key"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with a queue of its own, and nothing else."""
    return Shell(root=tmp_path, env={"TEMPORAL_TASK_QUEUE": f"elsewhere-{tmp_path.name}"})


def example(title: str, *, elsewhere: Elsewhere) -> str:
    """The example under a title of the docs, with what exists here for what it names."""
    [block] = re.findall(
        r"```(?:dotenv|toml)\n(.*?)```", DOCS.read_text("utf-8").partition(f"### {title}\n")[2], re.DOTALL
    )[:1]
    here = {
        "temporal.example.org:7233": elsewhere.doors["mtls"],
        "us-east-1.aws.api.temporal.io:7233": elsewhere.doors["api-key"],
        "/etc/temporal": str(elsewhere.papers.folder),
        "the-key": API_KEY,
    }
    for there, ours in here.items():
        block = block.replace(there, ours)
    return block


def trusting(elsewhere: Elsewhere) -> dict[str, str]:
    """A computer that trusts the CA, as every computer trusts the one of Temporal Cloud."""
    return {"SSL_CERT_FILE": str(elsewhere.papers.path("ca.pem"))}


def check_no_secret(elsewhere: Elsewhere, *ran: Ran) -> None:
    for secret in elsewhere.papers.secrets():
        assert [each for each in ran if secret in each.out + each.err] == []


def test_a_repair_runs_from_start_to_end_through_mtls(shell: Shell, elsewhere: Elsewhere) -> None:
    shell.cwd.mkdir()
    (shell.cwd / ".env").write_text(example(CLUSTER, elsewhere=elsewhere), "utf-8")

    with shell.running("worker") as worker:
        first = read_line(worker.stderr)
        assert "Worker ready on: " in read_line(worker.stderr)
        started = shell.run("repair", "start", "--auto-approve")
        doctor = shell.run("doctor")
        worker.terminate()
        worked = finish(worker)

    where = elsewhere.doors["mtls"]
    assert first == f"Client connection: [{where}], Namespace: [default] (configured)\n"
    assert (started.code, doctor.code, worked.code) == (0, 0, 0)
    assert "Workflow completed with result: REPORT-COMPLETED" in started.out
    assert f"ok      Temporal at {where} (configured): namespace default\n" in doctor.out
    check_no_secret(elsewhere, started, doctor, worked)


def test_temporal_cloud_is_reached_with_an_api_key_in_every_call(
    shell: Shell, elsewhere: Elsewhere, beside: Beside
) -> None:
    gate = Gate(API_KEY)
    shell.cwd.mkdir()
    with beside.inside(lambda: guarded(gate, elsewhere)) as address:
        written = example(CLOUD, elsewhere=elsewhere).replace(elsewhere.doors["api-key"], address)
        (shell.cwd / ".env").write_text(written, "utf-8")
        doctor = shell.run("doctor", extra=trusting(elsewhere))

    assert f"ok      Temporal at {address} (configured): namespace owl-post.a1b2c\n" in doctor.out
    assert "TEMPORAL_API_KEY\t(set)\t.env\t" in doctor.out
    assert gate.refused == 0
    assert gate.let_through >= 5
    check_no_secret(elsewhere, doctor)


@pytest.mark.parametrize("profile", ["cluster", "cloud"])
def test_a_profile_of_the_official_file_is_used(shell: Shell, elsewhere: Elsewhere, profile: str) -> None:
    path = Path(shell.variables()["HOME"], ".config", "temporalio", "temporal.toml")
    path.parent.mkdir(parents=True)
    path.write_text(example("Profiles", elsewhere=elsewhere), "utf-8")

    listed = shell.run("repair", "list", "--json", extra={"TEMPORAL_PROFILE": profile, **trusting(elsewhere)})

    assert (listed.code, listed.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "door", "variables", "code", "said"),
    [
        (
            ("worker",),
            "api-key",
            {"TEMPORAL_API_KEY": "planted"},
            2,
            "it refused the credentials; look at TEMPORAL_API_KEY",
        ),
        (
            ("repair", "start"),
            "mtls",
            {},
            2,
            "it wants a client certificate (CertificateRequired); set TEMPORAL_TLS_CLIENT",
        ),
        (("proactive", "status"), "expired", {}, 1, "cannot be reached: its certificate has expired; who runs it"),
    ],
)
def test_what_does_not_fit_is_one_line_and_an_exit_code(
    shell: Shell,
    elsewhere: Elsewhere,
    words: tuple[str, ...],
    door: str,
    variables: Mapping[str, str],
    code: int,
    said: str,
) -> None:
    ca = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "ca.pem", "TEMPORAL_ADDRESS": door}
    ran = shell.run(*words, extra=elsewhere.environ({**ca, **variables}))

    assert (ran.code, ran.out) == (code, "")
    assert re.fullmatch(r"daper: .+\n", ran.err), ran.err
    assert said in ran.err
    check_no_secret(elsewhere, ran)


def test_doctor_names_what_is_wrong_and_shows_no_key_wherever_it_stands(shell: Shell, elsewhere: Elsewhere) -> None:
    pasted = {"TEMPORAL_ADDRESS": "mtls", "TEMPORAL_TLS_KEY": "<client.key", "TEMPORAL_TLS_CERT": "client.pem"}
    doctor = shell.run("doctor", extra=elsewhere.environ(pasted))

    assert doctor.code == 1
    assert "MISSING settings: TEMPORAL_TLS_KEY holds a certificate or a key itself (not shown)" in doctor.out
    check_no_secret(elsewhere, doctor)


def test_a_worker_that_is_not_let_work_any_more_ends_in_one_line(
    shell: Shell, elsewhere: Elsewhere, beside: Beside
) -> None:
    gate = Gate(API_KEY, closes_after=2)  # enough for connecting, and none for working
    with beside.inside(lambda: gate.before(elsewhere.doors["plain"])) as address:
        variables = {"TEMPORAL_ADDRESS": address, "TEMPORAL_API_KEY": API_KEY, "TEMPORAL_TLS": "false"}
        ran = shell.run("worker", extra=variables)

    last = ran.err.splitlines()[-1]
    assert ran.code == 1
    assert last == (
        f"daper: Temporal at '{address}' (configured), namespace 'default' does not let this worker work "
        "(Unauthenticated); see: daper doctor"
    )
    assert "Traceback" not in ran.err
    check_no_secret(elsewhere, ran)


@asynccontextmanager
async def guarded(gate: Gate, elsewhere: Elsewhere) -> AsyncGenerator[str]:
    """TLS, a gate of one's own, and Temporal behind."""
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(gate.before(elsewhere.doors["plain"]))
        yield await stack.enter_async_context(tls_before(behind, elsewhere.papers.shown_by()))
