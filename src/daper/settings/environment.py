"""Reads the environment and `.env` in the current folder, and checks what they say; nothing else reads them."""

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from daper.agents.llm.config import ThinkingSettings
from daper.core.errors import SettingError
from daper.core.events import LONGEST_WINDOW, MOST_OPEN, Gathering
from daper.core.models import IdentityProof, Person
from daper.core.people import People
from daper.core.policy import ApprovalPolicy
from daper.core.urls import masked_url, masked_urls
from daper.core.usage import Role
from daper.settings.domain_options import every_setting, prefix_of, settings_of_domains
from daper.settings.model_choice import thinking_of
from daper.settings.people import people_of, told_of
from daper.settings.policy import POLICY_FILE, PolicySource
from daper.settings.table import BY_NAME, DEFAULT, ChatApproval, Setting
from daper.settings.temporal_profile import (
    EMBEDDED,
    find_temporal_server,
    holds_pem,
    is_credential,
    profile_of,
    temporal_variables,
)
from daper.settings.values import one_of, raw, span, text_value, whole_value

# Read by Temporal's own command line, but not by its Python SDK: to say nothing would be to pretend.
_IGNORED: Final = ("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "TEMPORAL_TLS_CA", "TEMPORAL_CODEC_ENDPOINT")


@dataclass(frozen=True)
class Settings:
    """What is configured, checked. `temporal` may hold secrets and is never shown.

    `ui_url`: where the UI of `daper up` is, for the repairs of its server. `policy` is as it was when this was loaded;
    `policy_source` can read it again.
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
    tell: tuple[str, ...]
    chat_approval: ChatApproval
    gathering: Gathering
    thinking: ThinkingSettings
    temporal: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(repr=False)

    @property
    def person(self) -> Person:
        """Who works here: the login name, or a name that USER_NAME claims."""
        how = IdentityProof.OS_USER if self.user_is_login else IdentityProof.CLAIMED
        return Person(name=self.user, how=how)

    def link_to(self, workflow_id: str) -> str | None:
        """Where the Temporal UI shows a repair or an agent, or None where we know of no UI."""
        if self.ui_url is None:
            return None
        return f"{self.ui_url}/namespaces/{quote(self.namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"

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
        return tuple(_warning(name, names) for name in sorted(strange))


@dataclass(frozen=True)
class Shown:
    """One row of what `daper doctor` shows. Secrets are `(set)`; those in an address are `***`."""

    name: str
    value: str
    source: str
    help: str


def load_settings(
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    thinkers: Mapping[Role, str] | None = None,
    dotenv: bool = True,
) -> Settings:
    """Read the environment and `.env` in `folder` (the current one), and check every value. No `.env` if not `dotenv`.

    `thinkers`: who plays a role in place of whom is configured, `rules` or the name of a model.

    The environment wins; an empty value counts as not set. Raises SettingError: one line that names the variable, what
    it holds (never a secret) and what would be right.
    """
    folder = Path.cwd() if folder is None else folder
    values = {name: value for name, (value, _) in _read(environ, folder, dotenv=dotenv).items()}
    home, login = _home(values, folder), _login_name()
    source = _policy_source(values, home, folder)
    policy = source.read()
    temporal = temporal_variables(values)
    profile = profile_of(temporal)
    people = people_of(values, home, folder)
    server = find_temporal_server(temporal, profile, home)
    if server.source == EMBEDDED:  # it speaks neither TLS nor keys, and must not be sent any
        temporal = {name: value for name, value in temporal.items() if not is_credential(name)}
    return Settings(
        home=home,
        user=text_value(values, "USER_NAME") if values.get("USER_NAME") else login or "operator",
        user_is_login=not values.get("USER_NAME") and login is not None,
        task_queue=text_value(values, "TEMPORAL_TASK_QUEUE"),
        domain=_domain(values),
        approval_timeout=policy.waits(_said(values, "DAPER_APPROVAL_TIMEOUT"), span({}, "DAPER_APPROVAL_TIMEOUT")),
        decision_valid_for=policy.valid_for(
            _said(values, "DAPER_DECISION_VALID_FOR"), span({}, "DAPER_DECISION_VALID_FOR")
        ),
        policy=policy,
        policy_source=source,
        address=server.address,
        address_source=server.source,
        ui_url=server.ui_url,
        namespace=temporal.get("TEMPORAL_NAMESPACE") or profile.get("namespace") or "default",
        people=people,
        tell=told_of(values, people, by_policy=policy.tell),
        chat_approval=one_of(values, "DAPER_MCP_APPROVAL", ChatApproval),
        gathering=_gathering(values),
        thinking=thinking_of(values, thinkers or {}),
        temporal=temporal,
        options={name: value for name, value in values.items() if name.startswith(("DAPER_", "LLM_"))},
    )


def shown_settings(*, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> tuple[Shown, ...]:
    """Every setting with its value and where that comes from, in the table's order; secrets are `(set)` or `***`.

    Checks no value, so that it can be shown when one is wrong. Raises SettingError if `.env` cannot be read.
    """
    values = _read(environ, Path.cwd() if folder is None else folder)
    return tuple(row for setting in every_setting() for row in _rows(setting, values))


def _rows(setting: Setting, values: Mapping[str, tuple[str, str]]) -> Iterator[Shown]:
    names = [setting.name]
    if setting.name.endswith("*"):
        names = sorted(name for name in values if name.startswith(setting.name[:-1])) or names
    for name in names:
        value, source = values.get(name, (setting.default, DEFAULT))
        if value and (setting.secret or holds_pem(value)):
            value = "(set)"
        elif source != DEFAULT:
            value = masked_url(value) if setting.address else masked_urls(value)
        yield Shown(name=name, value=value, source=source, help=setting.help)


def _read(environ: Mapping[str, str] | None, folder: Path, *, dotenv: bool = True) -> dict[str, tuple[str, str]]:
    """Variable → value and source, without the empty ones. The environment wins, also with an empty value."""
    environ = os.environ if environ is None else environ  # noqa: TID251 - this is the one place
    found = {name: (value, ".env") for name, value in (_dotenv(folder / ".env") if dotenv else {}).items()}
    found |= {name: (value, "environment") for name, value in environ.items()}
    return {name: (value.strip(), source) for name, (value, source) in found.items() if value.strip()}


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # 20 ms that most starts need not pay

    try:
        return {name: value for name, value in dotenv_values(path, encoding="utf-8-sig").items() if value is not None}
    except (OSError, UnicodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeError) else error.strerror
        raise SettingError(f"cannot read {str(path)!r}: {reason}; mend the file or remove it") from error


def _home(values: Mapping[str, str], folder: Path) -> Path:
    return _path(values, "DAPER_HOME", values.get("DAPER_HOME", BY_NAME["DAPER_HOME"].default), folder)


def _policy_source(values: Mapping[str, str], home: Path, folder: Path) -> PolicySource:
    value = values.get("DAPER_POLICY")
    if value is None:
        return PolicySource(path=home / POLICY_FILE)
    return PolicySource(path=_path(values, "DAPER_POLICY", value, folder), named=True)


def _path(values: Mapping[str, str], name: str, value: str, folder: Path) -> Path:
    path = Path(value)
    if path.parts[:1] == ("~",) and values.get("HOME"):
        return folder.joinpath(values["HOME"], *path.parts[1:]).absolute()
    try:
        return (folder / path.expanduser()).absolute()
    except RuntimeError as error:
        raise SettingError(f"{name} is {value!r}, which names no home folder; give a full path") from error


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
