"""What the tools cost a model stands in the docs, as it is now."""

from tools.tool_tokens import ALL, HINTS, in_page, texts


def test_the_page_says_what_each_tool_costs_a_model_now() -> None:
    told, now = in_page(), texts()
    again = "what a model is told of the tools has changed: make tool-tokens"
    assert {what: characters for what, (characters, _) in told.items() if what != ALL} == {
        what: len(text) for what, text in now.items()
    }, again
    tools = [numbers for what, numbers in told.items() if what not in {ALL, HINTS}]
    assert told[ALL] == (sum(characters for characters, _ in tools), sum(tokens for _, tokens in tools)), again
    assert all(0 < tokens < characters for characters, tokens in told.values())
