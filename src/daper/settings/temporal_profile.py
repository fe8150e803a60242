"""What is configured of Temporal, and where the one to use is: configured, an embedded one, or the default."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from daper.adapters.temporal.server_file import living_server
from daper.core.errors import SettingError
from daper.settings.table import BY_NAME, DEFAULT

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
    named = found.get("TEMPORAL_CONFIG_FILE")
    if named is not None and not Path(named).is_file():
        raise SettingError(f"TEMPORAL_CONFIG_FILE is {named!r}, and there is no such file; name one or unset it")
    official_file = _official_config_file(values)
    if named is None and official_file is not None:
        found["TEMPORAL_CONFIG_FILE"] = str(official_file)
    return found


def holds_pem(value: str) -> bool:
    """Whether a text is a certificate or a private key; the latter must not be shown, wherever it stands."""
    return "-----BEGIN" in value


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


@dataclass(frozen=True)
class ServerPlace:
    """Temporal's address, where that comes from, and where its UI is, if we know."""

    address: str
    source: str
    ui_url: str | None = None


def find_temporal_server(temporal: Mapping[str, str], profile: Mapping[str, str], home: Path) -> ServerPlace:
    """Which Temporal to use. Raises SettingError for an address that is none."""
    address = temporal.get("TEMPORAL_ADDRESS")
    if address is not None and not _is_address(address):
        raise SettingError(f"TEMPORAL_ADDRESS is {address!r}; it must be host:port, for example localhost:7233")
    if address := address or profile.get("address"):
        return ServerPlace(address, CONFIGURED)
    server = living_server(home)
    if server is not None and _is_address(server.address):
        return ServerPlace(server.address, EMBEDDED, server.ui_url)
    return ServerPlace(BY_NAME["TEMPORAL_ADDRESS"].default, DEFAULT)


def _official_config_file(values: Mapping[str, str]) -> Path | None:
    """Where the SDK would look for its configuration file, if one is there."""
    home = values.get("HOME", "")
    base = f"{home}/Library/Application Support" if sys.platform == "darwin" else f"{home}/.config"
    if sys.platform != "darwin" and Path(values.get("XDG_CONFIG_HOME", "")).is_absolute():
        base = values["XDG_CONFIG_HOME"]
    path = Path(base, "temporalio", "temporal.toml")
    return path if path.is_absolute() and path.is_file() else None


def _is_address(text: str) -> bool:
    """Whether a text is host:port."""
    found = re.fullmatch(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
    return found is not None and 0 < int(found[1]) < 65536


def _get(table: object, key: str) -> object:
    if not isinstance(table, dict):
        return None
    # Parsed text: a table of anything by anything, which isinstance cannot say.
    return cast(dict[object, object], table).get(key)
