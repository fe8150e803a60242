"""Who may be told: reads `people.toml`, and looks up the secrets that it names; it holds none itself."""

import difflib
import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from daper.core.errors import SettingError
from daper.core.people import (
    LONGEST_ID,
    MOST_TARGETS,
    TARGET_NAME,
    EmailTarget,
    People,
    Security,
    SignalCallback,
    SignalTarget,
    SmtpServer,
    Target,
    WebhookTarget,
)

FILE: Final = "people.toml"
_A_WORKFLOW: Final = f"the id of a workflow, of at most {LONGEST_ID} bytes"
_KINDS: Final = ("email", "webhook", "signal-workflow")
_VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
_ADDRESS: Final = r"[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
_HOST: Final = r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:]{2,45}"
_LINE: Final = r"[^\x00-\x1f\x7f]{1,200}"
_PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465}
_LONGEST: Final = 60


def people_of(values: Mapping[str, str], home: Path, folder: Path) -> People:
    """Everybody in the file that DAPER_PEOPLE names, or in `people.toml` of the home; nobody where there is none.

    Raises SettingError: one line with file, key, value (never a secret, nor a webhook's address) and what is right.
    """
    named = values.get("DAPER_PEOPLE")
    path = folder / named if named else home / FILE
    if not path.is_file():
        if named:
            raise SettingError(f"DAPER_PEOPLE is {named!r}, and there is no such file; name one or unset it")
        if path.is_symlink():
            raise SettingError(f"{str(path)!r} is a link that leads nowhere; mend it or remove it")
        return People()
    return _people(_Table(str(path), "", _parsed(path)), values)


def told_of(values: Mapping[str, str], people: People, *, by_policy: Sequence[str]) -> tuple[str, ...]:
    """Who is told by default: the names in DAPER_TELL, or else those of the policy. Raises SettingError."""
    names = tuple(dict.fromkeys(name.strip() for name in values.get("DAPER_TELL", "").split(",") if name.strip()))
    if names:
        refuse_unknown("DAPER_TELL names", names, people)
        return names
    refuse_unknown("people.tell of the policy names", by_policy, people)
    return tuple(by_policy)


def refuse_unknown(what: str, names: Collection[str], people: People) -> None:
    """Raises SettingError for a name that no target has, or for too many of them."""
    if len(names) > MOST_TARGETS:
        raise SettingError(f"{what} {len(names)} targets; at most {MOST_TARGETS} can be told")
    for name in names:
        if name not in people.targets:
            raise SettingError(f"{what} {name[:_LONGEST]!r}, and there is no such target; {people.known()}")


def _parsed(path: Path) -> dict[str, object]:
    import tomllib  # 20 ms that those who tell nobody need not pay

    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingError(f"cannot read {str(path)!r}: {reason}; mend the file or move it away") from None


