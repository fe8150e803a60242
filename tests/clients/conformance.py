"""The conformance tests of those who make MCP, one scenario at a time. They know the handshake era, and no tokens."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.clients.node import run

_CONFORMANCE = "@modelcontextprotocol/conformance/dist/index.js"

# The others need a server with tools and resources of fixed names.
FOR_ANY_SERVER: Final = (
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
    "server-sse-multiple-streams",
)
# For a server that completes arguments.
COMPLETION: Final = "completion-complete"


# Any: details of many shapes.
@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `status` is SUCCESS, FAILURE, WARNING, SKIPPED or INFO."""

    id: str
    status: str
    description: str
    problem: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """The tests against one server. The address must name `localhost`: one scenario forges it."""

    home: Path
    url: str

    def __call__(self, scenario: str) -> list[Check]:
        """What a scenario looked at."""
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            options = ["server", "--url", self.url, "--scenario", scenario, "--output-dir", folder]
            answer = run(_CONFORMANCE, *options, home=self.home)
            written = list(Path(folder).glob("*/checks.json"))
            assert len(written) == 1, f"{scenario} looked at nothing: {answer}"
            checks = [_check(said) for said in json.loads(written[0].read_text("utf-8"))]
        failed = any(check.status == "FAILURE" for check in checks)
        assert failed == bool(answer.code), f"{scenario} ended with {answer.code}, and says {checks}"
        return checks

    def passed(self, scenario: str) -> None:
        """Fail unless the scenario looked at something and found nothing."""
        checks = self(scenario)
        assert any(check.status == "SUCCESS" for check in checks), f"{scenario} showed nothing: {checks}"
        assert not [check for check in checks if check.status in {"FAILURE", "WARNING"}], f"{scenario}: {checks}"


# Any: a check as it is written.
def _check(said: dict[str, Any]) -> Check:
    return Check(said["id"], said["status"], said["description"], said.get("errorMessage", ""), said.get("details", {}))
