"""Why Temporal could not be reached: what the SDK's text means, in one line with the variable to look at.

The SDK's own words may quote what was sent. Nothing of them is passed on but the names of its errors, and the names in
a server's certificate.
"""

import re
from dataclasses import dataclass
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from daper.adapters.trust import said_by_variables
from daper.core.commands import CommandLine, Said
from daper.core.errors import DaperError, SettingError, Unreachable
from daper.core.text import visible

REFUSED: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
WAYS_OUT: Final = Said("start one: ", CommandLine("up"), "; or name one: TEMPORAL_ADDRESS")
TOO_SOON: Final = "operation was canceled"

_SHOW_CERTIFICATE: Final = "set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
_CLOSED: Final = (TOO_SOON, "UnexpectedEof", "BrokenPipe", "ConnectionReset", "ConnectionAborted")
_NOT_READY: Final = ("Unavailable", "ResourceExhausted", "DeadlineExceeded")
_NOT_NOW: Final = {"Expired": "has expired", "NotValidYet": "is not valid yet"}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to connect: where to, and with what.

    `ca`, `cert` and `key` say where each comes from, in words; they are None where there is none. `name` is what the
    server's certificate must carry.
    """

    where: str
    name: str
    tls: bool
    has_api_key: bool
    ca: str | None
    cert: str | None
    key: str | None

    def unreachable(self, why: str, *, ways_out: str = WAYS_OUT) -> Unreachable:
        """Nothing of what is configured is known to be wrong."""
        return Unreachable(f"{self.where} cannot be reached: {why}; ", ways_out)

    def wrong(self, what: str) -> SettingError:
        """What is configured does not fit."""
        return SettingError(f"{self.where}: {what}")


def not_connected(attempt: Attempt, text: str) -> DaperError:
    """What to raise for a connection that failed with this text of the SDK's."""
    for read in (_refused_by_answer, _unusable_certificate, _bad_certificate, _alert, _no_network, _no_tls):
        if error := read(attempt, text):
            return error
    if "Invalid headers" in text:
        return attempt.wrong("a header cannot be sent; look at TEMPORAL_API_KEY and TEMPORAL_GRPC_META_*")
    if "H2NotNegotiated" in text:
        return attempt.unreachable(
            "it speaks TLS, but not Temporal's protocol over it", ways_out="look at TEMPORAL_ADDRESS"
        )
    if attempt.tls and any(sign in text for sign in _CLOSED):
        return _ended(attempt, "it closed the connection during TLS")
    wants_tls = "" if attempt.tls else "if it wants TLS, set TEMPORAL_TLS=true; "
    return Unreachable(f"{attempt.where} does not speak as Temporal does; {wants_tls}", WAYS_OUT)


def not_served(attempt: Attempt, error: RPCError) -> DaperError:
    """What to raise for a namespace that was asked for in vain."""
    if error.status == RPCStatusCode.NOT_FOUND:
        return attempt.wrong(
            "there is no such namespace; set TEMPORAL_NAMESPACE to one that exists, or create it: "
            "`temporal operator namespace create`"
        )
    if error.status in REFUSED:
        return _credentials_refused(attempt)
    return Unreachable(f"{attempt.where} does not answer ({error.status.name}); ", WAYS_OUT)


def _credentials_refused(attempt: Attempt) -> SettingError:
    if attempt.has_api_key:
        return attempt.wrong("it refused the credentials; look at TEMPORAL_API_KEY and TEMPORAL_NAMESPACE")
    if attempt.cert:
        return attempt.wrong(
            f"it refused the credentials; look at {attempt.cert} and TEMPORAL_NAMESPACE, or set TEMPORAL_API_KEY"
        )
    return attempt.wrong(f"it wants credentials; set TEMPORAL_API_KEY, or {_SHOW_CERTIFICATE}")


def _refused_by_answer(attempt: Attempt, text: str) -> DaperError | None:
    found = re.search(r"Status \{ code: (\w+)", text)
    code = found[1] if found else ""
    if code in ("Unauthenticated", "PermissionDenied"):
        return _credentials_refused(attempt)
    if code in _NOT_READY:
        return Unreachable(f"{attempt.where} does not answer ({code}); ", WAYS_OUT)
    return None


