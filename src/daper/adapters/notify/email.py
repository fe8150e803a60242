"""Sends a message as a mail, always over TLS. Blocks: call it in a thread."""

import contextlib
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING

from daper.adapters.notify.certificates import refused, trusting
from daper.adapters.notify.greeting import own_name
from daper.adapters.notify.smtp_answers import Judge, Refusals
from daper.core.errors import TargetRefused
from daper.core.people import EmailTarget, Security, SmtpServer
from daper.core.text import visible
from daper.deadline import cut_off

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_GREETED = 220  # RFC 5321, 4.2.3
_UNKNOWN_COMMAND = frozenset({500, 502})
_UNSAID = "localhost"  # before the connection is there, which says by which address we come
# ASCII in short lines: a server that knows no 8BITMIME takes that too.
_POLICY = SMTP.clone(cte_type="7bit")


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
    html: str = ""
    attachment: Attachment | None = None
    from_name: str = "daper"
    reply_to: str = ""


def compose(letter: Mail, event_id: str, *, sender: str, to: tuple[str, ...], now: datetime) -> EmailMessage:
    """The mail. Its Message-ID is made of the event's id: sent again, it is the same mail."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = formataddr((letter.from_name, sender))
    mail["To"] = ", ".join(to)
    if letter.reply_to:
        mail["Reply-To"] = letter.reply_to
    # Not an encoded word either: it would be decoded, and a line break in it begin a header.
    mail["Subject"] = visible(letter.subject).replace("=?", "= ?")
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{event_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    if letter.html:
        mail.add_alternative(letter.html, subtype="html")
    if letter.attachment is not None:
        file = letter.attachment
        mail.add_attachment(file.data, maintype=file.maintype, subtype=file.subtype, filename=file.name)
    return mail


def send(
    mail: EmailMessage,
    server: SmtpServer,
    target: EmailTarget,
    *,
    password: Callable[[str], str],
    had: set[str],
    before_text: Callable[[], None] = lambda: None,
) -> None:
    """Hand the mail to the server; `password` says what a variable holds.

    `had`: addresses that have the mail already and are left out; those that take it now are added, also where others
    are refused. `before_text` is called once the server has taken an address, right before the mail itself is said.
    Raises TargetRefused, TargetUnreachable; neither says where the server is, nor whom it refused.
    """
    context = trusting(server.ca_file)
    secret = password(server.password_env) if server.user else ""
    to = [address for address in target.to if address not in had]
    if not to:
        return
    try:
        refused_ones = _hand_over(mail, server, to, context=context, secret=secret, before_text=before_text)
    except ssl.SSLCertVerificationError as error:
        raise TargetRefused(f"the mail server: {refused(error)}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Judge(server=server).silence(error) from None
    had.update(address for address in to if address not in refused_ones)
    if refused_ones:
        raise Judge(server=server).some_addresses(refused_ones, of=len(target.to))


def _hand_over(
    mail: EmailMessage,
    server: SmtpServer,
    to: Sequence[str],
    *,
    context: ssl.SSLContext,
    secret: str,
    before_text: Callable[[], None],
) -> Refusals:
    """Which of several addresses were refused, while others were not. Raises OSError, SMTPException, our own errors."""
    client = _client(server, context)
    client.before_text = before_text
    try:
        with cut_off(lambda: client.sock):
            _connect(client, server)
            judge = Judge(server=server, name=client.local_hostname)
            if server.security is Security.STARTTLS:
                _start_tls(client, context, judge)
            _greet(client, judge)
            if server.user:
                _log_in(client, server.user, secret, judge)
            refused_ones = _say(client, mail, server.sender, to, judge)
            with contextlib.suppress(OSError, smtplib.SMTPException):  # it has the mail: nothing may send it again
                client.quit()
        return refused_ones
    finally:
        client.close()


class _Late(smtplib.SMTP):
    """Connects when it is told to, and not when it is made: the bound on the exchange has to be around that too."""

    def connect(self, host: str = "", port: int = 0, source_address: object = None) -> tuple[int, bytes]:
        """Nothing yet; what it is made with stays known."""
        return _GREETED, b""

    def before_text(self) -> None:
        """Nothing; replaced by whoever has to know."""

    def data(self, msg: "ReadableBuffer | str") -> tuple[int, bytes]:
        """Say the mail itself, of which nobody knows for certain what becomes until the server answers."""
        self.before_text()
        return super().data(msg)


class _LateTls(_Late, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte on."""


def _client(server: SmtpServer, context: ssl.SSLContext) -> _Late:
    seconds = server.timeout.total_seconds()
    if server.security is Security.TLS:
        return _LateTls(server.host, server.port, timeout=seconds, context=context, local_hostname=_UNSAID)
    return _Late(server.host, server.port, timeout=seconds, local_hostname=_UNSAID)


def _connect(client: smtplib.SMTP, server: SmtpServer) -> None:
    code, _ = smtplib.SMTP.connect(client, server.host, server.port)
    if 400 <= code < 600:
        raise Judge(server=server).refused_connection(code)
    if code != _GREETED or client.sock is None:
        raise smtplib.SMTPServerDisconnected("it greets as no mail server does")
    client.local_hostname = own_name(client.sock, server.helo_name)


def _greet(client: smtplib.SMTP, judge: Judge) -> None:
    """Say EHLO, or HELO to a server that knows no EHLO. Raises what the judge says of a refusal."""
    if client.ehlo_resp is not None:
        return
    code, _ = client.ehlo()
    if code in _UNKNOWN_COMMAND:
        code, _ = client.helo()
    if not 200 <= code < 300:
        raise judge.greeting(code)


def _start_tls(client: smtplib.SMTP, context: ssl.SSLContext, judge: Judge) -> None:
    _greet(client, judge)
    if not client.has_extn("starttls"):
        raise TargetRefused("the mail server offers no STARTTLS, and nothing is sent without TLS")
    try:
        client.starttls(context=context)
    except smtplib.SMTPResponseException as error:
        raise judge.starttls(error.smtp_code) from None


def _log_in(client: smtplib.SMTP, user: str, secret: str, judge: Judge) -> None:
    if not (user + secret).isascii():  # the library's own words would have the letter
        raise TargetRefused("user and password of the mail server must be ASCII: no others can be sent")
    try:
        client.login(user, secret)
    except smtplib.SMTPAuthenticationError as error:
        raise judge.login(error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise TargetRefused("the mail server has no way to log in that we know; see user and password_env") from None


def _say(client: smtplib.SMTP, mail: EmailMessage, sender: str, to: Sequence[str], judge: Judge) -> Refusals:
    try:
        return client.send_message(mail, from_addr=sender, to_addrs=list(to))
    except smtplib.SMTPRecipientsRefused as error:
        raise judge.every_address(error.recipients) from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise judge.mail(error) from None
    except smtplib.SMTPNotSupportedError:
        raise TargetRefused("the mail server takes ASCII addresses only, and one of ours is none") from None
