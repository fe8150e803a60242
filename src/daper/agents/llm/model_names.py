"""Names of models: `openai/gpt-4o` as LiteLLM writes it, `openai:gpt-4o` as pydantic-ai does."""

from dataclasses import dataclass

from daper.core.errors import ModelError

# The first part of a name, where pydantic-ai calls that provider otherwise. Its `openai` is an API of OpenAI alone.
_CALLED = {"openai": "openai-chat", "gemini": "google", "vertex_ai": "google-cloud", "together_ai": "together"}
_COMPATIBLE = "openai-chat"


@dataclass(frozen=True, kw_only=True)
class ModelName:
    """A provider as pydantic-ai calls it, and the name of a model there."""

    provider: str
    model: str

    @property
    def full(self) -> str:
        """The name as pydantic-ai writes it."""
        return f"{self.provider}:{self.model}"


def parse_name(name: str, *, elsewhere: bool) -> ModelName:
    """What a configured name means. `elsewhere`: a base URL says where the model is.

    At a base URL a name that no provider of its own stands before is sent as it is, to a server that speaks as OpenAI
    does. Raises ModelError for a name that says nothing.
    """
    head, colon, rest = name.partition(":")
    if colon and "/" not in head and not (elsewhere and head not in {"openai", "ollama", "anthropic"}):
        provider, model = _CALLED.get(head, head), rest
    else:
        head, slash, rest = name.partition("/")
        provider, model = (_CALLED.get(head, head), rest) if slash else (_COMPATIBLE, name)
        if elsewhere and slash and head not in {"openai", "ollama", "anthropic"}:
            provider, model = _COMPATIBLE, name
    if not provider or not model.strip():
        raise ModelError(
            f"{name!r} names no model; write it as openai/gpt-4o, anthropic/NAME, gemini/NAME or ollama/NAME"
        )
    if elsewhere and provider == "ollama":
        provider = _COMPATIBLE
    return ModelName(provider=provider, model=model)
