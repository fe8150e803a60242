"""What a mail server's answer means: refused for good, or not taken this time. Its own text may name people."""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from daper.adapters.notify.greeting import is_about_name
from daper.core.errors import TargetRefused, TargetUnreachable
from daper.core.people import SmtpServer
from daper.deadline import LONGEST_EXCHANGE

Refusals = Mapping[str, tuple[int, bytes]]  # address → code and text
Failure = TargetRefused | TargetUnreachable

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})
_TOO_LARGE: Final = frozenset({523, 552})
_WANTS_LOGIN: Final = 530


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Knows what was said to the server. `name`: in EHLO; empty where it came to none."""

    server: SmtpServer
    name: str = ""

    def greeting(self, code: int) -> Failure:
        """The server refused EHLO."""
        return self._failure("refused the greeting", code, about_name=True)

    def refused_connection(self, code: int) -> Failure:
        """The server greets with a refusal."""
        return self._failure("takes no mail from here", code)

    def starttls(self, code: int) -> Failure:
        """The server offers STARTTLS and refuses to begin with it."""
        return self._failure("did not begin with TLS", code)

    def login(self, code: int) -> Failure:
        """The server refused user or password."""
        return self._failure("did not accept user and password", code)

    def mail(self, error: smtplib.SMTPResponseException) -> Failure:
        """The server refused the sender, or the mail itself."""
        said = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
        sender = isinstance(error, smtplib.SMTPSenderRefused) and error.smtp_code not in _TOO_LARGE
        what = "refused the address that mails come from" if sender else "did not take the mail"
        return self._failure(what, error.smtp_code, about_name=is_about_name(said))

    def every_address(self, refused: Refusals) -> Failure:
        """The server refused all of them. One that it may take later is tried again, and so are the others then."""
        code, said = min(refused.values())
        return self._failure("refused every address", code, about_name=is_about_name(said))

    def some_addresses(self, refused: Refusals, *, of: int) -> Failure:
        """The server refused some of them, and the others got the mail."""
        later = [code for code, _ in refused.values() if code < 500]
        if later:
            told = f"does not take the mail for {len(later)} of {of} addresses yet (code {min(later)})"
            return TargetUnreachable(f"the mail server {told}; the others got it")
        return TargetRefused(f"the mail server refused {len(refused)} of {of} addresses; the others got it")

    def silence(self, error: OSError) -> Failure:
        """The server says nothing, or nothing of a mail server."""
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            return TargetRefused("the mail server speaks no TLS on that port, and nothing is sent without it")
        told = error.strerror or type(error).__name__
        if isinstance(error, TimeoutError):
            each, whole = self.server.timeout.total_seconds(), LONGEST_EXCHANGE.total_seconds()
            told = f"it took too long: more than {each:g} s for an answer (timeout_s), or {whole:g} s in all"
        return TargetUnreachable(f"the mail server does not answer: {told}")

    def _failure(self, what: str, code: int, *, about_name: bool = False) -> Failure:
        told = f"the mail server {what} (code {code})"
        if about_name:
            told += f", and that is about the name that this machine said: EHLO {self.name}; set helo_name in [smtp]"
        elif code in _TOO_LARGE:
            told += ": it is too large"
        elif code == _WANTS_LOGIN and not self.server.user:
            told += ": it wants a login; set user and password_env in [smtp]"
        if not 400 <= code < 600:  # no refusal, and no yes either
            return TargetUnreachable(told)
        return TargetUnreachable(told, certain=True) if code < 500 else TargetRefused(told)
