"""Chat clients of others, each its story as far as it can go; what became of a repair says daper."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.clients import claude_code, codex, story
from tests.clients.chat import Chat
from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex
from tests.clients.dialects import Call, Words
from tests.clients.gemini import Gemini
from tests.clients.opencode import OpenCode
from tests.e2e.chatting import TOOLS, Chatting, chatting, printed_for
from tests.e2e.conftest import Beside, Shop, make_shop
from tests.e2e.mcp_serving import AS_TOLD, add_denied_orders

pytestmark = pytest.mark.long

_WORDS = "Look at my orders"
_WHOLE = ["start_repair", "wait_for_repair", "get_repair", "approve_repair", "wait_for_repair", "get_repair_report"]
# Where each wants to go beside the model; it goes on without.
BEYOND: Mapping[type[Chat], set[str]] = {
    ClaudeCode: {"downloads.claude.ai", "github.com"},
    Codex: {"raw.githubusercontent.com"},
    Gemini: set(),
    OpenCode: {"registry.npmjs.org"},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str, beside: Beside) -> Generator[Shop]:
    """One shop with a worker for the whole file: each story has a record of its own."""
    shop = make_shop(tmp_path_factory.mktemp("chats"), address, beside)
    with shop.worker():
        yield shop


@pytest.fixture(scope="module")
def denied(shop: Shop) -> Iterator[str]:
    """Orders with a problem, each for one story."""
    return iter(add_denied_orders(shop, 20))


Telling = Callable[[type[Chat], Mapping[str, str] | None], AbstractContextManager[Chatting[Chat]]]


@pytest.fixture
def telling(shop: Shop, denied: Iterator[str], tmp_path: Path) -> Telling:
    """A client of this kind on a record of its own; in the end it must have gone nowhere that is not known."""

    @contextmanager
    def of(kind: type[Chat], extra: Mapping[str, str] | None = None) -> Generator[Chatting[Chat]]:
        with chatting(kind, shop, next(denied), tmp_path, printed_for(kind, shop, extra)) as chat:
            yield chat
        assert chat.beyond.hosts <= BEYOND[kind]

    return of


@pytest.mark.parametrize("kind", [ClaudeCode, Codex, OpenCode, Gemini])
def test_each_finds_the_tools_and_tells_the_whole_story_where_it_is_believed(
    telling: Telling, kind: type[Chat]
) -> None:
    with telling(kind, AS_TOLD) as chat:
        ran = chat.chat.run(_WORDS)

        assert ran.code == 0, ran
        assert chat.model.turns[0].tools == TOOLS
        assert [call.tool for call in chat.model.calls] == _WHOLE
        chat.decided_once("unconfirmed")


@pytest.mark.parametrize("kind", [ClaudeCode, Codex, OpenCode, Gemini])
def test_d4_where_nobody_can_be_asked_nothing_is_decided_and_the_command_for_a_terminal_is_told(
    telling: Telling, kind: type[Chat]
) -> None:
    with telling(kind, None) as chat:
        ran = chat.chat.run(_WORDS)

        assert ran.code == 0, ran
        chat.nothing_decided()
        (told,) = [result for result in chat.model.results if result.tool == "approve_repair"]
        assert f"repair approve {chat.repair_id}" in told.text


def test_yes_in_the_form_of_claude_code_is_what_runs(telling: Telling) -> None:
    with telling(ClaudeCode, None) as chat, chat.chat.session() as screen:
        claude_code.connected(screen)
        claude_code.say(screen, _WORDS)
        claude_code.form(screen)
        chat.nothing_decided()
        claude_code.yes(screen)
        chat.said(screen, story.FINISHED)
        chat.decided_once("form")


def test_a_form_of_claude_code_that_is_closed_decides_nothing(telling: Telling) -> None:
    with telling(ClaudeCode, None) as chat, chat.chat.session() as screen:
        claude_code.connected(screen)
        claude_code.say(screen, _WORDS)
        claude_code.form(screen)
        claude_code.escape(screen)
        chat.nothing_decided()


def test_d1_codex_shows_the_form_and_yes_is_what_runs(telling: Telling) -> None:
    with telling(Codex, None) as chat, chat.chat.session() as screen:
        codex.say(screen, _WORDS)
        codex.form(screen)
        chat.nothing_decided()
        codex.yes(screen)
        chat.said(screen, story.FINISHED)
        chat.decided_once("form")


def test_d1_what_codex_chooses_beforehand_is_no(telling: Telling) -> None:
    with telling(Codex, None) as chat, chat.chat.session() as screen:
        codex.say(screen, _WORDS)
        codex.form(screen)
        codex.only_enter(screen)
        chat.said(screen, story.UNDECIDED)
        chat.nothing_decided()


def test_d1_a_form_of_codex_that_is_closed_decides_nothing(telling: Telling) -> None:
    with telling(Codex, None) as chat, chat.chat.session() as screen:
        codex.say(screen, _WORDS)
        codex.form(screen)
        codex.escape(screen)
        chat.nothing_decided()


def test_d5_what_gemini_adds_to_the_arguments_of_each_tool_is_no_error(telling: Telling) -> None:
    with telling(Gemini, AS_TOLD) as chat:
        plain = chat.model.script
        chat.model.script = lambda conversation: _waiting_for_others(plain(conversation))
        ran = chat.chat.run(_WORDS)

        assert ran.code == 0, ran
        assert "wait_for_previous" in json.dumps(chat.model.turns[0].body["tools"])
        chat.decided_once("unconfirmed")


def _waiting_for_others(said: Call | str) -> Call | str:
    return Call(said.tool, {**said.arguments, "wait_for_previous": True}) if isinstance(said, Call) else said


def test_the_prompts_are_found_by_name_in_claude_code(telling: Telling) -> None:
    with telling(ClaudeCode, None) as chat, chat.chat.session() as screen:
        claude_code.connected(screen)
        claude_code.say(screen, "/mcp__daper__find_and_repair")
        claude_code.form(screen)
        asked = chat.model.turns[0].conversation.last

    assert isinstance(asked, Words)
    assert "Call start_repair" in asked.text
