"""Mail against a real server: always over TLS, to whom it was meant, and nobody's text makes a header of its own."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trustme

from daper.adapters.decision_links import read_link
from daper.adapters.notify import email, greeting
from daper.adapters.notify.email import Attachment, Mail, compose, send
from daper.adapters.notify.notifier import PeopleNotifier
from daper.adapters.state import StatePlace
from daper.bootstrap import open_notifier
from daper.clock import utc_now
from daper.core.errors import DaperError, TargetRefused, TargetUnreachable
from daper.core.notices import Occasion, TellInput, plan_message, trial_message
from daper.core.people import EmailTarget, People, Security, SmtpServer
from daper.deadline import cut_off
from daper.settings import load_settings
from tests.ports import free_port
from tests.receiving import PASSWORD, USER, MailServer, Post, mail_server
from tests.unit.every_door import LOOK

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
    had: set[str] | None = None,
) -> None:
    mail = compose(letter, "e" * 64, sender=to.sender, to=target.to, now=NOW)
    known = set[str]() if had is None else had
    await asyncio.to_thread(send, mail, to, target, password=lambda name: secrets[name], had=known)


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


@pytest.mark.parametrize("security", Security)
@pytest.mark.parametrize(
    ("known_as", "named", "said"),
    [
        ("robot", "", "[127.0.0.1]"),
        ("localhost.localdomain", "", "[127.0.0.1]"),
        ("büro.example.org", "", "[127.0.0.1]"),
        ("1.0.0.127.in-addr.arpa", "", "[127.0.0.1]"),
        ("Robot.example.org.", "", "robot.example.org"),
        ("robot", "mail.example.org", "mail.example.org"),
    ],
)
async def test_a15_a_server_that_wants_a_full_name_gets_one_or_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: Security, known_as: str, named: str, said: str
) -> None:
    monkeypatch.setattr(greeting, "host_name", lambda: known_as)
    papers, post = Papers(tmp_path), Post()
    post.wants_full_name = True
    async with mail_server(papers.cert, security=security, post=post) as server:
        await deliver(account(server, papers, security=security, helo_name=named))
    assert set(post.names) == {said}
    assert len(post.mails) == 1


async def test_a15_a_name_that_is_refused_is_told_whenever_the_server_says_so(tmp_path: Path) -> None:
    papers, post = Papers(tmp_path), Post()
    post.wants_full_name = True
    told = r"\(code 504\), and that is about the name that this machine said: EHLO robot; set helo_name in \[smtp\]"
    async with mail_server(papers.cert, post=post) as server:
        with pytest.raises(TargetRefused, match=rf"refused every address {told}") as late:
            await deliver(account(server, papers, helo_name="robot"))
    assert_tells_nothing(late.value)
    async with scripted(b"220 planted-host\r\n", b"504 5.5.2 not so, planted-host\r\n") as port:
        with pytest.raises(TargetRefused, match=rf"refused the greeting {told}") as early:
            await deliver(account(MailServer(post=post, port=port), papers, helo_name="robot"))
    assert_tells_nothing(early.value)


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([b"421 4.3.2 planted"], TargetUnreachable, r"takes no mail from here \(code 421\)"),
        ([b"554 5.7.1 planted"], TargetRefused, r"takes no mail from here \(code 554\)"),
        ([b"220 ok", b"450 4.7.1 planted"], TargetUnreachable, r"refused the greeting \(code 450\)"),
        ([b"220 ok", b"502 planted", b"250 ok"], TargetRefused, "offers no STARTTLS"),
        ([b"220-wait, planted\r\n220-still\r\n220 now", b"250 ok"], TargetRefused, "offers no STARTTLS"),
        ([b"220 ok", b"250-ok\r\n250 STARTTLS", b"454 planted"], TargetUnreachable, r"begin with TLS \(code 454\)"),
        ([b"220 ok", b"250-ok\r\n250 STARTTLS", b"501 planted"], TargetRefused, r"begin with TLS \(code 501\)"),
        ([b"HTTP/1.1 400 planted"], TargetUnreachable, "does not answer"),
    ],
    ids=range(8),
)
async def test_a15_what_a_server_says_before_tls_is_told_as_what_it_is(
    tmp_path: Path, answers: list[bytes], kind: type[DaperError], words: str
) -> None:
    papers = Papers(tmp_path)
    async with scripted(*(answer + b"\r\n" for answer in answers)) as port:
        with pytest.raises(kind, match=words) as error:
            await deliver(account(MailServer(post=Post(), port=port), papers, helo_name="mail.robot.example.net"))
    assert_tells_nothing(error.value)


async def test_a15_an_address_that_is_to_wait_gets_the_mail_later_and_nobody_gets_it_twice(tmp_path: Path) -> None:
    papers, post, had = Papers(tmp_path), Post(), set[str]()
    post.refusals = {"planted@example.org": ["450 4.2.0 greylisted, planted", "451 planted"]}
    post.strangers = {"nobody@example.org"}
    three = EmailTarget(to=("harry@example.org", "planted@example.org", "nobody@example.org"))
    async with mail_server(papers.cert, post=post) as server:
        for words in (r"for 1 of 3 addresses yet \(code 450\); the others got it", r"every address \(code 451\)"):
            with pytest.raises(TargetUnreachable, match=words) as error:
                await deliver(account(server, papers), target=three, had=had)
            assert_tells_nothing(error.value)
        with pytest.raises(TargetRefused, match="refused 1 of 3 addresses; the others got it"):
            await deliver(account(server, papers), target=three, had=had)
        with pytest.raises(TargetRefused, match=r"refused every address \(code 550\)"):
            await deliver(account(server, papers), target=three, had=had)
    assert post.recipients == [["harry@example.org"], ["planted@example.org"]]
    assert had == {"harry@example.org", "planted@example.org"}


async def test_a15_the_notifier_knows_at_the_next_attempt_who_has_a_mail(tmp_path: Path) -> None:
    papers, post = Papers(tmp_path), Post()
    post.refusals = {"ron@example.org": ["450 greylisted"]}
    two = EmailTarget(to=("harry@example.org", "ron@example.org"))
    async with mail_server(papers.cert, post=post, login=False) as server:
        people = People(source="x", targets={"two": two}, smtp=account(server, papers, user=""))
        notifier = PeopleNotifier(
            people, reports=StatePlace(home=tmp_path).reports(), link=lambda _: None, now=lambda: NOW
        )
        given = TellInput(event_id="event-1", target="two", message=trial_message("Harry", at=NOW))
        with pytest.raises(TargetUnreachable):
            await notifier.tell(given)
        await notifier.tell(given)
        notifier.close()
    assert post.recipients == [["harry@example.org"], ["ron@example.org"]]
    assert len({mail["Message-ID"] for mail in post.mails}) == 1


async def test_a15_a_server_that_knows_only_the_oldest_forms_gets_ascii_in_short_lines(tmp_path: Path) -> None:
    papers, post = Papers(tmp_path), Post()
    post.lacks = {"8BITMIME", "SMTPUTF8", "SIZE"}
    long = Mail(subject="daper: ü " + "y" * 140, text="text ü\n" + "ü" * 3000, html="<p>" + "x" * 5000 + "ü</p>")
    async with mail_server(papers.cert, post=post) as server:
        await deliver(account(server, papers), long)
        with pytest.raises(TargetRefused, match="takes ASCII addresses only, and one of ours is none"):
            await deliver(account(server, papers), target=EmailTarget(to=("hagrid-ü@example.org",)))
    [content], [mail] = post.contents, post.mails
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) < 100
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == long.text.split()
    assert (mail["Date"], mail["From"]) == ("Fri, 02 Jan 2026 03:04:05 +0000", "daper <daper@example.org>")


async def test_a15_a_server_that_wants_a_login_where_none_is_set_is_told_so(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    async with mail_server(papers.cert) as server:
        with pytest.raises(TargetRefused, match=r"code 530\): it wants a login; set user and password_env in \[smtp\]"):
            await deliver(account(server, papers, user=""))


async def test_a15_a_way_to_log_in_that_we_do_not_know_is_told(tmp_path: Path) -> None:
    papers, post = Papers(tmp_path), Post()
    post.lacks = {"AUTH"}
    async with mail_server(papers.cert, post=post) as server:
        with pytest.raises(TargetRefused, match="no way to log in that we know; see user and password_env"):
            await deliver(account(server, papers))


@contextlib.asynccontextmanager
async def scripted(*answers: bytes) -> AsyncGenerator[int]:
    """A server without TLS that says these one after the other, each after a line of the client; its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, answer in enumerate(answers):
            if number:
                await reader.readline()
            writer.write(answer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("by_link", [True, False])
async def test_a_mail_has_the_link_of_its_plan_and_one_that_decides_where_the_policy_lets_it(
    tmp_path: Path, by_link: bool
) -> None:
    papers = Papers(tmp_path)
    async with mail_server(papers.cert) as server:
        (tmp_path / "people.toml").write_text(
            f'[smtp]\nhost = "127.0.0.1"\nport = {server.port}\nfrom = "daper@example.org"\nuser = "{USER}"\n'
            f'password_env = "SMTP_PASSWORD"\nca_file = "{papers.file}"\n'
            '[targets.harry]\ntype = "email"\nto = "harry@example.org"\n',
            encoding="utf-8",
        )
        environ = {
            "DAPER_HOME": str(tmp_path),
            "SMTP_PASSWORD": PASSWORD,
            "DAPER_CONSOLE_URL": "https://daper.example.org",
        }
        settings = load_settings(environ=environ, folder=tmp_path)
        notifier = open_notifier(settings)
        waits = plan_message(Occasion.PLAN_WAITS, LOOK, at=NOW, by_link=by_link)
        await notifier.tell(TellInput(event_id="event-1", target="harry", message=waits))
        notifier.close()
    [mail] = server.post.mails
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        told = body.get_content()
        assert f"https://daper.example.org/repairs/{LOOK.repair_id}" in told
        links = re.findall(r"https://daper\.example\.org/links/([\w.-]+)", told)
        assert bool(links) == by_link
        for token in links:
            link = read_link(settings.state.form_key().for_a_server(), token, now=utc_now())
            assert link is not None
            assert (link.repair_id, link.target) == (LOOK.repair_id, "harry")
            assert LOOK.plan is not None
            assert link.plan_digest == LOOK.plan.digest