def _unusable_certificate(attempt: Attempt, text: str) -> DaperError | None:
    """Ours, and the name: the SDK did not get as far as to send anything."""
    if "KeyMismatch" in text:
        return attempt.wrong(f"the private key in {attempt.key} does not belong to the certificate in {attempt.cert}")
    if "PrivateKeyParse" in text or "failed to parse private key" in text:
        return attempt.wrong(
            f"{attempt.key} holds no private key; it must be PEM with its line breaks, without a password"
        )
    if any(sign in text for sign in ("CertificateParse", "NoCertificatesPresented", "(Transport, InvalidCertificate")):
        return attempt.wrong(f"{attempt.cert or attempt.ca} holds a certificate that cannot be read; it must be PEM")
    if "InvalidDnsName" in text or "InvalidUri" in text:
        right = "set TEMPORAL_TLS_SERVER_NAME to a DNS name or an IPv4 address"
        return attempt.wrong(f"{attempt.name!r} cannot be the name in a certificate; {right}")
    if "invalid target URL" in text:
        return attempt.wrong("the address must be host:port, for example localhost:7233")
    return None


def _bad_certificate(attempt: Attempt, text: str) -> DaperError | None:
    """The server's certificate, as we see it."""
    found = re.search(r"InvalidCertificate\((\w+)(.*)", text)
    if not found:
        return None
    reason = found[1].removesuffix("Context")
    if reason == "UnknownIssuer" and attempt.ca:
        return attempt.wrong(f"its certificate was not issued by the CA in {attempt.ca}")
    if reason == "UnknownIssuer":
        return attempt.wrong(
            "its certificate is of a CA that this computer does not know; set TEMPORAL_TLS_SERVER_CA_CERT_PATH to "
            f"the certificate of that CA{f', or mend this: {otherwise}' if (otherwise := said_by_variables()) else ''}"
        )
    if reason == "NotValidForName":
        return attempt.wrong(
            f"its certificate is for {_names(found[2])}, not for {attempt.name!r}; set TEMPORAL_TLS_SERVER_NAME"
        )
    if reason in _NOT_NOW:
        told = f"its certificate {_NOT_NOW[reason]}"
        return attempt.unreachable(told, ways_out="who runs it has to renew it, if the clock of this computer is right")
    words = re.findall(r"\w+", text) if reason == "Other" else [reason]
    return attempt.unreachable(f"its certificate is not valid ({words[-1]})", ways_out="who runs it has to replace it")


def _names(text: str) -> str:
    """The names in a certificate, as the SDK writes them."""
    found = re.findall(r'\w+\(\\*"?([^"\\()]+)', text.partition("presented")[2])
    shown = ", ".join(repr(visible(name, longest=100)) for name in found[:3])
    return f"{shown} and {len(found) - 3} more" if len(found) > 3 else shown or "no name at all"


def _alert(attempt: Attempt, text: str) -> DaperError | None:
    """What the server said of our certificate, or of the lack of one."""
    found = re.search(r"(?:AlertReceived\(|fatal alert: )(\w+)", text)
    if not found:
        return None
    alert = found[1]
    if alert == "UnrecognisedName":
        return attempt.wrong(f"it does not know the name {attempt.name!r}; set TEMPORAL_TLS_SERVER_NAME")
    if not ("Certificate" in alert or alert in ("AccessDenied", "DecryptError", "UnknownCA")):
        return _ended(attempt, f"it ended TLS ({alert})")
    if not attempt.cert:
        return attempt.wrong(f"it wants a client certificate ({alert}); {_SHOW_CERTIFICATE}")
    if alert == "CertificateExpired":
        return attempt.wrong(f"it says that the client certificate in {attempt.cert} has expired")
    return attempt.wrong(f"it does not accept the client certificate in {attempt.cert} ({alert})")


def _no_network(attempt: Attempt, text: str) -> DaperError | None:
    if "dns error" in text:
        return attempt.unreachable("its name cannot be resolved")
    if "ConnectionRefused" in text:
        return attempt.unreachable("nothing listens there")
    found = re.search(r'"tcp connect error".*kind: (\w+)', text)
    return attempt.unreachable(f"there is no way to it ({found[1]})") if found else None


def _no_tls(attempt: Attempt, text: str) -> DaperError | None:
    if "InvalidContentType" not in text:
        return None
    exposed = ", which would send the API key in the clear" if attempt.has_api_key else ""
    return attempt.wrong(
        f"it does not speak TLS; if that is meant, set TEMPORAL_TLS=false{exposed}; else set TEMPORAL_ADDRESS"
    )


def _ended(attempt: Attempt, how: str) -> Unreachable:
    """Some servers do not say that it is for the certificate which they miss or refuse."""
    told = f"look at {attempt.cert}" if attempt.cert else f"if it wants a client certificate, {_SHOW_CERTIFICATE}"
    return attempt.unreachable(how, ways_out=told)
