"""Makes the client of a configured model. The library, two seconds of imports, is loaded here and only when needed."""

from typing import TYPE_CHECKING, Any

from daper.agents.llm.config import MODELS_MISSING, ModelChoice
from daper.agents.llm.model_names import ModelName, parse_name
from daper.core.errors import ModelError

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers import Provider

OLLAMA_HERE = "http://localhost:11434/v1"
_NO_KEY = "no-key"  # what a server without keys is sent, since the client insists on one


def open_model(choice: ModelChoice) -> "Model":
    """A client of the model; it connects to nothing yet.

    Raises ModelError, one line, for an unknown name or provider, a missing key, or a library that is not installed.
    """
    name = parse_name(choice.name, elsewhere=bool(choice.base_url))
    try:
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model
    except ImportError as error:
        raise ModelError(f"{choice.name!r}: {MODELS_MISSING}") from error
    try:
        return infer_model(name.full, provider_factory=lambda _: _provider(name, choice))
    except ImportError as error:
        raise ModelError(f"{choice.name!r} needs a package that is not installed: {error}") from error
    except UserError as error:
        raise ModelError(_told(choice, str(error))) from error
    except ValueError as error:  # an unknown provider
        raise ModelError(
            f"{choice.name!r} names no provider that is known ({error}); for a server that speaks as OpenAI does, "
            "set LLM_BASE_URL"
        ) from error


def _provider(name: ModelName, choice: ModelChoice) -> "Provider[Any]":
    from pydantic_ai.providers import infer_provider_class
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    if choice.base_url and name.provider == "openai-chat":
        return OpenAICompatibleProvider(
            "openai-compatible", base_url=choice.base_url, api_key=choice.key or _NO_KEY, profile=_of_any_server
        )
    given: dict[str, str] = {"api_key": choice.key} if choice.key else {}
    if choice.base_url:
        given["base_url"] = choice.base_url
    elif name.provider == "ollama":
        given["base_url"] = OLLAMA_HERE
    try:
        return infer_provider_class(name.provider)(**given)
    except TypeError as error:
        raise ModelError(
            f"{choice.name!r}: provider {name.provider!r} takes no LLM_KEY or LLM_BASE_URL ({error}); "
            "give it what it needs in its own variables"
        ) from error


def _of_any_server(model: str) -> "ModelProfile":
    """What a server that speaks as OpenAI does is taken to understand: a schema, until it says no; tools; words.

    Asked in words, it is asked for nothing else: a server without schemas may not know the parameter at all.
    """
    from pydantic_ai.profiles.openai import OpenAIModelProfile

    return OpenAIModelProfile(
        supports_json_schema_output=True,
        supports_tools=True,
        supports_json_object_output=False,
        openai_chat_supports_max_completion_tokens=False,  # all know max_tokens, few the newer name
    )


def _told(choice: ModelChoice, error: str) -> str:
    if "API_KEY" in error or "api_key" in error:
        return f"{choice.name!r} needs a key: set LLM_KEY, or the provider's own variable ({' '.join(error.split())})"
    return f"{choice.name!r} cannot be used: {' '.join(error.split())}"
