"""What is configured of Temporal, and which one to use: a configured one, an embedded one, or the default."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, cast

from daper.adapters.regular_file import is_there, read_if_there
from daper.adapters.temporal.server_file import SERVER_FILE, announced_server
from daper.core.errors import SettingError
from daper.settings.secrecy import holds_pem, may_be_secret
from daper.settings.table import BY_NAME, DEFAULT
from daper.settings.values import text_value

CONFIGURED: Final = "configured"
EMBEDDED: Final = "embedded server of daper up"

_OTHER_NAMES: Final = {
    "TEMPORAL_TLS_CERT": "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_KEY": "TEMPORAL_TLS_CLIENT_KEY_PATH",
}


def temporal_variables(values: Mapping[str, str]) -> dict[str, str]:
    """The official TEMPORAL_* variables, checked, the other names translated, and the configuration file found.

    Raises SettingError.
    """
    found = {name: value for name, value in values.items() if name.startswith("TEMPORAL_")}
    found.pop("TEMPORAL_TASK_QUEUE", None)
    _refuse_data_as_path(found)
    for other, official in _OTHER_NAMES.items():
        value = found.pop(other, None)
        if value is not None and found.setdefault(official, value) != value:
            raise SettingError(
                f"{other} is {value!r}, but {official} is {found[official]!r}; they mean the same: set one of them"
            )
    tls = found.get("TEMPORAL_TLS", "true")
    if tls.lower() not in ("true", "false", "1", "0"):
        raise SettingError(f"TEMPORAL_TLS is {tls!r}; it must be true or false")
    named, official_file = found.get("TEMPORAL_CONFIG_FILE"), _official_config_file(values)
    if named is not None and not is_there(Path(named)):
        raise SettingError(f"TEMPORAL_CONFIG_FILE is {named!r}, and there is no such file; name one or unset it")
    if named is None and official_file is not None:
        found["TEMPORAL_CONFIG_FILE"] = str(official_file)
    return found


def _refuse_data_as_path(found: Mapping[str, str]) -> None:
    for name, value in found.items():
        if holds_pem(value) and not name.endswith("_DATA") and name in BY_NAME:
            raise SettingError(
                f"{name} holds a certificate or a key itself (not shown); "
                "that belongs into a file, or into TEMPORAL_TLS_CLIENT_CERT_DATA and the other ..._DATA"
            )


def is_credential(name: str) -> bool:
    """Whether a variable of Temporal is for a server that was set up by somebody: all but the namespace."""
    known = name in BY_NAME and name != "TEMPORAL_NAMESPACE"
    return known or name.startswith("TEMPORAL_GRPC_META_")


def profile_of(temporal: Mapping[str, str]) -> dict[str, str]:
    """The texts of the chosen profile, to know what is configured.

    Raises SettingError for a file that cannot be used, of which nothing is shown: it may hold a key.
    """
    path = temporal.get("TEMPORAL_CONFIG_FILE")
    if path is None:
        return {}
    import tomllib  # 20 ms that most starts need not pay

    what = f"Temporal's configuration file {path!r}"
    try:
        profile: object = tomllib.loads((read_if_there(Path(path)) or b"").decode("utf-8"))
    except OSError as error:
        way_out = "mend it or remove it, or name another in TEMPORAL_CONFIG_FILE"
        raise SettingError(f"cannot read {what}: {error.strerror}; {way_out}") from error
    except UnicodeError as error:
        raise SettingError(f"{what} is not UTF-8 text; save it as that") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = re.search(r"at line [0-9]+, column [0-9]+|at end of document", str(error))
        raise SettingError(f"{what} is not TOML{f' ({at[0]})' if at else ''}; mend it") from None
    for key in ("profile", temporal.get("TEMPORAL_PROFILE", "default")):
        profile = _get(profile, key)
    found = {key: value for key in ("address", "namespace") if isinstance(value := _get(profile, key), str)}
    if may_be_secret(found.get("namespace", "")):
        raise SettingError(f"{what}: the namespace holds what looks like a key or a password (not shown); mend it")
    return found


@dataclass(frozen=True)
class ServerPlace:
    """Temporal's address, where that comes from, and where its UI is, if we know."""

    address: str
    source: str
    ui_url: str | None = None


@dataclass(frozen=True)
class TemporalChoice:
    """Which Temporal to use, and with what: `variables` are the official ones, and may hold secrets."""

    place: ServerPlace
    namespace: str
    queue: str
    variables: Mapping[str, str] = field(repr=False)


# Stands in for what is configured wrong, where nobody connects.
NO_SERVER: Final = TemporalChoice(
    place=ServerPlace(BY_NAME["TEMPORAL_ADDRESS"].default, DEFAULT),
    namespace=BY_NAME["TEMPORAL_NAMESPACE"].default,
    queue=BY_NAME["TEMPORAL_TASK_QUEUE"].default,
    variables={},
)


