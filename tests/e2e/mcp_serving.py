"""`daper mcp` as processes: one that a client starts itself, one that serves over HTTP."""

import json
import signal
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.clients.node import Http, Stdio
from tests.e2e.shell import DAPER, Shell, finish, read_line

# By name: whoever reads one of them over HTTP has confirmed nothing in a form.
AS_TOLD: Mapping[str, str] = {"DAPER_MCP_APPROVAL": "client"}


def on_stdio(shell: Shell, *options: str, extra: Mapping[str, str] | None = None) -> Stdio:
    """The command that a client starts, in the place of a shell."""
    return Stdio(command=[DAPER, "mcp", *options], env=shell.variables(extra), cwd=shell.cwd)


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    url: str
    process: "subprocess.Popen[str]"

    def target(self, token: str = "") -> Http:
        """Where its clients go."""
        return Http(url=self.url, token=token)


@contextmanager
def beginning(
    shell: Shell, *options: str, extra: Mapping[str, str] | None = None, files: int | None = None
) -> Generator[Serving]:
    """`daper mcp --http` on a free port, to be ended however a test likes. `files`: how many it may have open."""
    with shell.running("mcp", "--http", "--port", "0", *options, extra=extra, files=files) as process:
        first = read_line(process.stderr)
        assert first.startswith("Serving MCP on http://"), first + (process.stderr.read() if process.stderr else "")
        yield Serving(url=first.split()[3], process=process)


@contextmanager
def serving(
    shell: Shell, *options: str, extra: Mapping[str, str] | None = None, files: int | None = None
) -> Generator[Serving]:
    """The same; it must end when told to, with nothing on stdout and no traceback."""
    with beginning(shell, *options, extra=extra, files=files) as server:
        yield server
        server.process.send_signal(signal.SIGTERM)
        ran = finish(server.process)
    assert (ran.code, ran.out) == (128 + signal.SIGTERM, ""), ran
    assert "Traceback" not in ran.err, ran.err


def add_denied_orders(shell: Shell, count: int) -> list[str]:
    """More orders whose payment was refused, one for each story that repairs something; their ids."""
    shell.run("records", "list")
    path = shell.home / "data/orders/orders.json"
    document = json.loads(path.read_text("utf-8"))
    ron = next(order for order in document["orders"] if order["order_id"] == "ORD-003-RBW")
    denied = {**ron, "status": "payment-denied"}  # also where an earlier story has repaired it
    ids = [f"ORD-{number}-RBW" for number in range(101, 101 + count)]
    document["orders"] += [{**denied, "order_id": order_id} for order_id in ids]
    path.write_text(json.dumps(document), "utf-8")
    return ids
