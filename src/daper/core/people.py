"""Who may be told: targets by name. Addresses and secrets are known to settings, and never cross Temporal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from daper.core.base import Wire
from daper.core.errors import TargetRefused

MOST_TARGETS = 10
LONGEST_ID = 1000  # bytes
ANSWER_TIMEOUT = timedelta(seconds=20)  # of a server that is told
TARGET_NAME = r"^[a-z][a-z0-9-]{0,39}$"

TargetName = Annotated[str, StringConstraints(pattern=TARGET_NAME)]
Targets = Annotated[tuple[TargetName, ...], Field(max_length=MOST_TARGETS)]


def _fits_an_id(text: str) -> str:
    """Temporal takes 1,000 bytes: https://docs.temporal.io/cloud/limits"""
    if len(text.encode(errors="surrogatepass")) > LONGEST_ID:
        raise ValueError(f"it is longer than {LONGEST_ID} bytes")
    return text


class SignalCallback(Wire):
    """Another workflow of the same namespace, which is told by a signal; what it gets is a `Message`."""

    type: Literal["signal-workflow"] = "signal-workflow"
    workflow_id: Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_fits_an_id)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^_]")]


class Security(StrEnum):
    """How a connection to a mail server is made safe. There is no way to do without."""

    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """The mail server that takes what is sent. `password_env` names the variable with the password of `user`.

    `helo_name`: how this machine names itself there; empty: its full host name, or the address that it comes from.
    """

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password_env: str = ""
    helo_name: str = ""
    ca_file: Path | None = None
    timeout: timedelta = ANSWER_TIMEOUT


@dataclass(frozen=True, kw_only=True)
class EmailTarget:
    """A person, or several, by e-mail."""

    to: tuple[str, ...]
    kind: str = "email"


@dataclass(frozen=True, kw_only=True)
class WebhookTarget:
    """A server of somebody's that is sent JSON. `secret_env` names the variable with the secret that signs it."""

    url: str = field(repr=False)
    secret_env: str
    ca_file: Path | None = None
    timeout: timedelta = ANSWER_TIMEOUT
    kind: str = "webhook"


@dataclass(frozen=True, kw_only=True)
class SignalTarget:
    """A workflow in the same namespace."""

    callback: SignalCallback
    kind: str = "signal-workflow"


@dataclass(frozen=True, kw_only=True)
class MailRoute:
    """Messages of records go as mails to the address that each names. `from_name`: whom they show as their sender."""

    from_name: str = ""
    reply_to: str = ""
    kind: str = "email"


@dataclass(frozen=True, kw_only=True)
class CommandRoute:
    """Messages of records go to a program, as JSON on its standard input. `env`: the variables that it is given."""

    run: tuple[str, ...]
    env: tuple[str, ...] = ()
    timeout: timedelta = ANSWER_TIMEOUT
    kind: str = "command"


Target = EmailTarget | WebhookTarget | SignalTarget
Route = MailRoute | WebhookTarget | CommandRoute


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A program that tells facts of records, signed with the secret in a variable; only these facts.

    `domain`: of which records; "" for those that are configured.
    """

    secret_env: str
    facts: tuple[str, ...]
    domain: str = ""


@dataclass(frozen=True, kw_only=True)
class People:
    """Everybody who may be told, and whoever tells us, by name; and by domain what takes the messages of its outbox.

    `secrets`: variable → value, for those variables that are set; `surroundings`: those that every program may have.
    """

    source: str = ""
    outbox: Mapping[str, Route] = field(default_factory=dict[str, Route])
    targets: Mapping[str, Target] = field(default_factory=dict[str, Target])
    senders: Mapping[str, Sender] = field(default_factory=dict[str, Sender])
    smtp: SmtpServer | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    surroundings: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def target(self, name: str) -> Target:
        """The target by that name. Raises TargetRefused."""
        found = self.targets.get(name)
        if found is None:
            raise TargetRefused(f"there is no target {name!r}; {self.known()}")
        return found

    def secret(self, variable: str) -> str:
        """What a variable holds. Raises TargetRefused where it is not set."""
        value = self.secrets.get(variable, "")
        if not value:
            raise TargetRefused(f"the variable {variable} is not set where this runs; it holds a secret that is needed")
        return value

    def needed(self, name: str) -> str:
        """The variable that a target needs to be set, or nothing."""
        match self.targets.get(name):
            case WebhookTarget(secret_env=variable):
                return variable
            case EmailTarget():
                return self.smtp.password_env if self.smtp else ""
            case _:
                return ""

    def needed_for(self, domain: str) -> tuple[str, ...]:
        """The variables that delivering the outbox of a domain needs to be set."""
        match self.outbox.get(domain):
            case WebhookTarget(secret_env=variable):
                return (variable,)
            case MailRoute():
                return (self.smtp.password_env,) if self.smtp and self.smtp.password_env else ()
            case CommandRoute(env=env):
                return env
            case None:
                return ()

    def missing(self) -> Mapping[str, str]:
        """Target, or outbox → the variable that it needs and that is not set."""
        needed = {name: self.needed(name) for name in self.targets}
        needed |= {
            f"outbox.{domain}": next((each for each in self.needed_for(domain) if each not in self.secrets), "")
            for domain in self.outbox
        }
        return {name: variable for name, variable in needed.items() if variable and variable not in self.secrets}

    def known(self) -> str:
        """Which targets there are, for a message."""
        if not self.source:
            return "nobody is named: write a people.toml in DAPER_HOME, or name one in DAPER_PEOPLE"
        return (
            f"{self.source} has: {', '.join(sorted(self.targets))}"
            if self.targets
            else f"{self.source} names no target"
        )
