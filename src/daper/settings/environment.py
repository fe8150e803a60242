"""Checks what the environment and `.env` in the current folder say, part by part."""

import difflib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from daper.adapters.state import StatePlace
from daper.agents.llm.config import ThinkingSettings
from daper.core.errors import SettingError
from daper.core.events import LONGEST_WINDOW, MOST_OPEN, Gathering
from daper.core.ids import EVENT_DRIVEN, PROACTIVE
from daper.core.models import IdentityProof, Person
from daper.core.people import People
from daper.core.policy import APPROVAL_TIMEOUT, DECISION_VALID_FOR, ApprovalPolicy
from daper.core.usage import Role
from daper.settings.console import ConsoleSettings, console_of
from daper.settings.database import database_url_of
from daper.settings.domain_options import prefix_of, settings_of_domains
from daper.settings.dotenv_file import references
from daper.settings.model_choice import thinking_of
from daper.settings.parts import EVERYTHING, Part, Parts, refuse_secrets
from daper.settings.people import PeopleFile, people_of, told_of
from daper.settings.places import domain_files_of, home_of, policy_source_of
from daper.settings.policy import CLOSED, POLICY_FILE, PolicySource
from daper.settings.surroundings import unfit_surroundings
from daper.settings.table import BY_NAME, ChatApproval
from daper.settings.temporal_profile import NO_SERVER, temporal_of
from daper.settings.terminal import TerminalSettings, pager_of, terminal_of
from daper.settings.values import one_of, raw, span, text_value, whole_value
from daper.settings.variables import read_values
from daper.settings.worker import ModelLimits, WorkerSettings, model_limits_of, worker_of

