"""A Temporal that is elsewhere: behind TLS, certificates and API keys."""

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from daper.adapters.temporal.connection import connect
from daper.core.errors import DaperError
from daper.settings import load_settings
from tests.e2e.conftest import Beside
from tests.e2e.elsewhere.papers import NAMESPACE, Papers, doors

FOUR_SECONDS = timedelta(seconds=4)


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The servers by name, and a person's papers for them."""

    beside: Beside
    papers: Papers
    doors: Mapping[str, str]
    home: Path

    def environ(self, variables: Mapping[str, str]) -> dict[str, str]:
        """A whole environment. `TEMPORAL_ADDRESS` names a door; for other values see `Papers.variables`."""
        environ = {"HOME": str(self.home), "DAPER_HOME": str(self.home), **self.papers.variables(variables)}
        if door := environ.get("TEMPORAL_ADDRESS"):
            environ["TEMPORAL_ADDRESS"] = self.doors[door]
        return environ

    def connect(self, variables: Mapping[str, str], *, within: timedelta = FOUR_SECONDS) -> Client:
        """Connect with what is configured."""
        return self.beside.do(self._connect(self.environ(variables), within))

    def refused(self, variables: Mapping[str, str], *, within: timedelta = FOUR_SECONDS) -> DaperError:
        """The error: one line without a secret, and none in what Python would print of it either."""
        with pytest.raises(DaperError) as caught:
            self.connect(variables, within=within)
        assert "\n" not in str(caught.value)
        printed = f"{caught.getrepr(style='native')}"
        assert [secret for secret in self.papers.secrets() if secret in printed] == []
        return caught.value

    async def _connect(self, environ: Mapping[str, str], within: timedelta) -> Client:
        async with asyncio.timeout(within.total_seconds() + 1):
            return await connect(load_settings(environ=environ, folder=self.home), within=within)


@pytest.fixture(scope="session")
def elsewhere(beside: Beside, address: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Elsewhere]:
    """Everything that is elsewhere, in front of the one server."""
    papers = Papers(tmp_path_factory.mktemp("papers"))
    beside.do(_make_namespace(address))
    with beside.inside(lambda: doors(papers, address)) as opened:
        yield Elsewhere(beside=beside, papers=papers, doors=opened, home=tmp_path_factory.mktemp("nowhere"))


async def _make_namespace(address: str) -> None:
    """A second namespace, as soon as the whole server knows it."""
    client = await Client.connect(address, namespace=NAMESPACE)
    request = RegisterNamespaceRequest(namespace=NAMESPACE)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(request)
    async with asyncio.timeout(30):
        while not await _listed(client):  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)


async def _listed(client: Client) -> bool:
    try:
        await client.count_workflows()
    except RPCError:
        return False
    return True
