"""The form of `people.toml`: who may be told, by which way, and the names of the secrets; it holds none itself."""

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, model_validator

from daper.core.base import Reply
from daper.core.people import (
    ANSWER_TIMEOUT,
    LONGEST_ID,
    MOST_TARGETS,
    TARGET_NAME,
    CommandRoute,
    EmailTarget,
    MailRoute,
    People,
    Route,
    Security,
    Sender,
    SignalCallback,
    SignalTarget,
    SmtpServer,
    Target,
    WebhookTarget,
)
from daper.settings.toml_file import FOLDER, Count, Text, missing, read_toml, toml_text, wrong

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_MOST_ARGUMENTS: Final = 50
_SURROUNDINGS: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")  # what a program needs, and no secret
_PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465}


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _addresses(given: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(given) <= MOST_TARGETS or not all(map(_ADDRESS.fullmatch, given)):
        raise ValueError("no addresses")
    return given


def _there(name: object, info: ValidationInfo) -> Path:
    """A file beside the one that names it."""
    folder: Mapping[str, Path] = info.context or {}
    path = folder[FOLDER] / name if isinstance(name, str) and name.isprintable() else None
    if path is None or not path.is_file():
        raise ValueError("no such file")
    return path


def _url(value: str) -> str:
    """Without TLS only on this machine."""
    parts = urlsplit(value)
    host = parts.hostname or ""
    plain = "@" not in parts.netloc and not parts.fragment and parts.port != 0
    if not host or not plain or (value.startswith("http:") and not _is_here(host)):
        raise ValueError("no address that is safe")
    return value


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _program(given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """A path within the file is one beside it; a bare name is looked for where programs are."""
    if not 1 <= len(given) <= _MOST_ARGUMENTS or not given[0]:
        raise ValueError("no program")
    folder: Mapping[str, Path] = info.context or {}
    program = str(folder[FOLDER] / given[0]) if "/" in given[0] else given[0]
    return (program, *given[1:])


def _short_enough(value: str) -> str:
    if len(value.encode()) > LONGEST_ID:
        raise ValueError("too long")
    return value


_Argument = Annotated[Text, StringConstraints(pattern=r"^[^\x00]{0,1000}$")]
_Line = Annotated[Text, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
_Address = Annotated[Text, StringConstraints(pattern=rf"^{_ADDRESS.pattern}$")]
_Host = Annotated[Text, StringConstraints(pattern=r"^([A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:]{2,45})$")]
_HeloName = Annotated[
    Text,
    StringConstraints(pattern=r"^(([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}|\[[0-9A-Za-z.:]{2,60}\])$", max_length=253),
]
_Variable = Annotated[Text, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_Certificates = Annotated[Path, BeforeValidator(_there)]
_Security = Annotated[Security, BeforeValidator(toml_text)]
_Seconds = Annotated[Count, Field(ge=1, le=60)]

# What stands in place of the name by mistake may be the secret itself.
_VARIABLE: Final = "the name of the variable that holds the secret"
_CERTIFICATES: Final = "a file with certificates (PEM), and there is none by that name"
_ANSWER_S: Final = round(ANSWER_TIMEOUT.total_seconds())
_SECONDS: Final = "a whole number from 1 to 60"


class SmtpSection(Reply):
    """The mail server."""

    host: _Host = Field(description="the name of a mail server, like smtp.example.org")
    port: Annotated[Count, Field(ge=1, le=65535)] | None = Field(
        default=None, description="a whole number from 1 to 65535"
    )
    security: _Security = Field(default=Security.STARTTLS, description=" or ".join(Security))
    sender: _Address = Field(alias="from", description="the address that mails come from, like daper@example.org")
    user: _Line | None = Field(default=None, description="the name to log in with, which a password_env needs")
    password_env: _Variable | None = Field(default=None, repr=False, description=_VARIABLE)
    helo_name: _HeloName | None = Field(
        default=None,
        description="the full name of this machine, like robot.example.org, or an address like [192.0.2.7]",
    )
    ca_file: _Certificates | None = Field(default=None, description=_CERTIFICATES)
    timeout_s: _Seconds = Field(default=_ANSWER_S, description=_SECONDS)

    @model_validator(mode="after")
    def _logs_in_with_both(self) -> "SmtpSection":
        if self.user is None and self.password_env is not None:
            raise missing("user")
        if self.password_env is None and self.user is not None:
            raise missing("password_env")
        return self

    def server(self) -> SmtpServer:
        """As the rest of the program knows it."""
        return SmtpServer(
            host=self.host,
            port=self.port or _PORTS[self.security],
            security=self.security,
            sender=self.sender,
            user=self.user or "",
            password_env=self.password_env or "",
            helo_name=self.helo_name or "",
            ca_file=self.ca_file,
            timeout=timedelta(seconds=self.timeout_s),
        )


class EmailSection(Reply):
    """A person, or several, by e-mail."""

    type: Literal["email"]
    to: Annotated[tuple[Text, ...], BeforeValidator(_list), AfterValidator(_addresses)] = Field(
        description=f"an address like harry@example.org, or a list of at most {MOST_TARGETS}"
    )

    def target(self) -> Target:
        """As the rest of the program knows it."""
        return EmailTarget(to=self.to)


class WebhookSection(Reply):
    """A server that is sent JSON; its address may itself be a secret."""

    type: Literal["webhook"]
    url: Annotated[Text, StringConstraints(pattern=r"^https?://[!-~]{1,1000}$"), AfterValidator(_url)] = Field(
        repr=False, description="an https:// address without name or password; http:// only on this machine"
    )
    secret_env: _Variable = Field(repr=False, description=_VARIABLE)
    ca_file: _Certificates | None = Field(default=None, description=_CERTIFICATES)
    timeout_s: _Seconds = Field(default=_ANSWER_S, description=_SECONDS)

    def target(self) -> WebhookTarget:
        """As the rest of the program knows it."""
        return WebhookTarget(
            url=self.url,
            secret_env=self.secret_env,
            ca_file=self.ca_file,
            timeout=timedelta(seconds=self.timeout_s),
        )


class SignalSection(Reply):
    """A workflow of the same namespace."""

    type: Literal["signal-workflow"]
    workflow_id: Annotated[
        Text, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,1000}$"), AfterValidator(_short_enough)
    ] = Field(description=f"the id of a workflow, of at most {LONGEST_ID} bytes")
    name: Annotated[Text, StringConstraints(pattern=r"^[^_\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,199}$")] = Field(
        description="the name of one of its signals"
    )

    def target(self) -> Target:
        """As the rest of the program knows it."""
        return SignalTarget(callback=SignalCallback(workflow_id=self.workflow_id, name=self.name))


_FactName = Annotated[Text, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


def _some(given: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(given) <= MOST_TARGETS:
        raise ValueError("none, or too many")
    return given


class SenderSection(Reply):
    """A program that tells facts."""

    secret_env: _Variable = Field(repr=False, description=_VARIABLE)
    facts: Annotated[tuple[_FactName, ...], BeforeValidator(_list), AfterValidator(_some)] = Field(
        description=f'what it may tell, like ["delivered"], at most {MOST_TARGETS}'
    )
    domain: _Line | None = Field(default=None, description="the name of a domain, like orders")

    def sender(self) -> Sender:
        """As the rest of the program knows it."""
        return Sender(secret_env=self.secret_env, facts=self.facts, domain=self.domain or "")


class MailRouteSection(Reply):
    """Messages of records as mails, each to the address that stands in it."""

    type: Literal["email"]
    from_name: _Line | None = Field(default=None, description="the name that mails show as their sender")
    reply_to: _Address | None = Field(default=None, description="the address that answers go to, like shop@example.org")

    def route(self) -> Route:
        """As the rest of the program knows it."""
        return MailRoute(from_name=self.from_name or "", reply_to=self.reply_to or "")


class WebhookRouteSection(WebhookSection):
    """Messages of records to a server, as signed JSON."""

    def route(self) -> Route:
        """As the rest of the program knows it."""
        return self.target()


class CommandRouteSection(Reply):
    """Messages of records to a program, as JSON on its standard input."""

    type: Literal["command"]
    run: Annotated[tuple[_Argument, ...], BeforeValidator(_list), AfterValidator(_program)] = Field(
        description="a program with its arguments, like ['/usr/local/bin/send-message', '--sms']; no shell runs it"
    )
    env: Annotated[tuple[_Variable, ...], BeforeValidator(_list), Field(max_length=MOST_TARGETS)] = Field(
        default=(), repr=False, description="names of the variables that it is given"
    )
    timeout_s: _Seconds = Field(default=_ANSWER_S, description=_SECONDS)

    def route(self) -> Route:
        """As the rest of the program knows it."""
        return CommandRoute(run=self.run, env=self.env, timeout=timedelta(seconds=self.timeout_s))


_Name = Annotated[
    str,
    StringConstraints(pattern=TARGET_NAME),
    Field(description="lower-case letters, digits and -, like hagrid or on-call"),
]
_Target = Annotated[
    EmailSection | WebhookSection | SignalSection,
    Field(discriminator="type", description="a table, like [targets.hagrid]"),
]


_Domain = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$"),
    Field(description="the name of a domain, like orders"),
]
_Route = Annotated[
    MailRouteSection | WebhookRouteSection | CommandRouteSection,
    Field(discriminator="type", description="a table, like [outbox.orders]"),
]


class PeopleDocument(Reply):
    """The whole file."""

    smtp: SmtpSection | None = Field(default=None, description="a table: [smtp]")
    targets: dict[_Name, _Target] = Field(
        default_factory=dict[str, _Target], description="tables, like [targets.hagrid]"
    )
    outbox: dict[_Domain, _Route] = Field(default_factory=dict[str, _Route], description="tables, like [outbox.orders]")

    senders: dict[_Name, SenderSection] = Field(
        default_factory=dict[str, SenderSection], description="tables, like [senders.warehouse]"
    )

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> "PeopleDocument":
        for name, target in self.targets.items():
            if isinstance(target, EmailSection) and self.smtp is None:
                raise wrong(f"targets.{name} is told by e-mail, but there is no table [smtp]; add it")
        for name, route in self.outbox.items():
            if isinstance(route, MailRouteSection) and self.smtp is None:
                raise wrong(f"outbox.{name} is sent by e-mail, but there is no table [smtp]; add it")
        return self

    def people(self, *, source: str, values: Mapping[str, str]) -> People:
        """As the rest of the program knows them, with those of their secrets that are set."""
        smtp = self.smtp.server() if self.smtp else None
        targets = {name: section.target() for name, section in self.targets.items()}
        variables = {target.secret_env for target in targets.values() if isinstance(target, WebhookTarget)}
        variables |= {smtp.password_env} if smtp and smtp.password_env else set()
        senders = {name: section.sender() for name, section in self.senders.items()}
        variables |= {sender.secret_env for sender in senders.values()}
        routes = {name: section.route() for name, section in self.outbox.items()}
        variables |= {route.secret_env for route in routes.values() if isinstance(route, WebhookTarget)}
        variables |= {name for route in routes.values() if isinstance(route, CommandRoute) for name in route.env}
        return People(
            source=source,
            targets=targets,
            senders=senders,
            smtp=smtp,
            outbox=routes,
            secrets={name: values[name] for name in variables if name in values},
            surroundings={name: values[name] for name in _SURROUNDINGS if name in values},
        )


def read_people(path: Path, values: Mapping[str, str]) -> People:
    """Everybody in the file. Raises SettingError, one line, with no secret and no address of a webhook."""
    document = read_toml(path, PeopleDocument, what="the people file", variable="DAPER_PEOPLE")
    return document.people(source=str(path), values=values)
