"""A command that an agent's user is told finds that agent: it names the domain where another one would be taken."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from daper.adapters.notify.letter import commands
from daper.core.ids import agent_command
from daper.core.notices import cycles_message
from daper.core.proactive import AgentPhase, ProactiveView
from daper.entrypoints.cli.proactive import _lines, _opening  # pyright: ignore[reportPrivateUsage]
from daper.service.requests import ProactiveStarted, ProactiveStatus
from daper.settings import load_settings

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def an_agent(domain: str) -> ProactiveView:
    return ProactiveView(
        agent_id="always-be-repairin-for-Minerva",
        user="Minerva",
        domain=domain,
        store_id="s",
        phase=AgentPhase.WAITING_FOR_NEXT_CYCLE,
        interval=timedelta(minutes=15),
        approval_timeout=timedelta(hours=20),
        started_at=NOW,
        cycles=1,
        next_cycle_at=NOW,
    )


def opening(configured: str, domain: str) -> str:
    started = ProactiveStarted(agent_id="a", already_running=False, queue="q", store_id="s", place="p")
    return "\n".join(_opening(load_settings(environ={"DAPER_DOMAIN": configured}), started, domain))


def status(configured: str, domain: str) -> str:
    settings = load_settings(environ={"DAPER_DOMAIN": configured})
    return "\n".join(_lines(settings, ProactiveStatus(agent=an_agent(domain))))


@pytest.mark.parametrize(("of", "verb"), [(opening, "status"), (status, "check-now")])
@pytest.mark.parametrize(
    ("configured", "domain", "words"),
    [
        ("orders", "orders", ""),
        ("orders", "temporal", " --domain temporal"),
        ("temporal", "temporal", ""),
        ("temporal", "orders", " --domain orders"),
    ],
)
def test_a_terminal_is_told_the_domain_that_is_not_the_configured_one(
    of: Callable[[str, str], str], verb: str, configured: str, domain: str, words: str
) -> None:
    told = next(line for line in of(configured, domain).splitlines() if f"daper proactive {verb}" in line)
    assert told.endswith(f"daper proactive {verb}{words}")


def test_lengths_of_time_are_written_as_they_are_typed() -> None:
    assert "15m after each the next one; a plan waits for 20h" in status("orders", "orders")


@pytest.mark.parametrize(("domain", "words"), [("orders", ""), ("temporal", " --domain temporal")])
def test_elsewhere_a_domain_is_named_that_is_not_the_usual_one(domain: str, words: str) -> None:
    assert str(agent_command("start", domain)) == f"daper proactive start{words}"
    letter = commands(cycles_message(an_agent(domain), at=NOW))
    assert letter[0].line == f"daper proactive status{words}"
