"""Which model plays which role, and within what bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from daper.core.messages import OnOutage
from daper.core.models import RULES
from daper.core.usage import Role
from daper.ports import Caps

MODELS_MISSING = "language models need the extra llm: uv sync --extra llm, or pip install 'daper[llm]'"


class OutputMode(StrEnum):
    """How a model is made to answer in the form that is asked for."""

    AUTO = "auto"
    NATIVE = "native"
    TOOL = "tool"
    PROMPTED = "prompted"


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """One model: its name as it was configured, its key, and where it is, if not where its provider is."""

    name: str
    key: str = field(default="", repr=False)
    base_url: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class ThinkingSettings:
    """What is configured of language models. Roles without a choice are played by the rules.

    `timeout`: how long a model may be silent. `most_output`: tokens of one answer. `batch_tokens`: of records in one
    prompt, as estimated. `network`: variables of certificates and proxies that are set, for messages.
    """

    choices: Mapping[Role, ModelChoice] = field(default_factory=dict[Role, ModelChoice])
    output: OutputMode = OutputMode.AUTO
    timeout: timedelta = timedelta(minutes=5)
    most_output: int = 4096
    batch_tokens: int = 4000
    caps: Caps = field(default_factory=Caps)
    on_outage: OnOutage = OnOutage.FAIL
    network: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def name(self, role: Role) -> str:
        """Who plays a role: the name of a model, or `rules`."""
        choice = self.choices.get(role)
        return RULES if choice is None else choice.name

    @property
    def players(self) -> tuple[str, ...]:
        """Each model that thinks, with the roles that it plays."""
        roles: dict[str, list[str]] = {}
        for role in self.choices:
            roles.setdefault(self.name(role), []).append(role)
        return tuple(f"{name} for {', '.join(each)}" for name, each in roles.items())

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys, to be kept out of whatever is written."""
        return tuple(dict.fromkeys(choice.key for choice in self.choices.values() if choice.key))
