"""Sends a message as a mail, always over TLS. Blocks: call it in a thread."""

import contextlib
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from daper.adapters.notify.certificates import refused, trusting
from daper.adapters.notify.deadline import cut_off
from daper.core.errors import TargetRefused, TargetUnreachable
from daper.core.people import EmailTarget, Security, SmtpServer
from daper.core.text import visible

_GREETED = 220  # RFC 5321, 4.2.3
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    subtype: str
    maintype: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What a mail says."""

    subject: str
    text: str
    html: str
    attachment: Attachment | None = None


def compose(letter: Mail, event_id: str, *, sender: str, to: tuple[str, ...], now: datetime) -> EmailMessage:
    """The mail. Its Message-ID is made of the event's id: sent again, it is the same mail."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = formataddr(("daper", sender))
    mail["To"] = ", ".join(to)
    # Not an encoded word either: it would be decoded, and a line break in it begin a header.
    mail["Subject"] = visible(letter.subject).replace("=?", "= ?")
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{event_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    if letter.attachment is not None:
        file = letter.attachment
        mail.add_attachment(file.data, maintype=file.maintype, subtype=file.subtype, filename=file.name)
    return mail


def send(mail: EmailMessage, server: SmtpServer, target: EmailTarget, *, password: Callable[[str], str]) -> None:
    """Hand the mail to the server; `password` says what a variable holds.

    Raises TargetRefused, TargetUnreachable; neither says where the server is, nor whom it refused.
    """
    context = trusting(server.ca_file)
    secret = password(server.password_env) if server.user else ""
    try:
        refused_ones = _hand_over(mail, server, target, context=context, secret=secret)
    except ssl.SSLCertVerificationError as error:
        raise TargetRefused(f"the mail server: {refused(error)}") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _answered("refused every address", max(code for code, _ in error.recipients.values())) from None
    except smtplib.SMTPAuthenticationError as error:
        raise _answered("did not accept user and password", error.smtp_code) from None
    except smtplib.SMTPResponseException as error:
        raise _answered("did not take the mail", error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise TargetRefused("the mail server has no way to log in that we know; see user and password_env") from None
    except (OSError, smtplib.SMTPException) as error:
        raise _silent(error) from None
    if refused_ones:
        raise TargetRefused(f"the mail server refused {refused_ones} of {len(target.to)} addresses; the others got it")


def _hand_over(
    mail: EmailMessage, server: SmtpServer, target: EmailTarget, *, context: ssl.SSLContext, secret: str
) -> int:
    """How many of several addresses were refused, while others were not."""
    client = _client(server, context)
    try:
        with cut_off(lambda: client.sock):
            _connect(client, server)
            if server.security is Security.STARTTLS:
                _start_tls(client, context)
            if server.user:
                _log_in(client, server.user, secret)
            refused_ones = client.send_message(mail, from_addr=server.sender, to_addrs=list(target.to))
            with contextlib.suppress(OSError, smtplib.SMTPException):  # it has the mail: nothing may send it again
                client.quit()
        return len(refused_ones)
    finally:
        client.close()


class _Late(smtplib.SMTP):
    """Connects when it is told to, and not when it is made: the bound on the exchange has to be around that too."""

    def connect(self, host: str = "", port: int = 0, source_address: object = None) -> tuple[int, bytes]:
        """Nothing yet; what it is made with stays known."""
        return _GREETED, b""


class _LateTls(_Late, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte on."""


def _client(server: SmtpServer, context: ssl.SSLContext) -> smtplib.SMTP:
    seconds = server.timeout.total_seconds()
    if server.security is Security.TLS:
        return _LateTls(server.host, server.port, timeout=seconds, context=context, local_hostname="localhost")
    return _Late(server.host, server.port, timeout=seconds, local_hostname="localhost")


def _connect(client: smtplib.SMTP, server: SmtpServer) -> None:
    code, said = smtplib.SMTP.connect(client, server.host, server.port)
    if 400 <= code < 600:
        raise smtplib.SMTPConnectError(code, said)
    if code != _GREETED:
        raise smtplib.SMTPServerDisconnected("it greets as no mail server does")


def _start_tls(client: smtplib.SMTP, context: ssl.SSLContext) -> None:
    client.ehlo()
    if not client.has_extn("starttls"):
        raise TargetRefused("the mail server offers no STARTTLS, and nothing is sent without TLS")
    client.starttls(context=context)


def _log_in(client: smtplib.SMTP, user: str, secret: str) -> None:
    if not (user + secret).isascii():  # the library's own words would have the letter
        raise TargetRefused("user and password of the mail server must be ASCII: no others can be sent")
    client.login(user, secret)


def _silent(error: OSError) -> TargetRefused | TargetUnreachable:
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return TargetRefused("the mail server speaks no TLS on that port, and nothing is sent without it")
    told = "it took too long" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
    return TargetUnreachable(f"the mail server does not answer: {told}")


def _answered(what: str, code: int) -> TargetRefused | TargetUnreachable:
    """What the server's code means; its text may name people and machines."""
    told = f"the mail server {what} (code {code})"
    return TargetUnreachable(told) if 400 <= code < 500 or code < 0 else TargetRefused(told)
