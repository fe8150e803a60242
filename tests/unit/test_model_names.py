"""What the name of a model means, and whose key goes where."""

import pytest

from daper.agents.llm.model_names import parse_name
from daper.core.errors import ModelError
from daper.core.usage import Role
from daper.settings import load_settings

NAMES = [
    ("openai/gpt-4o", "openai-chat:gpt-4o"),
    ("openai:gpt-4o", "openai-chat:gpt-4o"),
    ("gpt-4o", "openai-chat:gpt-4o"),
    ("anthropic/claude-sonnet", "anthropic:claude-sonnet"),
    ("gemini/flash", "google:flash"),
    ("vertex_ai/flash", "google-cloud:flash"),
    ("ollama/llama3:8b", "ollama:llama3:8b"),
    ("openrouter/openai/gpt-4o", "openrouter:openai/gpt-4o"),
    ("groq:llama", "groq:llama"),
]
AT_A_BASE_URL = [
    ("local", "openai-chat:local"),
    ("openai/gpt-4o", "openai-chat:gpt-4o"),
    ("qwen/qwen3-coder", "openai-chat:qwen/qwen3-coder"),
    ("llama3:8b", "openai-chat:llama3:8b"),
    ("ollama/llama3:8b", "openai-chat:llama3:8b"),
    ("anthropic/claude-sonnet", "anthropic:claude-sonnet"),
]


@pytest.mark.parametrize(("name", "meant"), NAMES)
def test_a_name_means_a_provider_and_a_model(name: str, meant: str) -> None:
    assert parse_name(name, elsewhere=False).full == meant


@pytest.mark.parametrize(("name", "meant"), AT_A_BASE_URL)
def test_at_a_base_url_a_strange_name_is_sent_as_it_is(name: str, meant: str) -> None:
    assert parse_name(name, elsewhere=True).full == meant


@pytest.mark.parametrize("name", ["openai/", "openai:", "/gpt-4o", " "])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="names no model; write it as openai/gpt-4o"):
        parse_name(name, elsewhere=False)


def chosen(**environ: str) -> dict[str, tuple[str, str, str]]:
    """Role → name, key, address."""
    thinking = load_settings(environ={"HOME": "/nowhere", **environ}).thinking
    return {str(role): (choice.name, choice.key, choice.base_url) for role, choice in thinking.choices.items()}


def test_without_a_model_the_rules_play_every_role() -> None:
    assert chosen() == chosen(LLM_MODEL="rules", LLM_KEY="k") == {}


def test_a_model_analyzes_plans_and_reports_and_detects_only_if_asked() -> None:
    mine = ("openai/gpt-4o", "k", "")
    assert chosen(LLM_MODEL="openai/gpt-4o", LLM_KEY="k") == {"analyze": mine, "plan": mine, "report": mine}
    assert "detect" in chosen(LLM_MODEL="openai/gpt-4o", LLM_KEY="k", DAPER_DETECT_MODEL="openai/gpt-4o-mini")


def test_a_role_can_have_a_model_of_its_own_or_the_rules() -> None:
    found = chosen(LLM_MODEL="openai/gpt-4o", LLM_KEY="k", DAPER_PLAN_MODEL="openai/o9", DAPER_REPORT_MODEL="rules")
    assert found == {"analyze": ("openai/gpt-4o", "k", ""), "plan": ("openai/o9", "k", "")}


def test_a_key_and_an_address_go_to_no_other_provider_than_theirs() -> None:
    found = chosen(
        LLM_MODEL="openai/gpt-4o",
        LLM_KEY="k",
        LLM_BASE_URL="http://localhost:1/v1/",
        DAPER_PLAN_MODEL="anthropic/claude",
    )
    assert found["analyze"] == ("openai/gpt-4o", "k", "http://localhost:1/v1")
    assert found["plan"] == ("anthropic/claude", "", "")


def test_who_thinks_can_be_told_and_gets_the_key_of_its_own_provider_alone() -> None:
    environ = {"HOME": "/nowhere", "LLM_MODEL": "openai/gpt-4o", "LLM_KEY": "k"}
    thinkers = dict.fromkeys(Role, "anthropic/claude")
    thinking = load_settings(environ=environ, thinkers=thinkers).thinking
    assert {(choice.name, choice.key) for choice in thinking.choices.values()} == {("anthropic/claude", "")}
    assert load_settings(environ=environ, thinkers=dict.fromkeys(Role, "rules")).thinking.choices == {}


def test_no_key_shows_in_what_is_printed_of_settings() -> None:
    settings = load_settings(environ={"HOME": "/nowhere", "LLM_MODEL": "openai/gpt-4o", "LLM_KEY": "sk-secret"})
    assert "sk-secret" not in repr(settings)


def test_without_a_general_model_the_key_goes_to_the_provider_of_the_first_role_alone() -> None:
    found = chosen(LLM_KEY="k", DAPER_ANALYZE_MODEL="openai/gpt-4o", DAPER_PLAN_MODEL="anthropic/claude")
    assert found == {"analyze": ("openai/gpt-4o", "k", ""), "plan": ("anthropic/claude", "", "")}


def test_two_ways_to_write_one_provider_are_one_provider() -> None:
    assert chosen(LLM_MODEL="gpt-4o", LLM_KEY="k", DAPER_PLAN_MODEL="openai:o9")["plan"] == ("openai:o9", "k", "")
    url = "http://localhost:1/v1"
    found = chosen(LLM_MODEL="llama3.2:3b", LLM_BASE_URL=url, LLM_KEY="k", DAPER_PLAN_MODEL="qwen2.5:7b")
    assert found["plan"] == ("qwen2.5:7b", "k", url)