@dataclass(frozen=True)
class _Table:
    """A table of the file, which says where it is when something in it is wrong."""

    file: str
    name: str
    holds: Mapping[str, object]

    def wrong(self, key: str, right: str, *, shown: bool = True) -> SettingError:
        value = self.holds.get(key)
        there = "is missing" if key not in self.holds else f"is {_short(value)}" if shown else "is wrong (not shown)"
        return SettingError(f"{self.file}: {self._at(key)} {there}; it must be {right}")

    def only(self, *keys: str) -> None:
        for key in self.holds:
            if key in keys:
                continue
            if f"{key}_env" in keys:
                raise SettingError(
                    f"{self.file}: {self._at(key)} would hold a secret, and none belongs there (not shown); "
                    f"put it into a variable, and name that in {self._at(f'{key}_env')}"
                )
            near = difflib.get_close_matches(key, keys, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there may be: {', '.join(keys)}"
            raise SettingError(f"{self.file}: {self._at(key[:_LONGEST])} is no key that is known; {meant}")

    def table(self, key: str) -> "_Table":
        value = self.holds.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table, [{self._at(key)}]")
        # Parsed TOML: the keys of a table are texts.
        return _Table(self.file, self._at(key), cast(dict[str, object], value))

    def text(self, key: str, pattern: str, right: str, *, default: str | None = None, shown: bool = True) -> str:
        value = self.holds.get(key, default)
        if not isinstance(value, str) or (key in self.holds and not re.fullmatch(pattern, value)):
            raise self.wrong(key, right, shown=shown)
        return value

    def whole(self, key: str, *, least: int, most: int, default: int) -> int:
        value = self.holds.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def timeout(self) -> timedelta:
        return timedelta(seconds=self.whole("timeout_s", least=1, most=60, default=20))

    def file_at(self, key: str) -> Path | None:
        if key not in self.holds:
            return None
        path = Path(self.file).parent / self.text(key, _LINE, "the name of a file")
        if not path.is_file():
            raise self.wrong(key, "a file with certificates (PEM), and there is none by that name")
        return path

    def _at(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def _people(whole: _Table, values: Mapping[str, str]) -> People:
    whole.only("smtp", "targets")
    smtp = _smtp(whole.table("smtp")) if "smtp" in whole.holds else None
    named = whole.table("targets") if "targets" in whole.holds else _Table(whole.file, "targets", {})
    targets: dict[str, Target] = {}
    for name in named.holds:
        if not re.fullmatch(TARGET_NAME, name):
            raise SettingError(
                f"{whole.file}: targets.{name[:_LONGEST]!r} is no name; it must be lower-case letters, digits and -, "
                "like hagrid or on-call"
            )
        targets[name] = _target(named.table(name), smtp)
    variables = {target.secret_env for target in targets.values() if isinstance(target, WebhookTarget)}
    variables |= {smtp.password_env} if smtp and smtp.password_env else set()
    secrets = {name: values[name] for name in variables if name in values}
    return People(source=whole.file, targets=targets, smtp=smtp, secrets=secrets)


def _smtp(table: _Table) -> SmtpServer:
    table.only("host", "port", "security", "from", "user", "password_env", "ca_file", "timeout_s")
    choices = " or ".join(Security)
    security = Security(table.text("security", "|".join(Security), choices, default=Security.STARTTLS))
    user = table.text("user", _LINE, "the name to log in with", default="")
    if "password_env" in table.holds and not user:
        raise table.wrong("user", "the name to log in with, since there is a password_env")
    return SmtpServer(
        host=table.text("host", _HOST, "the name of a mail server, like smtp.example.org"),
        port=table.whole("port", least=1, most=65535, default=_PORTS[security]),
        security=security,
        sender=table.text("from", _ADDRESS, "the address that mails come from, like daper@example.org"),
        user=user,
        password_env=_variable(table, "password_env") if user else "",
        ca_file=table.file_at("ca_file"),
        timeout=table.timeout(),
    )


def _target(table: _Table, smtp: SmtpServer | None) -> Target:
    kind = table.text("type", "|".join(_KINDS), " or ".join(_KINDS))
    if kind == "email":
        table.only("type", "to")
        if smtp is None:
            raise SettingError(f"{table.file}: {table.name} is told by e-mail, but there is no table [smtp]; add it")
        return EmailTarget(to=_addresses(table))
    if kind == "webhook":
        table.only("type", "url", "secret_env", "ca_file", "timeout_s")
        return WebhookTarget(
            url=_url(table),
            secret_env=_variable(table, "secret_env"),
            ca_file=table.file_at("ca_file"),
            timeout=table.timeout(),
        )
    table.only("type", "workflow_id", "name")
    workflow_id = table.text("workflow_id", r"[^\x00-\x1f\x7f]{1,1000}", _A_WORKFLOW)
    if len(workflow_id.encode()) > LONGEST_ID:
        raise table.wrong("workflow_id", _A_WORKFLOW)
    name = table.text("name", r"[^_\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,199}", "the name of one of its signals")
    return SignalTarget(callback=SignalCallback(workflow_id=workflow_id, name=name))


def _addresses(table: _Table) -> tuple[str, ...]:
    value = table.holds.get("to")
    # Parsed TOML: what a list holds is looked at below.
    found = cast(list[object], value) if isinstance(value, list) else [value]
    addresses = tuple(each for each in found if isinstance(each, str) and re.fullmatch(_ADDRESS, each))
    if len(addresses) != len(found) or not 1 <= len(found) <= MOST_TARGETS:
        raise table.wrong("to", f"an address like harry@example.org, or a list of at most {MOST_TARGETS}")
    return addresses


def _variable(table: _Table, key: str) -> str:
    # What stands here by mistake may be the secret itself.
    return table.text(key, _VARIABLE, "the name of the variable that holds the secret", shown=False)


def _url(table: _Table) -> str:
    """The address, which may itself be a secret. Without TLS only on this machine."""
    right = "an https:// address without name or password; http:// only on this machine"
    value = table.text("url", r"https?://[!-~]{1,1000}", right, shown=False)
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        plain = "@" not in parts.netloc and not parts.fragment and parts.port != 0
    except ValueError:
        host, plain = "", False
    if not host or not plain or (value.startswith("http:") and not _is_here(host)):
        raise table.wrong("url", right, shown=False)
    return value


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _short(value: object) -> str:
    told = repr(value)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
