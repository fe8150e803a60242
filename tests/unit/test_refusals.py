"""What the SDK says of a failed connection, and what we make of it, for answers that no test server gives."""

from dataclasses import replace

import pytest

from daper.adapters.temporal.refusals import Attempt, not_connected
from daper.core.errors import SettingError, Unreachable

BARE = Attempt(where="Temporal", name="here", tls=True, has_api_key=False, ca=None, cert=None, key=None)
WITH_KEY = replace(BARE, has_api_key=True)
WITH_CERT = replace(BARE, cert="C", key="K")
CONNECT = "Server connection error: tonic::transport::Error(Transport, "
CALL = '`get_system_info` call error after connection: Status { code: Unknown, message: "transport error", '
WAYS_OUT = "start one: daper up; or name one: TEMPORAL_ADDRESS"


def wrong_name(*names: str) -> str:
    presented = ", ".join(f'"DnsName(\\"{name}\\")"' for name in names)
    return f"ConnectError(InvalidCertificate(NotValidForNameContext {{ expected: X, presented: [{presented}] }}))"


@pytest.mark.parametrize(
    ("attempt", "text", "said"),
    [
        (WITH_KEY, "Status { code: PermissionDenied, ", "it refused the credentials; look at TEMPORAL_API_KEY and"),
        (WITH_CERT, f"{CONNECT}CertificateParseError)", "C holds a certificate that cannot be read; it must be PEM"),
        (WITH_CERT, f"{CONNECT}InvalidCertificate(BadEncoding))", "C holds a certificate that cannot be read"),
        (
            WITH_CERT,
            f'{CALL}"received fatal alert: CertificateRevoked"',
            "it does not accept the client certificate in C",
        ),
        (BARE, f'{CALL}"received fatal alert: BadCertificate"', "it wants a client certificate (BadCertificate); set"),
        (BARE, CONNECT + wrong_name(), "its certificate is for no name at all, not for 'here'; set"),
        (BARE, CONNECT + wrong_name(*"abcde"), "its certificate is for 'a', 'b', 'c' and 2 more, not for 'here'"),
        (BARE, CONNECT + wrong_name("\x1b[31mred"), "its certificate is for '<U+001B>[31mred', not for 'here'"),
    ],
)
def test_what_is_configured_is_to_be_mended(attempt: Attempt, text: str, said: str) -> None:
    error = not_connected(attempt, text)

    assert isinstance(error, SettingError)
    assert str(error).startswith(f"Temporal: {said}")


@pytest.mark.parametrize(
    ("attempt", "text", "said"),
    [
        (BARE, "Status { code: Unavailable, ", f"Temporal does not answer (Unavailable); {WAYS_OUT}"),
        (
            BARE,
            'ConnectError("tcp connect error", 192.0.2.1:1, Os { code: 101, kind: NetworkUnreachable, ',
            f"Temporal cannot be reached: there is no way to it (NetworkUnreachable); {WAYS_OUT}",
        ),
        (
            WITH_CERT,
            f"{CONNECT}ConnectError(AlertReceived(ProtocolVersion)",
            "Temporal cannot be reached: it ended TLS (ProtocolVersion); look at C",
        ),
        (
            WITH_CERT,
            f"{CONNECT}ConnectError(InvalidCertificate(Revoked))",
            "Temporal cannot be reached: its certificate is not valid (Revoked); who runs it has to replace it",
        ),
        (
            WITH_CERT,
            'Status { code: Cancelled, message: "operation was canceled", ',
            "Temporal cannot be reached: it closed the connection during TLS; look at C",
        ),
        (BARE, "something new", f"Temporal does not speak as Temporal does; {WAYS_OUT}"),
        (
            replace(BARE, tls=False),
            "something new",
            f"Temporal does not speak as Temporal does; if it wants TLS, set TEMPORAL_TLS=true; {WAYS_OUT}",
        ),
    ],
)
def test_what_the_other_side_does_is_said(attempt: Attempt, text: str, said: str) -> None:
    error = not_connected(attempt, text)

    assert isinstance(error, Unreachable)
    assert str(error) == said
