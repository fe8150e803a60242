"""What is configured of language models: who plays which role, with which key, within what bounds."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from daper.agents.llm.config import ModelChoice, OutputMode, ThinkingSettings
from daper.agents.llm.model_names import parse_name
from daper.agents.llm.network import VARIABLES
from daper.core.errors import ModelError, SettingError
from daper.core.messages import OnOutage
from daper.core.models import RULES
from daper.core.usage import Role
from daper.ports import Caps
from daper.settings.values import amount, one_of, span, text_value, whole_value

_VARIABLE: Final = {role: f"DAPER_{role.upper()}_MODEL" for role in Role}
# Rules detect, unless a model is asked for: they look at every record, and cost nothing.
_BY_RULES: Final = frozenset({Role.DETECT})


def thinking_of(values: Mapping[str, str], instead: Mapping[Role, str]) -> ThinkingSettings:
    """The choice for each role and the bounds of all; `instead`: who plays a role in place of whom is configured.

    The key and the address go to one provider alone. Raises SettingError, which never shows a key.
    """
    general = text_value(values, "LLM_MODEL") if "LLM_MODEL" in values else RULES
    general = RULES if general.lower() == RULES else general
    base_url = _base_url(values)
    choices: dict[Role, ModelChoice] = {}
    # Whose key it is: the provider's of LLM_MODEL, or of the first role that has a model.
    home = "" if general == RULES else _provider(general, "LLM_MODEL", elsewhere=bool(base_url))
    for role, variable in _VARIABLE.items():
        default = RULES if role in _BY_RULES else general
        name = instead.get(role) or (text_value(values, variable) if variable in values else default)
        if name.lower() == RULES:
            continue
        said = variable if variable in values and role not in instead else "LLM_MODEL"
        provider = _provider(name, said, elsewhere=bool(base_url))
        home = home or provider
        here = provider == home
        choices[role] = ModelChoice(
            name=name, key=values.get("LLM_KEY", "") if here else "", base_url=base_url if here else ""
        )
    return ThinkingSettings(
        choices=choices,
        output=one_of(values, "DAPER_LLM_OUTPUT", OutputMode),
        timeout=span(values, "DAPER_LLM_TIMEOUT"),
        most_output=whole_value(values, "DAPER_LLM_MAX_OUTPUT", least=100, most=1_000_000),
        batch_tokens=whole_value(values, "DAPER_LLM_BATCH_TOKENS", least=100, most=1_000_000),
        caps=Caps(
            tokens=whole_value(values, "DAPER_MAX_TOKENS_PER_CYCLE", least=0, most=10**12),
            cost=amount(values, "DAPER_MAX_COST_PER_CYCLE"),
        ),
        on_outage=one_of(values, "DAPER_ON_OUTAGE", OnOutage),
        network={name: values[name] for name in VARIABLES if name in values},
    )


def _provider(name: str, variable: str, *, elsewhere: bool) -> str:
    """Whose model a name means. Raises SettingError."""
    try:
        return parse_name(name, elsewhere=elsewhere).provider
    except ModelError as error:
        raise SettingError(f"{variable}: {error}") from error


def _base_url(values: Mapping[str, str]) -> str:
    value = values.get("LLM_BASE_URL", "")
    if value and not _is_address(value):
        raise SettingError(
            "LLM_BASE_URL must be the address of a server, like http://localhost:8080/v1, without a name or password"
        )
    return value.rstrip("/")


def _is_address(value: str) -> bool:
    try:
        return bool(re.fullmatch(r"https?://[^\s@]+", value)) and bool(urlsplit(value).hostname) and _has_port(value)
    except ValueError:
        return False


def _has_port(value: str) -> bool:
    """Whether the port is none or one that there can be; a wrong one raises ValueError."""
    return urlsplit(value).port != 0
