"""What the variables and the profile say of TLS, keys and headers: loaded, and checked before anything is sent."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.service import TLSConfig

from daper.adapters.regular_file import read_if_there
from daper.adapters.temporal.refusals import Attempt
from daper.core.errors import SettingError

_FILES: Final = frozenset(f"TEMPORAL_TLS_{name}_PATH" for name in ("SERVER_CA_CERT", "CLIENT_CERT", "CLIENT_KEY"))


class Target(Protocol):
    """What connecting needs of the settings."""

    @property
    def address(self) -> str:
        """host:port."""
        ...

    @property
    def address_source(self) -> str:
        """Where the address comes from, in words."""
        ...

    @property
    def namespace(self) -> str:
        """The Temporal namespace."""
        ...

    @property
    def temporal(self) -> Mapping[str, str]:
        """The official TEMPORAL_* variables."""
        ...


def prepare(settings: Target) -> tuple[ClientConnectConfig, Attempt]:
    """How to connect: credentials and headers; address and namespace are the settings' own.

    Raises SettingError where one of them can be seen to be wrong: one line, without a secret.
    """
    where = f"Temporal at {settings.address!r} ({settings.address_source}), namespace {settings.namespace!r}"
    if "://" in settings.address or ":" not in settings.address:
        raise SettingError(f"{where}: the address must be host:port, for example localhost:7233")
    config = _load(settings, where)
    tls = config.get("tls", False)
    material = tls if isinstance(tls, TLSConfig) else TLSConfig()
    attempt = Attempt(
        where=where,
        name=material.domain or settings.address.rpartition(":")[0].strip("[]"),
        tls=bool(tls),
        has_api_key="api_key" in config,
        ca=_source("TEMPORAL_TLS_SERVER_CA_CERT", settings) if material.server_root_ca_cert is not None else None,
        cert=_source("TEMPORAL_TLS_CLIENT_CERT", settings) if material.client_cert is not None else None,
        key=_source("TEMPORAL_TLS_CLIENT_KEY", settings) if material.client_private_key is not None else None,
    )
    _check_pair(attempt)
    _check_certificates(attempt, attempt.ca, material.server_root_ca_cert)
    _check_certificates(attempt, attempt.cert, material.client_cert)
    return config, attempt


def _check_pair(attempt: Attempt) -> None:
    if (attempt.cert is None) == (attempt.key is None):
        return
    given, missing = (
        (attempt.cert, "TEMPORAL_TLS_CLIENT_KEY_*") if attempt.cert else (attempt.key, "TEMPORAL_TLS_CLIENT_CERT_*")
    )
    raise attempt.wrong(f"{given} is there without {missing}; they go together")


def _check_certificates(attempt: Attempt, source: str | None, pem: bytes | None) -> None:
    """The SDK takes a file without any certificate for one that trusts nobody, and blames the server."""
    if pem is None:
        return
    try:
        # Comments between the certificates may be in any encoding.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise attempt.wrong(f"{source} holds no certificate; it must be PEM with its line breaks") from None


def _source(name: str, settings: Target) -> str:
    """Where one piece comes from: its variable, with the path, or the profile."""
    variables = settings.temporal
    if path := variables.get(f"{name}_PATH"):
        return f"{name}_PATH ({path!r})"
    return f"{name}_DATA" if f"{name}_DATA" in variables else _profile(variables)


def _profile(variables: Mapping[str, str]) -> str:
    profile, path = variables.get("TEMPORAL_PROFILE", "default"), variables.get("TEMPORAL_CONFIG_FILE", "")
    return f"the profile {profile!r} of {path!r}"


def _load(settings: Target, where: str) -> ClientConnectConfig:
    variables = settings.temporal
    no_file = "TEMPORAL_CONFIG_FILE" not in variables
    profile = variables.get("TEMPORAL_PROFILE")
    if no_file and profile is not None:
        raise SettingError(
            f"TEMPORAL_PROFILE is {profile!r}, but no configuration file was found; set TEMPORAL_CONFIG_FILE"
        )
    try:
        for name in _FILES & variables.keys():
            read_if_there(Path(variables[name]))  # nobody waits for a pipe; what is not there, the loader says
        # The file is named by the variables alone, so that what counts is what the settings saw.
        loaded = ClientConfigProfile.load(override_env_vars=variables, disable_file=no_file)
        return loaded.to_client_connect_config()
    except OSError as error:
        path = str(error.filename)
        names = [name for name, value in variables.items() if value == path]
        source = " ".join(names) or _profile(variables)
        shown = "what is no path but the data itself" if "-----BEGIN" in path else repr(path)
        # Not chained: a key that stands where its path belongs is in the text.
        raise SettingError(f"{source}: cannot read {shown}: {error.strerror}") from None
    except RuntimeError as error:
        # The first line alone, and not chained: the others quote the file, and a key may stand there.
        said = _without_secrets(str(error).splitlines()[0], variables)
        source = "the TEMPORAL_* variables" if no_file else repr(variables["TEMPORAL_CONFIG_FILE"])
        raise SettingError(f"{where}: {said}; mend {source}") from None


def _without_secrets(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        if name.endswith(("_KEY", "_DATA")) or "_META_" in name:
            text = text.replace(value, "(secret)")
    return text