def temporal_of(values: Mapping[str, str], home: Path) -> TemporalChoice:
    """All that is configured of Temporal, checked. Raises SettingError."""
    temporal = temporal_variables(values)
    profile = profile_of(temporal)
    place = _place(temporal, profile, home)
    if place.source == EMBEDDED:  # it speaks neither TLS nor keys, and must not be sent any
        temporal = {name: value for name, value in temporal.items() if not is_credential(name)}
    return TemporalChoice(
        place=place,
        namespace=temporal.get("TEMPORAL_NAMESPACE") or profile.get("namespace") or NO_SERVER.namespace,
        queue=text_value(values, "TEMPORAL_TASK_QUEUE"),
        variables=temporal,
    )


def _place(temporal: Mapping[str, str], profile: Mapping[str, str], home: Path) -> ServerPlace:
    for source, address in (
        ("TEMPORAL_ADDRESS", temporal.get("TEMPORAL_ADDRESS")),
        (f"the address in {temporal.get('TEMPORAL_CONFIG_FILE')!r}", profile.get("address")),
    ):
        if address and not _is_address(address):
            raise SettingError(f"{source} is {address!r}; it must be host:port, for example localhost:7233")
        if address:
            return ServerPlace(address, CONFIGURED)
    try:
        server = announced_server(home)
    except OSError as error:
        raise SettingError(
            f"cannot read {str(home / SERVER_FILE)!r}: {error.strerror}; remove it; the next server writes it anew"
        ) from error
    if server is not None and _is_address(server.address):
        return ServerPlace(server.address, EMBEDDED, server.ui_url)
    return NO_SERVER.place


def _official_config_file(values: Mapping[str, str]) -> Path | None:
    """Where the SDK would look for its configuration file, if one is there."""
    home = values.get("HOME", "")
    base = f"{home}/Library/Application Support" if sys.platform == "darwin" else f"{home}/.config"
    if sys.platform != "darwin" and Path(values.get("XDG_CONFIG_HOME", "")).is_absolute():
        base = values["XDG_CONFIG_HOME"]
    path = Path(base, "temporalio", "temporal.toml")
    return path if path.is_absolute() and is_there(path) else None


def _is_address(text: str) -> bool:
    """Whether a text is host:port."""
    found = re.fullmatch(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
    return found is not None and 0 < int(found[1]) < 65536


def _get(table: object, key: str) -> object:
    if not isinstance(table, dict):
        return None
    # Parsed text: a table of anything by anything, which isinstance cannot say.
    return cast(dict[object, object], table).get(key)


class _Known(Protocol):
    """What is needed of the settings to reach a cluster of a domain."""

    @property
    def address(self) -> str: ...
    @property
    def address_source(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def temporal(self) -> Mapping[str, str]: ...
    @property
    def variables(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class ClusterChoice:
    """A cluster as a connection needs it; `temporal` are the official variables, and may hold secrets."""

    address: str
    address_source: str
    namespace: str
    temporal: Mapping[str, str] = field(repr=False)


def is_elsewhere(place: Mapping[str, str]) -> bool:
    """Whether that names another cluster than ours."""
    return not place.keys().isdisjoint(("address", "profile", "config_file"))


def in_names_of(prefix: str, told: str) -> str:
    """What is told of the official variables, told of those that are theirs: begin with `prefix`."""
    named = re.sub(r"(?<![A-Z_])TEMPORAL_(?=[A-Z*])", prefix, told)
    return re.sub(r"start one: [^;]*; or name one", "look at", named)


def cluster_of(settings: _Known, place: Mapping[str, str], *, prefix: str) -> ClusterChoice:
    """The cluster of a domain: ours, or the one that `place` names, each by the last part of its official variable.

    Of another cluster nothing of ours is used: it must not get our keys. `prefix`: of the variables that say `place`.
    Raises SettingError.
    """
    strange = sorted(place.keys() - {"namespace"})
    if strange and not is_elsewhere(place):
        told = ", ".join(f"{prefix}{name.upper()}" for name in strange)
        raise SettingError(
            f"{told} is set, which is for another cluster than daper's own, and none is named: "
            f"set {prefix}ADDRESS, or {prefix}PROFILE"
        )
    if not strange:
        return ClusterChoice(
            address=settings.address,
            address_source=settings.address_source,
            namespace=place.get("namespace", settings.namespace),
            temporal=settings.temporal,
        )
    home = {name: settings.variables[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in settings.variables}
    theirs = {f"TEMPORAL_{name.upper()}": value for name, value in place.items()}
    if "profile" not in place and "config_file" not in place:
        home = {}  # the profile by default is that of our own cluster
    variables = temporal_variables(home | theirs)
    profile = profile_of(variables)
    source, address = f"{prefix}ADDRESS", place.get("address")
    if not address:
        source, address = f"the address in {variables.get('TEMPORAL_CONFIG_FILE')!r}", profile.get("address")
    if not address:
        raise SettingError(
            f"{prefix}PROFILE is {place.get('profile', 'default')!r}, and no address is found for it; "
            f"set {prefix}ADDRESS"
        )
    if not _is_address(address):
        raise SettingError(f"{source} is {address!r}; it must be host:port, for example localhost:7233")
    return ClusterChoice(
        address=address,
        address_source=source,
        namespace=place.get("namespace") or profile.get("namespace") or NO_SERVER.namespace,
        temporal=variables,
    )
