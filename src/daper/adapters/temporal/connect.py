"""Connecting to Temporal: one client, or one line that says what is wrong and how to go on."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from daper.adapters.temporal.codec import data_converter
from daper.core.errors import DaperError, SettingError, Unreachable
from daper.workflows.names import PHASE_ATTRIBUTE, USER_ATTRIBUTE

SEARCH_ATTRIBUTES: Final = (PHASE_ATTRIBUTE.name, USER_ATTRIBUTE.name)

_WAYS_OUT: Final = "run `daper demo`, or `temporal server start-dev`, or set TEMPORAL_ADDRESS"
_REFUSED: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
_CREDENTIALS_REFUSED: Final = "it refused the credentials; look at TEMPORAL_API_KEY and TEMPORAL_TLS_CLIENT_*"
# What the SDK's text says, and what it means; its own words are long and may quote what was sent.
_MEANINGS: Final = (
    ("dns error", "its name cannot be resolved"),
    ("connection refused", "nothing listens there"),
    ("certificate", "its certificate, or ours, is not accepted; look at the TEMPORAL_TLS_* variables"),
    ("invalidcontenttype", "it does not speak TLS; set TEMPORAL_TLS=false, or unset TEMPORAL_API_KEY"),
    ("handshake", "TLS failed; look at the TEMPORAL_TLS_* variables"),
    ("tls", "TLS failed; look at the TEMPORAL_TLS_* variables"),
)
_WRONG: Final = (
    ("privatekey", "the private key in TEMPORAL_TLS_CLIENT_KEY_* cannot be read; it must be PEM"),
    ("certificateparse", "a certificate in TEMPORAL_TLS_* cannot be read; it must be PEM"),
    ("both client cert and private key", "TEMPORAL_TLS_CLIENT_CERT_* and TEMPORAL_TLS_CLIENT_KEY_* go together"),
    ("invalid headers", "a header cannot be sent; look at TEMPORAL_API_KEY and TEMPORAL_GRPC_META_*"),
    ("invalid target url", "the address is no host:port"),
    ("unauthenticated", _CREDENTIALS_REFUSED),
    ("permissiondenied", "it refused the credentials; look at TEMPORAL_API_KEY and TEMPORAL_NAMESPACE"),
)


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


async def connect(settings: Target, *, within: timedelta = timedelta(seconds=4)) -> Client:
    """Connect, and make sure that the namespace is there; all of it `within` the time given.

    Raises Unreachable if nothing answers, SettingError if what is configured is wrong: one line with address and
    namespace, the way out, and no secret.
    """
    where = f"Temporal at {settings.address!r} ({settings.address_source}), namespace {settings.namespace!r}"
    if "://" in settings.address or ":" not in settings.address:
        raise SettingError(f"{where}: the address must be host:port, for example localhost:7233")
    config = _load(settings, where)
    try:
        async with asyncio.timeout(within.total_seconds()):
            client = await Client.connect(
                settings.address,
                namespace=settings.namespace,
                api_key=config.get("api_key"),
                tls=config.get("tls"),
                rpc_metadata=config.get("rpc_metadata", {}),
                data_converter=data_converter(),
            )
            request = DescribeNamespaceRequest(namespace=settings.namespace)
            await client.workflow_service.describe_namespace(request, timeout=within)
    except TimeoutError as error:
        waited = f"{within.total_seconds():g} s"
        raise Unreachable(f"{where} did not answer within {waited}; {_WAYS_OUT}") from error
    except (RuntimeError, ValueError) as error:
        # Not chained: the SDK's text may quote a header or a key.
        raise _not_connected(where, str(error)) from None
    except RPCError as error:
        raise _not_served(where, error) from error
    return client


async def search_attributes_registered(client: Client) -> bool:
    """Whether DaperPhase and DaperUser are keywords in the client's namespace.

    False where nobody may ask. Raises Unreachable if Temporal does not answer.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request, timeout=timedelta(seconds=3))
    except RPCError as error:
        if error.status in (*_REFUSED, RPCStatusCode.UNIMPLEMENTED):
            return False
        raise Unreachable(f"Temporal, namespace {client.namespace!r}, does not answer: {error.status.name}") from error
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    return all(answer.custom_attributes.get(name) == keyword for name in SEARCH_ATTRIBUTES)


def _load(settings: Target, where: str) -> ClientConnectConfig:
    """Credentials and headers of the profile; address and namespace were settled before."""
    variables = settings.temporal
    no_file = "TEMPORAL_CONFIG_FILE" not in variables
    profile = variables.get("TEMPORAL_PROFILE")
    if no_file and profile is not None:
        raise SettingError(
            f"TEMPORAL_PROFILE is {profile!r}, but no configuration file was found; set TEMPORAL_CONFIG_FILE"
        )
    try:
        # The file is named by the variables alone, so that what counts is what the settings saw.
        loaded = ClientConfigProfile.load(override_env_vars=variables, disable_file=no_file)
        return loaded.to_client_connect_config()
    except OSError as error:
        path = Path(str(error.filename))
        names = [name for name, value in variables.items() if value == str(path)]
        raise SettingError(f"{' '.join(names) or 'profile'}: cannot read {str(path)!r}: {error.strerror}") from error
    except RuntimeError as error:
        # The first line alone, and not chained: the others quote the file, and a key may stand there.
        said = str(error).splitlines()[0]
        source = variables.get("TEMPORAL_CONFIG_FILE", "the TEMPORAL_* variables")
        raise SettingError(f"{where}: {_without_secrets(said, variables)}; mend {source!r}") from None


def _without_secrets(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        if name.endswith(("_KEY", "_DATA")) or "_META_" in name:
            text = text.replace(value, "(secret)")
    return text


def _not_connected(where: str, text: str) -> DaperError:
    said = text.lower()
    for sign, meaning in _WRONG:
        if sign in said:
            return SettingError(f"{where}: {meaning}")
    for sign, meaning in _MEANINGS:
        if sign in said:
            return Unreachable(f"{where} cannot be reached: {meaning}; {_WAYS_OUT}")
    return Unreachable(f"{where} does not speak as Temporal does; if it wants TLS, set TEMPORAL_TLS=true; {_WAYS_OUT}")


def _not_served(where: str, error: RPCError) -> DaperError:
    if error.status == RPCStatusCode.NOT_FOUND:
        return SettingError(
            f"{where}: there is no such namespace; set TEMPORAL_NAMESPACE to one that exists, or create it: "
            "`temporal operator namespace create`"
        )
    if error.status in _REFUSED:
        return SettingError(f"{where}: {_CREDENTIALS_REFUSED}")
    return Unreachable(f"{where} does not answer ({error.status.name}); {_WAYS_OUT}")
