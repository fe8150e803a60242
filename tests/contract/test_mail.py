"""Mail against a real server: always over TLS, to whom it was meant, and nobody's text makes a header of its own."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trustme

from daper.adapters.notify import email
from daper.adapters.notify.deadline import cut_off
from daper.adapters.notify.email import Attachment, Mail, compose, send
from daper.core.errors import DaperError, TargetRefused, TargetUnreachable
from daper.core.people import EmailTarget, Security, SmtpServer
from tests.receiving import PASSWORD, USER, MailServer, Post, free_port, mail_server

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HARRY = EmailTarget(to=("harry@example.org",))
LETTER = Mail(subject="daper: orders: a plan waits", text="text ü", html="<p>html ü</p>")


class Papers:
    """An authority, its file, and a certificate of it for this machine."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)
        self.cert = self.ca.issue_cert(name)


def account(server: MailServer, papers: Papers, **more: object) -> SmtpServer:
    known = SmtpServer(
        host="127.0.0.1",
        port=server.port,
        security=Security.STARTTLS,
        sender="daper@example.org",
        user=USER,
        password_env="SMTP_PASSWORD",  # noqa: S106 - the name of a variable
        ca_file=papers.file,
    )
    return replace(known, **more)  # pyright: ignore[reportArgumentType]  # of a test


async def deliver(
    to: SmtpServer,
    letter: Mail = LETTER,
    *,
    target: EmailTarget = HARRY,
    secrets: Mapping[str, str] = {"SMTP_PASSWORD": PASSWORD},
) -> None:
    mail = compose(letter, "e" * 64, sender=to.sender, to=target.to, now=NOW)
    await asyncio.to_thread(send, mail, to, target, password=lambda name: secrets[name])


@pytest.mark.parametrize("security", Security)
async def test_a_mail_goes_over_tls_with_a_password_in_both_forms(tmp_path: Path, security: Security) -> None:
    papers = Papers(tmp_path)
    pdf = Attachment(name="repair-1.pdf", maintype="application", subtype="pdf", data=b"%PDF-1.7 planted")
    async with mail_server(papers.cert, security=security) as server:
        await deliver(account(server, papers, security=security), replace(LETTER, attachment=pdf))

    [mail] = server.post.mails
    assert server.post.logins == [(USER.encode(), PASSWORD.encode())]
    assert server.post.over_tls == [True] or security is Security.TLS
    assert server.post.recipients == [["harry@example.org"]]
    assert (mail["From"], mail["To"]) == ("daper <daper@example.org>", "harry@example.org")
    assert mail["Subject"] == "daper: orders: a plan waits"
    assert mail["Message-ID"] == f"<{'e' * 64}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind, expected in (("plain", "text ü"), ("html", "<p>html ü</p>")):
        body = mail.get_body((kind,))
        assert body is not None
        assert body.get_content().strip() == expected
    [attached] = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("repair-1.pdf", "application/pdf")
    assert attached.get_payload(decode=True) == pdf.data


