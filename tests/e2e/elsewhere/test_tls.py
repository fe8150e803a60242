"""TLS and client certificates: what connects, and what is said when one does not fit."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from daper.core.errors import DaperError, SettingError, Unreachable
from tests.e2e.elsewhere.conftest import Elsewhere
from tests.e2e.elsewhere.papers import NAME

pytestmark = pytest.mark.long

Variables = Mapping[str, str]

SYSTEM = {"TEMPORAL_TLS": "true"}
CA = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "ca.pem"}
OTHER_CA = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "other-ca.pem"}


def named(name: str) -> Variables:
    return {**CA, "TEMPORAL_TLS_SERVER_NAME": name}


def client(cert: str = "client.pem", key: str = "client.key") -> Variables:
    return {**CA, "TEMPORAL_TLS_CLIENT_CERT_PATH": cert, "TEMPORAL_TLS_CLIENT_KEY_PATH": key}


def inline(cert: str = "<client.pem", key: str = "<client.key") -> Variables:
    return {**CA, "TEMPORAL_TLS_CLIENT_CERT_DATA": cert, "TEMPORAL_TLS_CLIENT_KEY_DATA": key}


FITS: tuple[tuple[str, Variables], ...] = (
    ("plain", {}),
    ("plain", {**client(), "TEMPORAL_TLS": "false"}),
    ("tls", CA),
    ("tls", {"TEMPORAL_TLS_SERVER_CA_CERT_DATA": "<ca.pem", "TEMPORAL_TLS": "1"}),
    ("tls", {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "commented.pem"}),
    ("tls", client()),
    ("named", named(NAME)),
    ("mtls", client()),
    ("mtls-1.2", client()),
    ("mtls", inline()),
    ("mtls", {**CA, "TEMPORAL_TLS_CERT": "client.pem", "TEMPORAL_TLS_KEY": "client.key"}),
)
NO_SUCH_NAME = "cannot be the name in a certificate; set TEMPORAL_TLS_SERVER_NAME to a DNS name or an IPv4 address"
WANTS_ONE = "set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
NOT_TAKEN = "it does not accept the client certificate in TEMPORAL_TLS_CLIENT_CERT_PATH"
NO_CERTIFICATE = "holds no certificate; it must be PEM with its line breaks"
NO_KEY = "holds no private key; it must be PEM with its line breaks, without a password"
# What a variable can mend; files without their folder.
MENDED: tuple[tuple[str, Variables, str], ...] = (
    (
        "tls",
        SYSTEM,
        "its certificate is of a CA that this computer does not know; "
        "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to the certificate of that CA",
    ),
    ("tls", OTHER_CA, "its certificate was not issued by the CA in TEMPORAL_TLS_SERVER_CA_CERT_PATH ('other-ca.pem')"),
    ("named", CA, f"its certificate is for '{NAME}', not for '127.0.0.1'; set TEMPORAL_TLS_SERVER_NAME"),
    (
        "tls",
        named(NAME),
        f"its certificate is for 'localhost', '127.0.0.1', not for '{NAME}'; set TEMPORAL_TLS_SERVER_NAME",
    ),
    ("tls", named("a name"), f"'a name' {NO_SUCH_NAME}"),
    ("tls", named("*.example"), f"'*.example' {NO_SUCH_NAME}"),
    ("picky", CA, "it does not know the name '127.0.0.1'; set TEMPORAL_TLS_SERVER_NAME"),
    ("plain", CA, "it does not speak TLS; if that is meant, set TEMPORAL_TLS=false; else set TEMPORAL_ADDRESS"),
    ("mtls", CA, f"it wants a client certificate (CertificateRequired); {WANTS_ONE}"),
    ("mtls", client("stranger.pem", "stranger.key"), f"{NOT_TAKEN} ('stranger.pem') (UnknownCA)"),
    ("mtls-1.2", client("stranger.pem", "stranger.key"), f"{NOT_TAKEN} ('stranger.pem') (UnknownCA)"),
    (
        "mtls",
        client("expired.pem", "expired.key"),
        "it says that the client certificate in TEMPORAL_TLS_CLIENT_CERT_PATH ('expired.pem') has expired",
    ),
    (
        "mtls",
        client("client.pem", "stranger.key"),
        "the private key in TEMPORAL_TLS_CLIENT_KEY_PATH ('stranger.key') does not belong to the certificate in "
        "TEMPORAL_TLS_CLIENT_CERT_PATH ('client.pem')",
    ),
    (
        "mtls",
        {**CA, "TEMPORAL_TLS_CERT": "client.pem"},
        "TEMPORAL_TLS_CLIENT_CERT_PATH ('client.pem') is there without TEMPORAL_TLS_CLIENT_KEY_*; they go together",
    ),
    (
        "mtls",
        {**CA, "TEMPORAL_TLS_CLIENT_KEY_DATA": "<client.key"},
        "TEMPORAL_TLS_CLIENT_KEY_DATA is there without TEMPORAL_TLS_CLIENT_CERT_*; they go together",
    ),
    (
        "tls",
        {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "garbage.pem"},
        f"TEMPORAL_TLS_SERVER_CA_CERT_PATH ('garbage.pem') {NO_CERTIFICATE}",
    ),
    (
        "tls",
        {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "broken.pem"},
        f"TEMPORAL_TLS_SERVER_CA_CERT_PATH ('broken.pem') {NO_CERTIFICATE}",
    ),
    (
        "tls",
        {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "client.key"},
        f"TEMPORAL_TLS_SERVER_CA_CERT_PATH ('client.key') {NO_CERTIFICATE}",
    ),
    ("mtls", client("garbage.pem"), f"TEMPORAL_TLS_CLIENT_CERT_PATH ('garbage.pem') {NO_CERTIFICATE}"),
    ("mtls", inline(cert="planted"), f"TEMPORAL_TLS_CLIENT_CERT_DATA {NO_CERTIFICATE}"),
    ("mtls", client(key="garbage.pem"), f"TEMPORAL_TLS_CLIENT_KEY_PATH ('garbage.pem') {NO_KEY}"),
    ("mtls", client(key="broken.key"), f"TEMPORAL_TLS_CLIENT_KEY_PATH ('broken.key') {NO_KEY}"),
    ("mtls", client(key="locked.key"), f"TEMPORAL_TLS_CLIENT_KEY_PATH ('locked.key') {NO_KEY}"),
    ("mtls", inline(key="planted"), f"TEMPORAL_TLS_CLIENT_KEY_DATA {NO_KEY}"),
)
WAYS_OUT = "start one: daper up; or name one: TEMPORAL_ADDRESS"
# What no variable can mend for sure.
UNREACHABLE: tuple[tuple[str, Variables, str], ...] = (
    ("expired", CA, "its certificate has expired; who runs it has to renew it, if the clock of this computer is right"),
    (
        "early",
        CA,
        "its certificate is not valid yet; who runs it has to renew it, if the clock of this computer is right",
    ),
    ("own", CA, "its certificate is not valid (CaUsedAsEndEntity); who runs it has to replace it"),
    ("no-h2", CA, "it speaks TLS, but not Temporal's protocol over it; look at TEMPORAL_ADDRESS"),
    ("mtls-1.2", CA, f"it ended TLS (HandshakeFailure); if it wants a client certificate, {WANTS_ONE}"),
    ("silent", CA, f"it closed the connection during TLS; if it wants a client certificate, {WANTS_ONE}"),
    (
        "silent",
        client("stranger.pem", "stranger.key"),
        "it closed the connection during TLS; look at TEMPORAL_TLS_CLIENT_CERT_PATH ('stranger.pem')",
    ),
)


@pytest.mark.parametrize(("door", "variables"), FITS)
def test_what_fits_connects(elsewhere: Elsewhere, door: str, variables: Variables) -> None:
    connected = elsewhere.connect({"TEMPORAL_ADDRESS": door, **variables})

    assert connected.service_client.config.target_host == elsewhere.doors[door]


@pytest.mark.parametrize(("door", "variables", "said"), MENDED)
def test_what_does_not_fit_is_a_setting_to_mend(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, door: str, variables: Variables, said: str
) -> None:
    for certificates in ("SSL_CERT_FILE", "SSL_CERT_DIR"):  # where they are set, they are named too
        monkeypatch.delenv(certificates, raising=False)
    error = elsewhere.refused({"TEMPORAL_ADDRESS": door, **variables})

    assert told(elsewhere, error) == f"Temporal at '{elsewhere.doors[door]}' (configured), namespace 'default': {said}"
    assert isinstance(error, SettingError)


@pytest.mark.parametrize(("door", "variables", "said"), UNREACHABLE)
def test_what_only_the_other_side_can_mend_is_said_to_be_that(
    elsewhere: Elsewhere, door: str, variables: Variables, said: str
) -> None:
    error = elsewhere.refused({"TEMPORAL_ADDRESS": door, **variables})

    where = f"Temporal at '{elsewhere.doors[door]}' (configured), namespace 'default'"
    assert told(elsewhere, error) == f"{where} cannot be reached: {said}"
    assert isinstance(error, Unreachable)


def test_plaintext_to_a_server_that_wants_tls_says_how_to_turn_it_on(elsewhere: Elsewhere) -> None:
    error = elsewhere.refused({"TEMPORAL_ADDRESS": "tls"})

    assert str(error).endswith(f" does not speak as Temporal does; if it wants TLS, set TEMPORAL_TLS=true; {WAYS_OUT}")
    assert isinstance(error, Unreachable)


def test_tls_before_a_server_that_never_answers_fails_in_time(elsewhere: Elsewhere) -> None:
    error = elsewhere.refused({"TEMPORAL_ADDRESS": "mute", **CA}, within=timedelta(milliseconds=300))

    assert str(error).endswith(f" did not answer within 0.3 s; {WAYS_OUT}")
    assert isinstance(error, Unreachable)


def test_a_connection_that_is_closed_before_its_first_call_is_opened_again_to_hear_why(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_soon = iter([RuntimeError('Status { code: Cancelled, message: "operation was canceled" }')] * 4)
    connect = Client.connect

    # Any: whatever the SDK's own takes.
    async def closed_at_first(*args: Any, **options: Any) -> Client:
        for error in too_soon:
            raise error
        return await connect(*args, **options)

    monkeypatch.setattr(Client, "connect", closed_at_first)

    error = elsewhere.refused({"TEMPORAL_ADDRESS": "mtls", **CA})

    assert "it wants a client certificate (CertificateRequired)" in str(error)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"TEMPORAL_TLS_CLIENT_KEY_PATH": "/no/such.key"},
            "TEMPORAL_TLS_CLIENT_KEY_PATH: cannot read '/no/such.key': ",
        ),
        ({"TEMPORAL_TLS_KEY": "<client.key"}, "TEMPORAL_TLS_KEY holds a certificate or a key itself (not shown)"),
        ({"TEMPORAL_API_KEY": "<client.key"}, "TEMPORAL_API_KEY holds a certificate or a key itself (not shown)"),
        (
            {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "ca.pem", "TEMPORAL_TLS_SERVER_CA_CERT_DATA": "<ca.pem"},
            "Cannot specify both TEMPORAL_TLS_SERVER_CA_CERT_PATH and TEMPORAL_TLS_SERVER_CA_CERT_DATA",
        ),
    ],
)
def test_what_is_no_file_or_comes_twice_is_named(elsewhere: Elsewhere, variables: Variables, said: str) -> None:
    error = elsewhere.refused({"TEMPORAL_ADDRESS": "mtls", **variables})

    assert said in str(error)
    assert isinstance(error, SettingError)


def told(elsewhere: Elsewhere, error: DaperError) -> str:
    """What an error says, without the folder of the papers."""
    return str(error).replace(f"{elsewhere.papers.folder}/", "")
