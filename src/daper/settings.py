"""Everything that may be configured: the only reader of the environment and of `.env` in the current folder."""

import difflib
import json
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, cast

from daper.core.errors import SettingError

CONFIGURED: Final = "configured"
EMBEDDED: Final = "embedded server of daper up"
DEFAULT: Final = "default"


@dataclass(frozen=True)
class Setting:
    """One variable: what it is called, what counts without it, what it does."""

    name: str
    default: str
    help: str
    secret: bool = False
    domain: str = ""


# The one table: the docs and `daper doctor` are made from it. A name that ends in `*` stands for all that begin so.
SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("USER_NAME", "the operating system's user", "Your name, in repair ids and beside your decisions."),
    Setting("DAPER_HOME", "~/.daper", "Folder for data, reports and logs."),
    Setting("DAPER_DOMAIN", "orders", "The domain of records that commands work on."),
    Setting(
        "DAPER_ORDERS_APPROVERS",
        "approve-orders@diagonalley.co.uk",
        "Who may be asked to approve restricted items: addresses, separated by commas.",
        domain="orders",
    ),
    Setting("DAPER_APPROVAL_TIMEOUT", "12h", "How long a plan waits for a decision: 30s, 15m, 12h or 2d."),
    Setting("DAPER_DECISION_VALID_FOR", "1h", "How long after its decision an action may still begin."),
    Setting("TEMPORAL_TASK_QUEUE", "agent-repair-task-queue", "The task queue that workers and commands share."),
    Setting("TEMPORAL_ADDRESS", "localhost:7233", "Temporal's address, host:port."),
    Setting("TEMPORAL_NAMESPACE", "default", "The Temporal namespace."),
    Setting("TEMPORAL_API_KEY", "", "API key for Temporal; turns TLS on.", secret=True),
    Setting("TEMPORAL_PROFILE", "default", "The profile to take from Temporal's configuration file."),
    Setting("TEMPORAL_CONFIG_FILE", "the official one", "Temporal's configuration file (TOML)."),
    Setting("TEMPORAL_TLS", "", "true or false: TLS, whatever else is set."),
    Setting("TEMPORAL_TLS_SERVER_NAME", "", "The name that the server's certificate must carry."),
    Setting("TEMPORAL_TLS_CLIENT_CERT_PATH", "", "File with the client certificate (PEM)."),
    Setting("TEMPORAL_TLS_CLIENT_CERT_DATA", "", "The client certificate itself (PEM).", secret=True),
    Setting("TEMPORAL_TLS_CLIENT_KEY_PATH", "", "File with the client's private key (PEM)."),
    Setting("TEMPORAL_TLS_CLIENT_KEY_DATA", "", "The client's private key itself (PEM).", secret=True),
    Setting("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "", "File with the server's CA certificate (PEM)."),
    Setting("TEMPORAL_TLS_SERVER_CA_CERT_DATA", "", "The server's CA certificate itself (PEM).", secret=True),
    Setting("TEMPORAL_TLS_CERT", "", "Another name for TEMPORAL_TLS_CLIENT_CERT_PATH."),
    Setting("TEMPORAL_TLS_KEY", "", "Another name for TEMPORAL_TLS_CLIENT_KEY_PATH."),
    Setting("TEMPORAL_GRPC_META_*", "", "Headers for each call: TEMPORAL_GRPC_META_X_TENANT is x-tenant.", secret=True),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_OTHER_NAMES: Final = {
    "TEMPORAL_TLS_CERT": "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_KEY": "TEMPORAL_TLS_CLIENT_KEY_PATH",
}
# Read by Temporal's own command line, but not by its Python SDK: to say nothing would be to pretend.
_IGNORED: Final = ("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "TEMPORAL_TLS_CA", "TEMPORAL_CODEC_ENDPOINT")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST: Final = timedelta(days=365)


@dataclass(frozen=True)
class Settings:
    """What is configured, checked. `temporal` may hold secrets and is never shown."""

    home: Path
    user: str
    user_is_login: bool
    task_queue: str
    domain: str
    approval_timeout: timedelta
    decision_valid_for: timedelta
    address: str
    address_source: str
    namespace: str
    temporal: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(repr=False)

    def domain_options(self, name: str) -> Mapping[str, str]:
        """What is set for one domain: DAPER_<DOMAIN>_<OPTION> as option → value, over the defaults of the table."""
        prefix = _prefix(name)
        found = {row.name: row.default for row in SETTINGS if row.domain == name}
        found |= {key: value for key, value in self.options.items() if key.startswith(prefix)}
        general = {row.name for row in SETTINGS if not row.domain}
        return {key[len(prefix) :].lower(): value for key, value in found.items() if key not in general}

    def warnings(self, domains: Collection[str] = ()) -> tuple[str, ...]:
        """One line for each variable that looks meant for us and does nothing.

        `domains` are the names of installed domains: what begins with DAPER_<DOMAIN>_ is theirs, unless our table
        lists what that domain understands.
        """
        listed = {row.domain for row in SETTINGS}
        theirs = tuple(_prefix(name) for name in {*domains, self.domain} if name not in listed)
        strange = [name for name in self.options if name not in _BY_NAME and not name.startswith(theirs)]
        strange += [name for name in self.temporal if _nearly_known(name)]
        return tuple(_warning(name) for name in sorted(strange))


@dataclass(frozen=True)
class Shown:
    """One row of what `daper doctor` shows. Secrets are `(set)`."""

    name: str
    value: str
    source: str
    help: str


def load_settings(*, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the environment and `.env` in `folder` (the current one), and check every value.

    The environment wins; an empty value counts as not set. Raises SettingError: one line that names the variable, what
    it holds (never a secret) and what would be right.
    """
    folder = Path.cwd() if folder is None else folder
    values = {name: value for name, (value, _) in _read(environ, folder).items()}
    home = _home(values, folder)
    temporal = _temporal(values)
    profile = _profile(temporal)
    address, source = _address(temporal, profile, home)
    if source == EMBEDDED:  # it speaks neither TLS nor keys, and must not be sent any
        temporal = {name: value for name, value in temporal.items() if not _is_credential(name)}
    return Settings(
        home=home,
        user=_text(values, "USER_NAME") if values.get("USER_NAME") else _os_user(),
        user_is_login=not values.get("USER_NAME"),
        task_queue=_text(values, "TEMPORAL_TASK_QUEUE"),
        domain=_domain(values),
        approval_timeout=_span(values, "DAPER_APPROVAL_TIMEOUT"),
        decision_valid_for=_span(values, "DAPER_DECISION_VALID_FOR"),
        address=address,
        address_source=source,
        namespace=temporal.get("TEMPORAL_NAMESPACE") or profile.get("namespace") or "default",
        temporal=temporal,
        options={name: value for name, value in values.items() if name.startswith("DAPER_")},
    )


def shown(*, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> tuple[Shown, ...]:
    """Every setting with its value and where that comes from, in the table's order; secrets are `(set)`.

    Checks no value, so that it can be shown when one is wrong. Raises SettingError if `.env` cannot be read.
    """
    values = _read(environ, Path.cwd() if folder is None else folder)
    return tuple(row for setting in SETTINGS for row in _rows(setting, values))


def _rows(setting: Setting, values: Mapping[str, tuple[str, str]]) -> Iterator[Shown]:
    names = [setting.name]
    if setting.name.endswith("*"):
        names = sorted(name for name in values if name.startswith(setting.name[:-1])) or names
    for name in names:
        value, source = values.get(name, (setting.default, DEFAULT))
        value = "(set)" if setting.secret and value else value
        yield Shown(name=name, value=value, source=source, help=setting.help)


def _read(environ: Mapping[str, str] | None, folder: Path) -> dict[str, tuple[str, str]]:
    """Variable → value and source, without the empty ones. The environment wins, also with an empty value."""
    environ = os.environ if environ is None else environ  # noqa: TID251 - this is the one place
    found = {name: (value, ".env") for name, value in _dotenv(folder / ".env").items()}
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


def _temporal(values: Mapping[str, str]) -> dict[str, str]:
    """The official TEMPORAL_* variables, checked, the other names translated, and the configuration file found."""
    found = {name: value for name, value in values.items() if name.startswith("TEMPORAL_")}
    found.pop("TEMPORAL_TASK_QUEUE", None)
    for other, official in _OTHER_NAMES.items():
        value = found.pop(other, None)
        if value is not None and found.setdefault(official, value) != value:
            raise SettingError(
                f"{other} is {value!r}, but {official} is {found[official]!r}; they mean the same: set one of them"
            )
    tls = found.get("TEMPORAL_TLS", "true")
    if tls.lower() not in ("true", "false", "1", "0"):
        raise SettingError(f"TEMPORAL_TLS is {tls!r}; it must be true or false")
    named = found.get("TEMPORAL_CONFIG_FILE")
    if named is not None and not Path(named).is_file():
        raise SettingError(f"TEMPORAL_CONFIG_FILE is {named!r}, and there is no such file; name one or unset it")
    official_file = _official_config_file(values)
    if named is None and official_file is not None:
        found["TEMPORAL_CONFIG_FILE"] = str(official_file)
    return found


def _is_credential(name: str) -> bool:
    known = name in _BY_NAME and name != "TEMPORAL_NAMESPACE"
    return known or name.startswith("TEMPORAL_GRPC_META_")


def _official_config_file(values: Mapping[str, str]) -> Path | None:
    """Where the SDK would look for its configuration file, if one is there."""
    home = values.get("HOME", "")
    base = f"{home}/Library/Application Support" if sys.platform == "darwin" else f"{home}/.config"
    if sys.platform != "darwin" and Path(values.get("XDG_CONFIG_HOME", "")).is_absolute():
        base = values["XDG_CONFIG_HOME"]
    path = Path(base, "temporalio", "temporal.toml")
    return path if path.is_absolute() and path.is_file() else None


def _profile(temporal: Mapping[str, str]) -> dict[str, str]:
    """The texts of the chosen profile, to know what is configured. What is wrong with the file, connecting tells."""
    path = temporal.get("TEMPORAL_CONFIG_FILE")
    if path is None:
        return {}
    import tomllib  # 20 ms that most starts need not pay

    try:
        profile: object = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    for key in ("profile", temporal.get("TEMPORAL_PROFILE", "default")):
        profile = _get(profile, key)
    return {key: value for key in ("address", "namespace") if isinstance(value := _get(profile, key), str)}


def _address(temporal: Mapping[str, str], profile: Mapping[str, str], home: Path) -> tuple[str, str]:
    address = temporal.get("TEMPORAL_ADDRESS")
    if address is not None and not is_address(address):
        raise SettingError(f"TEMPORAL_ADDRESS is {address!r}; it must be host:port, for example localhost:7233")
    if address := address or profile.get("address"):
        return address, CONFIGURED
    if address := _embedded_address(home / "server.json"):
        return address, EMBEDDED
    return _BY_NAME["TEMPORAL_ADDRESS"].default, DEFAULT


def is_address(text: str) -> bool:
    """Whether a text is host:port."""
    found = re.fullmatch(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
    return found is not None and 0 < int(found[1]) < 65536


def _embedded_address(path: Path) -> str | None:
    """The address in `server.json`, if the process that it names still lives."""
    try:
        said: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    address, pid = _get(said, "address"), _get(said, "pid")
    if not isinstance(address, str) or not is_address(address) or type(pid) is not int or not _lives(pid):
        return None
    return address


def _lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _get(table: object, key: str) -> object:
    if not isinstance(table, dict):
        return None
    # Parsed text: a table of anything by anything, which isinstance cannot say.
    return cast(dict[object, object], table).get(key)


def _home(values: Mapping[str, str], folder: Path) -> Path:
    value = values.get("DAPER_HOME", _BY_NAME["DAPER_HOME"].default)
    path = Path(value)
    if path.parts[:1] == ("~",) and values.get("HOME"):
        return folder.joinpath(values["HOME"], *path.parts[1:]).absolute()
    try:
        return (folder / path.expanduser()).absolute()
    except RuntimeError as error:
        raise SettingError(f"DAPER_HOME is {value!r}, which names no home folder; give a full path") from error


def _text(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, _BY_NAME[name].default)
    if len(value) > 200 or not value.isprintable():
        raise SettingError(f"{name} is {value[:60]!r}; it must be at most 200 printable characters")
    return value


def _domain(values: Mapping[str, str]) -> str:
    value = values.get("DAPER_DOMAIN", _BY_NAME["DAPER_DOMAIN"].default)
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,49}", value):
        raise SettingError(f"DAPER_DOMAIN is {value!r}; it must be the name of a domain, for example orders")
    return value


def _span(values: Mapping[str, str], name: str) -> timedelta:
    value = values.get(name, _BY_NAME[name].default)
    found = re.fullmatch(r"([0-9]{1,9}) ?([smhd])", value)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < span <= _LONGEST:
        raise SettingError(f"{name} is {value!r}; it must be a time like 30s, 15m, 12h or 2d, at most 365d")
    return span


def _os_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def _prefix(domain: str) -> str:
    return f"DAPER_{re.sub(r'[^A-Z0-9]', '_', domain.upper())}_"


def _nearly_known(name: str) -> bool:
    if name in _BY_NAME or name.startswith("TEMPORAL_GRPC_META_"):
        return False
    return name in _IGNORED or bool(difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.85))


def _warning(name: str) -> str:
    if name in _IGNORED:
        return f"{name} is set, but the Python SDK of Temporal does not read it"
    near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.75)
    return f"{name} is set, but nothing reads it" + (f"; did you mean {near[0]}?" if near else "")
