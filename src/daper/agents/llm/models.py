"""Makes the client of a configured model. The library, two seconds of imports, is loaded here and only when needed."""

import inspect
from typing import TYPE_CHECKING, Any

from daper.agents.llm.config import MODELS_MISSING, ModelChoice, ThinkingSettings
from daper.agents.llm.envelope import Limits
from daper.agents.llm.model_names import ModelName, parse_name
from daper.agents.llm.network import refused_network
from daper.core.errors import ModelError
from daper.core.text import visible
from daper.core.urls import masked_url

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers import Provider

OLLAMA_HERE = "http://localhost:11434/v1"
_NO_KEY = "no-key"  # what a server without keys is sent, since the client insists on one


def open_client(choice: ModelChoice, settings: ThinkingSettings) -> "httpx2.AsyncClient":
    """What sends the requests to the model, within bounds; it connects to nothing yet, and is the caller's to close.

    Raises ModelError, one line, for a library that is not installed, and for certificates or a proxy of the environment
    that cannot be used.
    """
    try:
        from httpx2 import InvalidURL

        from daper.agents.llm.http_client import ModelHttpClient
    except ImportError as error:
        raise ModelError(f"{choice.name!r}: {MODELS_MISSING}") from error
    try:
        return ModelHttpClient(Limits.of(settings.most_output), within=settings.timeout)
    except (OSError, ValueError, ImportError, InvalidURL) as error:
        raise refused_network(choice.name, error, settings.network) from None


def open_model(choice: ModelChoice, client: "httpx2.AsyncClient") -> "Model":
    """The model, asked by way of that client; it connects to nothing yet.

    Raises ModelError, one line, for an unknown name or provider, a missing key, or a library that is not installed.
    """
    name = parse_name(choice.name, elsewhere=bool(choice.base_url))
    if not choice.key.isascii() or not choice.key.isprintable():
        raise ModelError(f"{choice.name!r}: LLM_KEY holds a character that cannot be sent; set it to the key alone")
    try:
        from httpx2 import InvalidURL
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model
    except ImportError as error:
        raise ModelError(f"{choice.name!r}: {MODELS_MISSING}") from error
    try:
        return infer_model(name.full, provider_factory=lambda _: _provider(name, choice, client))
    except ImportError as error:
        raise ModelError(f"{choice.name!r} needs a package that is not installed: {error}") from error
    except UserError as error:
        raise ModelError(_told(choice, str(error))) from error
    except (ValueError, InvalidURL) as error:
        if choice.base_url:
            raise ModelError(
                f"{choice.name!r}: LLM_BASE_URL is {visible(masked_url(choice.base_url))!r}, which is no address of a "
                f"server ({error})"
            ) from None
        raise ModelError(
            f"{choice.name!r} names no provider that is known ({error}); for a server that speaks as OpenAI does, "
            "set LLM_BASE_URL"
        ) from error


def _provider(name: ModelName, choice: ModelChoice, client: "httpx2.AsyncClient") -> "Provider[Any]":
    from pydantic_ai.providers import infer_provider_class
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    if choice.base_url and name.provider == "openai-chat":
        return OpenAICompatibleProvider(
            "openai-compatible",
            base_url=choice.base_url,
            api_key=choice.key or _NO_KEY,
            http_client=client,
            profile=_of_any_server,
        )
    kind = infer_provider_class(name.provider)
    given: dict[str, Any] = {"api_key": choice.key} if choice.key else {}
    if "http_client" in inspect.signature(kind).parameters:
        given["http_client"] = client
    if choice.base_url:
        given["base_url"] = choice.base_url
    elif name.provider == "ollama":
        given["base_url"] = OLLAMA_HERE
    try:
        return kind(**given)
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
