"""Whether those who would be told can be: goes as far as a message would, and sends none. Blocks: call in a thread."""

import http.client
import smtplib
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from daper.adapters.notify.certificates import refused, trusting
from daper.core.errors import TargetRefused, TargetUnreachable
from daper.core.people import Security, SmtpServer, WebhookTarget
from daper.deadline import cut_off

LOOK_WITHIN: Final = timedelta(seconds=5)


def reach_webhook(target: WebhookTarget) -> None:
    """Connect, and prove by TLS who is there. Raises TargetRefused, TargetUnreachable, without the address."""
    parts = urlsplit(target.url)
    host, seconds = parts.hostname or "", LOOK_WITHIN.total_seconds()
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=trusting(target.ca_file))
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=seconds)
    )
    with _told("its server", lambda: connection.sock):
        try:
            connection.connect()
        finally:
            connection.close()


def reach_mail(server: SmtpServer, *, password: Callable[[str], str]) -> None:
    """Connect, start TLS and log in. Raises TargetRefused, TargetUnreachable, without the address."""
    context, seconds = trusting(server.ca_file), LOOK_WITHIN.total_seconds()
    secret = password(server.password_env) if server.user else ""
    client: list[smtplib.SMTP] = []
    with _told("the mail server", lambda: client[0].sock if client else None):
        if server.security is Security.TLS:
            client.append(smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context))
        else:
            client.append(smtplib.SMTP(server.host, server.port, timeout=seconds))
        with client[0] as talking:
            if server.security is Security.STARTTLS:
                talking.starttls(context=context)
            if server.user:
                talking.login(server.user, secret)


@contextmanager
def _told(who: str, find: Callable[[], socket.socket | None]) -> Generator[None]:
    """The errors of the libraries as ours; an exchange that does not end is cut off."""
    try:
        with cut_off(find, after=2 * LOOK_WITHIN):
            yield
    except ssl.SSLCertVerificationError as error:
        raise TargetRefused(f"{who}: {refused(error)}") from None
    except smtplib.SMTPAuthenticationError as error:
        raise TargetRefused(f"{who} did not accept user and password (code {error.smtp_code})") from None
    except smtplib.SMTPNotSupportedError:
        raise TargetRefused(f"{who} offers no STARTTLS, or no way to log in that we know") from None
    except TimeoutError:
        raise TargetUnreachable(f"{who} does not answer within {LOOK_WITHIN.total_seconds():g} s") from None
    except (OSError, smtplib.SMTPException, http.client.HTTPException) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise TargetUnreachable(f"{who} does not answer: {said or type(error).__name__}") from None
