"""Workers as processes of their own, and what they tell of themselves over HTTP."""

import http.client
import json
import re
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Shop
from tests.e2e.shell import DAPER, GENEROUS, until

_OURS = re.compile(r"^(daper_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
_SHOWN = re.compile(r"^Health, readiness, metrics: http://127\.0\.0\.1:([0-9]+)/health, ", re.MULTILINE)


@dataclass(frozen=True)
class Told:
    """One answer."""

    status: int
    text: str

    # Any: a document of whatever shape.
    def document(self) -> Any:
        """What was said, which is one JSON line."""
        assert self.text.count("\n") == 1
        return json.loads(self.text)


def ask(port: int, path: str, *, method: str = "GET") -> Told:
    """Ask a page."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=GENEROUS)
    try:
        asking.request(method, path)
        answer = asking.getresponse()
        return Told(answer.status, answer.read().decode())
    finally:
        asking.close()


def told_port(log: Path) -> int:
    """Where a worker tells of itself, as it printed it."""
    return until(lambda: port_in(log.read_text("utf-8")), what="where the worker tells of itself")


def port_in(printed: str) -> int | None:
    """The port that a worker printed, if it did."""
    found = _SHOWN.search(printed)
    return int(found[1]) if found else None


def samples(text: str, name: str) -> dict[frozenset[str], float]:
    """The samples of one of our figures, by their labels."""
    return {frozenset(labels.split(",")): float(value) for found, labels, value in _OURS.findall(text) if found == name}


def of(found: dict[frozenset[str], float], **labels: str) -> float:
    """The sum over the samples with these labels."""
    wanted = {f'{name}="{value}"' for name, value in labels.items()}
    return sum(value for have, value in found.items() if wanted <= have)


def until_ready(port: int) -> None:
    """Wait until a worker says that it takes work."""
    until(lambda: ask(port, "/ready").status == 200, what="a worker that is ready")


@contextmanager
def worker_process(
    shop: Shop, name: str, *, command: tuple[str, ...] = (DAPER, "worker"), extra: Mapping[str, str] | None = None
) -> Generator[tuple["subprocess.Popen[bytes]", Path]]:
    """A worker that polls, and its log; it is over when this is left."""
    log = shop.root / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=shop.variables(extra), cwd=shop.cwd, start_new_session=True
        )
    try:
        until(lambda: "Worker ready on: " in log.read_text("utf-8"), what="a worker")
        yield process, log
    finally:
        process.kill()
        process.wait()