async def test_without_starttls_nothing_is_sent(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    async with mail_server(None, security=None, login=False) as server:
        with pytest.raises(TargetRefused, match="offers no STARTTLS, and nothing is sent without TLS"):
            await deliver(account(server, papers))
        with pytest.raises(TargetRefused, match="speaks no TLS on that port"):
            await deliver(account(server, papers, security=Security.TLS))
    assert not server.post.mails
    assert not server.post.logins


@pytest.mark.parametrize("security", Security)
async def test_a_wrong_certificate_is_refused_before_the_password(tmp_path: Path, security: Security) -> None:
    (tmp_path / "other").mkdir()
    papers, others = Papers(tmp_path), Papers(tmp_path / "other", "planted.example")
    async with mail_server(others.cert, security=security) as server:
        with pytest.raises(TargetRefused, match="an authority that is not trusted here") as unknown:
            await deliver(account(server, papers, security=security))
        with pytest.raises(TargetRefused, match="it is for another address") as misnamed:
            await deliver(account(server, others, security=security))
    assert not server.post.logins
    for error in (unknown.value, misnamed.value):
        assert_tells_nothing(error)


async def test_a_wrong_password_is_not_tried_again(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    async with mail_server(papers.cert) as server:
        with pytest.raises(TargetRefused, match=r"did not accept user and password \(code 535\)") as error:
            await deliver(account(server, papers), secrets={"SMTP_PASSWORD": "planted-wrong"})
    assert not server.post.mails
    assert_tells_nothing(error.value)


@pytest.mark.parametrize(
    ("answer", "kind"), [("451 busy, planted", TargetUnreachable), ("554 spam from planted", TargetRefused)]
)
async def test_a_server_that_takes_no_mail_now_may_take_it_later(
    tmp_path: Path, answer: str, kind: type[DaperError]
) -> None:
    papers = Papers(tmp_path)
    async with mail_server(papers.cert) as server:
        server.post.answers = [answer]
        with pytest.raises(kind, match=rf"did not take the mail \(code {answer[:3]}\)") as error:
            await deliver(account(server, papers))
        assert_tells_nothing(error.value)
        await deliver(account(server, papers))
    assert len(server.post.mails) == 1


async def test_addresses_that_are_refused_are_counted_and_not_named(tmp_path: Path) -> None:
    papers, post = Papers(tmp_path), Post()
    post.strangers = {"planted@example.org"}
    two = EmailTarget(to=("harry@example.org", "planted@example.org"))
    async with mail_server(papers.cert, post=post) as server:
        with pytest.raises(TargetRefused, match="refused 1 of 2 addresses") as some:
            await deliver(account(server, papers), target=two)
        with pytest.raises(TargetRefused, match=r"refused every address \(code 550\)") as every:
            await deliver(account(server, papers), target=EmailTarget(to=("planted@example.org",)))
    assert post.recipients == [["harry@example.org"]]
    assert_tells_nothing(some.value)
    assert_tells_nothing(every.value)


async def test_a_server_that_is_down_may_be_up_later(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    nobody = MailServer(post=Post(), port=free_port())
    with pytest.raises(TargetUnreachable, match="does not answer: Connection refused") as error:
        await deliver(account(nobody, papers))
    assert_tells_nothing(error.value)


HOSTILE = (
    "a plan\r\nBcc: planted@example.org",
    "a plan\nX-Planted: yes\n\nplanted body",
    "a plan\x0bBcc: planted@example.org",
    "a plan\u2028Bcc: planted@example.org",
    "=?utf-8?q?a_plan=0D=0ABcc:_planted@example.org?=",
    "\u202eevil\u202c \x1b[31m\0",
    "ü" * 500,
)


@pytest.mark.parametrize("subject", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_subject_makes_no_header_and_no_recipient(tmp_path: Path, subject: str) -> None:
    papers = Papers(tmp_path)
    async with mail_server(papers.cert) as server:
        await deliver(account(server, papers), replace(LETTER, subject=subject))
    [mail] = server.post.mails
    assert server.post.recipients == [["harry@example.org"]]
    assert "X-Planted" not in mail
    assert "Bcc" not in mail
    assert mail["To"] == "harry@example.org"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "text ü"
    assert str(mail["Subject"]).isprintable()
    assert len(str(mail["Subject"])) < 400


def assert_tells_nothing(error: DaperError) -> None:
    """It is kept in the history of a repair, with its cause."""
    assert error.__suppress_context__ or error.__context__ is None
    for secret in ("planted", "127.0.0.1", "example.org", PASSWORD):
        assert secret not in str(error)


@pytest.mark.parametrize("security", Security)
async def test_a_server_that_greets_byte_by_byte_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: Security
) -> None:
    """Each byte comes in time; the bound is on the whole exchange, from the first moment on."""
    papers, over = Papers(tmp_path), asyncio.Event()
    monkeypatch.setattr(email, "cut_off", partial(cut_off, after=timedelta(seconds=1)))

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not over.is_set():
            writer.write(b"2")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.2)
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    papers.cert.configure_cert(context)
    tls = context if security is Security.TLS else None
    async with await asyncio.start_server(drip, "127.0.0.1", 0, ssl=tls) as server:
        slow = SmtpServer(
            host="127.0.0.1",
            port=server.sockets[0].getsockname()[1],
            security=security,
            sender="daper@example.org",
            ca_file=papers.file,
        )
        try:
            with pytest.raises(TargetUnreachable):
                await asyncio.wait_for(deliver(slow), 30)
        finally:
            over.set()


async def test_a_password_that_is_not_ascii_is_refused_and_no_letter_of_it_is_told(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    async with mail_server(papers.cert) as server:
        with pytest.raises(TargetRefused) as raised:
            await deliver(account(server, papers), secrets={"SMTP_PASSWORD": "alohomöra"})
    assert str(raised.value) == "user and password of the mail server must be ASCII: no others can be sent"