# Read by Temporal's own command line, but not by its Python SDK: to say nothing would be to pretend.
_IGNORED: Final = ("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "TEMPORAL_TLS_CA", "TEMPORAL_CODEC_ENDPOINT")


@dataclass(frozen=True)
class Settings:
    """What is configured, checked. `temporal` may hold secrets and is never shown.

    `database_url`: the PostgreSQL database that all is in, with its password; None where files in the home have it.
    `console`: by which URL people come to the console, and who tells who they are. `terminal`: what is asked there.
    `domain_files`: those that declare domains; `variables`: all that is set, secrets too, for what such a file names.
    `ui_url`: where the UI of `daper up` is, for the repairs of its server. `policy` is as it was when this was loaded;
    `policy_source` can read it again; so are `people`, and `people_file` tells whether their file has changed.
    `troubles`: what is wrong with a part that whoever loaded this did not need;
    `unfit`: what is wrong with what every program reads of the environment.
    """

    home: Path
    user: str
    user_is_login: bool
    task_queue: str
    domain: str
    approval_timeout: timedelta
    decision_valid_for: timedelta
    policy: ApprovalPolicy
    policy_source: PolicySource
    address: str
    address_source: str
    ui_url: str | None
    namespace: str
    people: People
    people_file: PeopleFile
    tell: tuple[str, ...]
    chat_approval: ChatApproval
    gathering: Gathering
    thinking: ThinkingSettings
    model_limits: ModelLimits
    worker: WorkerSettings
    temporal: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    database_url: str | None = field(default=None, repr=False)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    terminal: TerminalSettings = field(default_factory=TerminalSettings)
    domain_files: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    troubles: Mapping[Part, SettingError] = field(default_factory=dict[Part, SettingError], repr=False)
    unfit: tuple[str, ...] = ()

    def need(self, *parts: Part) -> None:
        """Raises SettingError where one of these parts is wrong."""
        for part in Part:
            if part in parts and part in self.troubles:
                raise SettingError(self.troubles[part].said)

    def domain_or(self, name: str | None) -> str:
        """A domain that was named, or else the configured one. Raises SettingError where that is needed and wrong."""
        if not name:
            self.need(Part.DOMAIN)
        return name or self.domain

    @property
    def state(self) -> StatePlace:
        """Where what is kept beside Temporal is. Raises SettingError where the database is none that can be."""
        self.need(Part.DATABASE)
        return StatePlace(home=self.home, database_url=self.database_url)

    @property
    def person(self) -> Person:
        """Who works here: the login name, or a name that USER_NAME claims."""
        how = IdentityProof.OS_USER if self.user_is_login else IdentityProof.CLAIMED
        return Person(name=self.user, how=how)

    @property
    def is_named(self) -> bool:
        """Whether anything says who works here: the login name, or USER_NAME."""
        return self.user_is_login or bool(self.variables.get("USER_NAME"))

    def link_to(self, workflow_id: str) -> str | None:
        """Where the Temporal UI shows a repair or an agent, or None where we know of no UI."""
        if self.ui_url is None:
            return None
        return f"{self.ui_url}/namespaces/{quote(self.namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"

    def seen_at(self, workflow_id: str) -> str | None:
        """Where people look at a repair or an agent: at the console, else in the Temporal UI; None for neither."""
        path = (
            "/agents"
            if workflow_id.startswith((PROACTIVE, EVENT_DRIVEN))
            else f"/repairs/{quote(workflow_id, safe='')}"
        )
        return self.console.link_to(path) or self.link_to(workflow_id)

    def domain_options(self, name: str) -> Mapping[str, str]:
        """What is set for one domain: DAPER_<DOMAIN>_<OPTION> as option → value."""
        prefix = prefix_of(name)
        found = {key: value for key, value in self.options.items() if key.startswith(prefix) and key not in BY_NAME}
        return {key[len(prefix) :].lower(): value for key, value in found.items()}

    def warnings(self, domains: Collection[str] = ()) -> tuple[str, ...]:
        """One line for each variable that looks meant for us and does nothing.

        `domains` are the names of installed domains: what begins with DAPER_<DOMAIN>_ is theirs, unless a domain
        declares what it understands.
        """
        declared = settings_of_domains()
        names = {*BY_NAME, *(setting.name for settings in declared.values() for setting in settings)}
        theirs = tuple(prefix_of(name) for name in {*domains, self.domain} if name not in declared)
        known = {*names, *self.people.secrets}
        strange = [name for name in self.options if name not in known and not name.startswith(theirs)]
        strange += [name for name in self.temporal if _nearly_known(name)]
        kept = tuple(
            f"{name} holds ${{...}}, which is taken as it stands: nothing is put in its place"
            for name in sorted(references({**self.options, **self.temporal}))
        )
        return (*(_warning(name, names) for name in sorted(strange)), *kept, *self.unfit)


def load_settings(
    *,
    needs: Collection[Part] = EVERYTHING,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    thinkers: Mapping[Role, str] | None = None,
    dotenv: bool = True,
) -> Settings:
    """Read the environment and `.env` in `folder` (the current one), and check every value. No `.env` if not `dotenv`.

    `needs`: what must be right; what is wrong elsewhere is in `troubles`, and something that grants nothing stands in
    for it. `thinkers`: who plays a role in place of whom is configured, `rules` or the name of a model.

    The environment wins; an empty value counts as not set. Raises SettingError: one line that names the variable, what
    it holds (never a secret) and what would be right.
    """
    folder = Path.cwd() if folder is None else folder
    found = read_values(environ, folder, dotenv=dotenv)
    values = {name: value for name, (value, _) in found.items()}
    refuse_secrets(values, None)
    home, login = home_of(values, folder), _login_name()
    parts = Parts(values)
    source = parts.read(
        Part.POLICY, lambda: policy_source_of(values, home, folder), PolicySource(path=home / POLICY_FILE)
    )
    policy = CLOSED if parts.troubles else parts.read(Part.POLICY, source.read, CLOSED)
    waits, valid = parts.read(Part.POLICY, lambda: _times(values, policy), (APPROVAL_TIMEOUT, DECISION_VALID_FOR))
    server = parts.read(Part.TEMPORAL, lambda: temporal_of(values, home), NO_SERVER)
    people_file = PeopleFile.at(values, home, folder)  # before it is read: what is written meanwhile is a change
    people = parts.read(Part.PEOPLE, lambda: people_of(values, home, folder), People())
    settings = Settings(
        home=home,
        user=parts.read(Part.USER, lambda: _user(values, login), "operator"),
        user_is_login=not values.get("USER_NAME") and login is not None,
        task_queue=server.queue,
        domain=parts.read(Part.DOMAIN, lambda: _domain(values), BY_NAME["DAPER_DOMAIN"].default),
        approval_timeout=waits,
        decision_valid_for=valid,
        policy=policy,
        policy_source=source,
        address=server.place.address,
        address_source=server.place.source,
        ui_url=server.place.ui_url,
        namespace=server.namespace,
        people=people,
        people_file=people_file,
        tell=parts.read(Part.PEOPLE, lambda: told_of(values, people, by_policy=policy.tell), ()),
        chat_approval=parts.read(
            Part.CHAT, lambda: one_of(values, "DAPER_MCP_APPROVAL", ChatApproval), ChatApproval.ELICIT
        ),
        gathering=parts.read(Part.REPORTS, lambda: _gathering(values), Gathering()),
        thinking=parts.read(Part.MODELS, lambda: thinking_of(values, thinkers or {}), thinking_of({}, {})),
        model_limits=parts.read(Part.MODELS, lambda: model_limits_of(values), ModelLimits()),
        worker=parts.read(Part.WORKER, lambda: worker_of(values), WorkerSettings()),
        temporal=server.variables,
        options={name: value for name, value in values.items() if name.startswith(("DAPER_", "LLM_"))},
        database_url=parts.read(Part.DATABASE, lambda: database_url_of(values), None),
        terminal=parts.read(Part.TERMINAL, lambda: terminal_of(values, pager_of(found)), TerminalSettings()),
        console=parts.read(Part.CONSOLE, lambda: console_of(values), ConsoleSettings()),
        domain_files=parts.read(Part.DOMAIN, lambda: domain_files_of(values, home, folder), ()),
        variables=values,
        troubles=parts.troubles,
        unfit=unfit_surroundings(found),
    )
    settings.need(*needs)
    return settings


def _user(values: Mapping[str, str], login: str | None) -> str:
    return text_value(values, "USER_NAME") if values.get("USER_NAME") else login or "operator"


def _times(values: Mapping[str, str], policy: ApprovalPolicy) -> tuple[timedelta, timedelta]:
    """How long a plan waits, and how long a decision is valid."""
    waits, valid = "DAPER_APPROVAL_TIMEOUT", "DAPER_DECISION_VALID_FOR"
    return policy.waits(_said(values, waits), span({}, waits)), policy.valid_for(_said(values, valid), span({}, valid))


def _said(values: Mapping[str, str], name: str) -> timedelta | None:
    return span(values, name) if name in values else None


def _domain(values: Mapping[str, str]) -> str:
    value = values.get("DAPER_DOMAIN", BY_NAME["DAPER_DOMAIN"].default)
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,49}", value):
        raise SettingError(f"DAPER_DOMAIN is {value!r}; it must be the name of a domain, for example orders")
    return value


def _gathering(values: Mapping[str, str]) -> Gathering:
    window = span(values, "DAPER_REPORTS_WINDOW")
    if window > LONGEST_WINDOW:
        raise SettingError(f"DAPER_REPORTS_WINDOW is {raw(values, 'DAPER_REPORTS_WINDOW')!r}; it must be at most 1h")
    return Gathering(window=window, most_open=whole_value(values, "DAPER_REPORTS_OPEN", least=1, most=MOST_OPEN))


def _login_name() -> str | None:
    """Whose process this is, as the system has it: the environment could say anything. None where it has no name."""
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
    return name if name and len(name) <= 200 and name.isprintable() else None


def _nearly_known(name: str) -> bool:
    if name in BY_NAME or name.startswith("TEMPORAL_GRPC_META_"):
        return False
    return name in _IGNORED or bool(difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.85))


def _warning(name: str, known: Collection[str]) -> str:
    if name in _IGNORED:
        return f"{name} is set, but the Python SDK of Temporal does not read it"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"{name} is set, but nothing reads it" + (f"; did you mean {near[0]}?" if near else "")
