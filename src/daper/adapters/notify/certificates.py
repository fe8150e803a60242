"""How a server proves who it is, and what is said when it does not."""

import ssl
from pathlib import Path

from daper.adapters.trust import said_by_variables
from daper.core.errors import TargetRefused

# The codes of X509_verify_cert.
_WHY = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: "it is from an authority that is not trusted here",
    20: "it is from an authority that is not trusted here",
    62: "it is for another name",
    64: "it is for another address",
}
_UNKNOWN = frozenset({18, 19, 20})


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that trusts the authorities of this machine, or those of one file. Raises TargetRefused."""
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:  # also what OpenSSL says
        reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise TargetRefused(f"the file of its ca_file cannot be used: {reason}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def refused(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was refused; the error's own words would name the server."""
    why = _WHY.get(error.verify_code, f"code {error.verify_code}")
    set_otherwise = said_by_variables() if error.verify_code in _UNKNOWN else ""
    return f"its certificate is refused: {why}" + (f"; {set_otherwise}" if set_otherwise else "")
