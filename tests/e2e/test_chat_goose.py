"""goose, as its people use it: what is printed for it, its own forms on a terminal, and what daper made of them."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.clients import goose, story
from tests.clients.dialects import Words
from tests.clients.goose import Goose
from tests.e2e.chatting import TOOLS, Chatting, chatting, printed_for
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_serving import AS_TOLD, add_denied_orders

pytestmark = pytest.mark.skipif(not goose.IS_HERE, reason="goose comes as a package for Linux on x64 only")

_WORDS = "What is wrong with my orders?"
_IMPATIENT_S = 15  # the start of the server has to come within it, too


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file: each story has a record of its own."""
    shop = make_shop(tmp_path_factory.mktemp("goose"), address, beside)
    with shop.worker():
        yield shop


@pytest.fixture(scope="module")
def denied(shop: Shop) -> Iterator[str]:
    """Orders with a problem, each for one story."""
    return iter(add_denied_orders(shop, 8))


@pytest.fixture
def in_session(shop: Shop, denied: Iterator[str], tmp_path: Path) -> Generator[Chatting[Goose]]:
    """goose as it is printed for it."""
    with chatting(Goose, shop, next(denied), tmp_path, printed_for(Goose, shop)) as chat:
        yield chat
    assert chat.beyond.tried == []


@pytest.mark.long
def test_it_finds_the_tools_and_tells_the_whole_story_where_it_is_believed(
    shop: Shop, denied: Iterator[str], tmp_path: Path
) -> None:
    configuration = printed_for(Goose, shop, AS_TOLD)

    with chatting(Goose, shop, next(denied), tmp_path, configuration) as chat:
        ran = chat.chat.run(_WORDS)

    assert ran.code == 0, ran
    assert chat.model.turns[0].tools == TOOLS
    assert [call.tool for call in chat.model.calls] == [
        "start_repair",
        "wait_for_repair",
        "get_repair",
        "approve_repair",
        "wait_for_repair",
        "get_repair_report",
    ]
    assert chat.beyond.tried == []
    chat.decided_once("unconfirmed")


@pytest.mark.long
def test_yes_in_its_form_is_what_runs(in_session: Chatting[Goose]) -> None:
    with in_session.chat.session() as screen:
        goose.say(screen, _WORDS)
        goose.form(screen)
        in_session.nothing_decided()
        goose.yes(screen)
        screen.expect(story.FINISHED)

    in_session.decided_once("form")


@pytest.mark.long
def test_d4_with_nobody_at_a_terminal_it_ends_when_a_form_comes_and_nothing_is_decided(
    in_session: Chatting[Goose],
) -> None:
    ran = in_session.chat.run(_WORDS)

    assert ran.code != 0
    assert in_session.model.calls[-1].tool == "approve_repair"
    in_session.nothing_decided()


@pytest.mark.long
def test_the_prompts_are_found_by_name(in_session: Chatting[Goose]) -> None:
    with in_session.chat.session() as screen:
        goose.say(screen, "/prompts")
        screen.expect("find_and_repair")
        goose.say(screen, "/prompt find_and_repair")
        goose.form(screen)
        asked = in_session.model.turns[0].conversation.last

    assert isinstance(asked, Words)
    assert "Call start_repair" in asked.text


@pytest.mark.long
def test_no_decides_nothing_and_the_model_hears_it(in_session: Chatting[Goose]) -> None:
    with in_session.chat.session() as screen:
        goose.say(screen, _WORDS)
        goose.form(screen)
        goose.no(screen)
        screen.expect(story.UNDECIDED)

    in_session.nothing_decided()


@pytest.mark.long
def test_escape_decides_nothing_and_the_plan_can_be_asked_about_again(in_session: Chatting[Goose]) -> None:
    with in_session.chat.session() as screen:
        goose.say(screen, _WORDS)
        goose.form(screen)
        goose.escape(screen)
        in_session.nothing_decided()
        goose.say(screen, "Show it to me again")
        goose.form(screen)
        goose.yes(screen)
        screen.expect(story.FINISHED)

    in_session.decided_once("form")


@pytest.mark.long
def test_d2_what_became_of_a_yes_that_came_after_its_timeout_is_told_and_it_runs_once(
    shop: Shop, denied: Iterator[str], tmp_path: Path
) -> None:
    configuration = goose.with_timeout(_IMPATIENT_S, printed_for(Goose, shop))

    with chatting(Goose, shop, next(denied), tmp_path, configuration) as chat, chat.chat.session() as screen:
        goose.say(screen, _WORDS)
        goose.form(screen)
        screen.look_on(_IMPATIENT_S + 1)
        goose.yes(screen)
        screen.expect(story.REFUSED)
        decided = chat.repair()["decisions"]
        goose.say(screen, "What became of it?")
        if screen.expect(goose.FIELD, story.FINISHED) == goose.FIELD:
            goose.yes(screen)
            screen.expect(story.FINISHED)
        told = next(result for result in chat.model.turns[-1].conversation.after("What became of it?"))

    assert told.tool == "get_repair"
    assert bool(told.document["decisions"]) == bool(decided)
    chat.decided_once("form")


@pytest.mark.long
def test_killed_with_an_open_form_it_is_resumed_and_the_plan_still_waits(in_session: Chatting[Goose]) -> None:
    with in_session.chat.session("--name", "killed") as screen:
        goose.say(screen, _WORDS)
        goose.form(screen)
        screen.kill()
    in_session.nothing_decided()

    with in_session.chat.session("--resume", "--name", "killed") as screen:
        goose.say(screen, "Where were we?")
        goose.form(screen)
        in_session.nothing_decided()
        goose.yes(screen)
        screen.expect(story.FINISHED)

    in_session.decided_once("form")
