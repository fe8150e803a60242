"""Who may be told: what `people.toml` may say, what is said when it is wrong, and that no secret shows."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.receiving import SECRET

from daper.adapters.notify.webhook import sign
from daper.core.errors import SettingError
from daper.core.people import CommandRoute, EmailTarget, MailRoute, Security, SignalTarget, WebhookTarget
from daper.entrypoints.cli.app import run
from daper.entrypoints.worker import outdated, unserved
from daper.settings import Settings, load_settings
from daper.settings.people_file import (
    CommandRouteSection,
    EmailSection,
    MailRouteSection,
    PeopleDocument,
    SignalSection,
    SmtpSection,
    WebhookRouteSection,
    WebhookSection,
)
from daper.settings.policy import SECTIONS, DomainSection, PolicyDocument

DOCS = Path(__file__).parents[2] / "docs"
SMTP = '[smtp]\nhost = "smtp.example.org"\nfrom = "daper@example.org"\n'
HOOK = '[targets.owl]\ntype = "webhook"\nurl = "https://owl.example/planted"\nsecret_env = "OWL_SECRET"\n'


def load(home: Path, toml: str | None, **environ: str) -> Settings:
    if toml is not None:
        (home / "people.toml").write_text(toml, encoding="utf-8")
    return load_settings(environ={"DAPER_HOME": str(home), **environ}, folder=home)


def test_without_a_file_nobody_is_told(tmp_path: Path) -> None:
    settings = load(tmp_path, None)
    assert (dict(settings.people.targets), settings.tell) == ({}, ())


def example() -> str:
    page = (DOCS / "people.md").read_text(encoding="utf-8")
    return page.partition("```toml\n")[2].partition("```")[0]


def test_the_file_in_the_docs_means_what_it_says(tmp_path: Path) -> None:
    settings = load(tmp_path, example(), **{"DAPER_SMTP_PASSWORD": "planted", "DAPER_TELL": "harry, on-call,harry"})
    people = settings.people
    assert isinstance(people.target("harry"), EmailTarget)
    assert isinstance(people.target("on-call"), WebhookTarget)
    assert isinstance(people.target("agent"), SignalTarget)
    assert people.smtp is not None
    assert (people.smtp.port, people.smtp.security) == (587, Security.STARTTLS)
    assert settings.tell == ("harry", "on-call")
    assert people.missing() == {"on-call": "ON_CALL_SECRET"}
    assert "planted" not in repr(settings)
    assert settings.warnings() == ()


def outbox_examples() -> list[str]:
    page = (DOCS / "outbox.md").read_text(encoding="utf-8")
    return [part.partition("```")[0] for part in page.split("```toml\n")[1:]]


def test_each_outbox_in_the_docs_means_what_it_says(tmp_path: Path) -> None:
    mail, webhook, command = (load(tmp_path, example).people for example in outbox_examples())
    assert mail.outbox == {"orders": MailRoute(from_name="Hogwarts supplies", reply_to="help@example.org")}
    assert mail.missing() == {"outbox.orders": "DAPER_SMTP_PASSWORD"}
    assert isinstance(webhook.outbox["orders"], WebhookTarget)
    assert webhook.missing() == {"outbox.orders": "SHOP_SECRET"}
    assert command.outbox == {"orders": CommandRoute(run=("/usr/local/bin/send-message", "--sms"), env=("SMS_TOKEN",))}
    assert command.missing() == {"outbox.orders": "SMS_TOKEN"}
    assert command.targets == {}


def test_a_program_is_beside_the_file_or_where_programs_are(tmp_path: Path) -> None:
    for named, found in (("./send", str(tmp_path / "send")), ("send", "send")):
        people = load(
            tmp_path, f'[outbox.orders]\ntype = "command"\nrun = "{named}"\n', PATH="/bin", LLM_KEY="k"
        ).people
        assert people.outbox == {"orders": CommandRoute(run=(found,))}
        assert dict(people.surroundings) == {"PATH": "/bin"}


def test_implicit_tls_has_its_own_port_and_files_are_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("any")
    smtp = load(tmp_path, f'{SMTP}security = "tls"\nca_file = "ca.pem"\n').people.smtp
    assert smtp is not None
    assert (smtp.port, smtp.ca_file) == (465, tmp_path / "ca.pem")


WRONG = {
    "[smpt]\n": r"there is no section or key 'smpt'; did you mean 'smtp'\?",
    "[targets]\nowl = 1\n": r"targets\.owl is 1; it must be a table, like \[targets\.hagrid\]",
    '[targets."Owl Post"]\ntype = "email"\n': r"targets\.'Owl Post' is no name",
    '[targets.owl]\ntype = "pigeon"\n': r"targets\.owl\.type is 'pigeon'; it must be email or webhook or signal-work",
    "[targets.owl]\n": r"targets\.owl\.type is missing; it must be email or webhook",
    '[targets.owl]\ntype = "email"\nto = "a@example.org"\n': r"no table \[smtp\]; add it",
    f'{SMTP}[targets.owl]\ntype = "email"\nto = "a@b, c@d"\n': r"targets\.owl\.to is 'a@b, c@d'; it must be an address",
    f'{SMTP}[targets.owl]\ntype = "email"\nto = "a@b\\r\\nBcc: c@d"\n': r"targets\.owl\.to is .* an address",
    f'{SMTP}[targets.owl]\ntype = "email"\nto = []\n': r"targets\.owl\.to is \[\]; it must be an address",
    f"{SMTP}port = 70000\n": r"smtp\.port is 70000; it must be a whole number from 1 to 65535",
    f'{SMTP}security = "none"\n': r"smtp\.security is 'none'; it must be starttls or tls",
    f'{SMTP}user = "me"\n': r"smtp\.password_env is missing; it must be the name of the variable",
    f'{SMTP}password_env = "X"\n': r"smtp\.user is missing",
    f'{SMTP}user = "me"\npassword = "planted"\n': r"smtp\.password would hold a secret, .* in smtp\.password_env",
    f'{SMTP}ca_file = "none.pem"\n': r"smtp\.ca_file is 'none\.pem'; it must be a file",
    f"{SMTP}timeout_s = true\n": r"smtp\.timeout_s is true; it must be a whole number from 1 to 60",
    f"{SMTP}helo_name = 'robot'\n": r"smtp\.helo_name is 'robot'; it must be the full name of this machine",
    '[smtp]\nhost = "a b"\nfrom = "x@y.z"\n': r"smtp\.host is 'a b'; it must be the name of a mail server",
    HOOK.replace("https", "http"): r"targets\.owl\.url is wrong \(not shown\); it must be an https:// address",
    HOOK.replace("owl.example", "u:planted@owl.example"): r"targets\.owl\.url is wrong \(not shown\)",
    HOOK.replace("OWL_SECRET", "whsec_planted="): r"targets\.owl\.secret_env is wrong \(not shown\)",
    HOOK + 'secret = "planted"\n': r"targets\.owl\.secret would hold a secret",
    HOOK + "timeout = 3\n": r"\[targets\.owl\] has no key 'timeout'; did you mean 'timeout_s'\?",
    '[targets.owl]\ntype = "signal-workflow"\nworkflow_id = "x"\nname = "__y"\n': r"name is '__y'; it must be the name",
    '[targets.owl]\ntype = "signal-workflow"\nworkflow_id = "WIDE"\nname = "y"\n'.replace(
        "WIDE", "ü" * 600
    ): r"workflow_id is .*; it must be the id of a workflow, of at most 1000 bytes",
    "smtp = 1\n": r"smtp is 1; it must be a table: \[smtp\]",
    "targets = 1\n": r"targets is 1; it must be tables, like \[targets\.hagrid\]",
    "[targets.owl]\ntype = 3\n": r"targets\.owl\.type is 3; it must be email or webhook or signal-workflow",
    '[smtp]\nhosst = "a"\nfrom = "x@y.z"\n': r"\[smtp\] has no key 'hosst'; did you mean 'host'\? there are: host",
    '[smtp]\nhost = "a"\nsender = "x@y.z"\n': r"\[smtp\] has no key 'sender'; .* from, user",
    f"{SMTP}user = 3\n": r"smtp\.user is 3; it must be the name to log in with",
    HOOK.replace("https://", "https://["): r"targets\.owl\.url is wrong \(not shown\)",
    '[outbox.orders]\ntype = "pigeon"\n': r"outbox\.orders\.type is 'pigeon'; it must be email or webhook or command",
    '[outbox.orders]\ntype = "email"\n': r"outbox\.orders is sent by e-mail, but there is no table \[smtp\]; add it",
    f'{SMTP}[outbox.orders]\ntype = "email"\nreply_to = "a@b, c@d"\n': r"outbox\.orders\.reply_to is 'a@b, c@d'",
    f'{SMTP}[outbox.orders]\ntype = "email"\nfrom_name = "a\\r\\nBcc: c@d"\n': r"outbox\.orders\.from_name is ",
    f'{SMTP}[outbox."Or ders"]\ntype = "email"\n': r"outbox\.'Or ders' is no name",
    '[outbox.orders]\ntype = "command"\n': r"outbox\.orders\.run is missing; it must be a program",
    '[outbox.orders]\ntype = "command"\nrun = []\n': r"outbox\.orders\.run is \[\]; it must be a program",
    '[outbox.orders]\ntype = "command"\nrun = "x"\ntimeout_s = 61\n': r"timeout_s is 61; it must be a whole number",
    HOOK.replace("targets.owl", "outbox.orders").replace("https", "http"): r"outbox\.orders\.url is wrong",
    "outbox = 1\n": r"outbox is 1; it must be tables, like \[outbox\.orders\]",
    "no toml": r"the people file .*people\.toml' is not TOML: .*line 1",
}


@pytest.mark.parametrize(("toml", "told"), WRONG.items(), ids=range(len(WRONG)))
def test_what_is_wrong_gives_one_line_with_file_key_and_what_is_right(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(SettingError, match=told) as error:
        load(tmp_path, toml)
    assert "people.toml" in str(error.value)
    assert "\n" not in str(error.value)
    assert "planted" not in str(error.value)


def test_names_that_nobody_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"DAPER_TELL names 'ghost', and there is no such target; .* has: owl"):
        load(tmp_path, HOOK, DAPER_TELL="ghost")
    with pytest.raises(SettingError, match=r"there is no such target; \S*people\.toml names no target$"):
        load(tmp_path, "", DAPER_TELL="ghost")
    with pytest.raises(SettingError, match="DAPER_TELL names 11 targets; at most 10"):
        load(tmp_path, HOOK, DAPER_TELL=",".join(f"owl{number}" for number in range(11)))
    with pytest.raises(SettingError, match=r"DAPER_PEOPLE is 'none\.toml', and there is no such file"):
        load(tmp_path, None, DAPER_PEOPLE="none.toml")


@pytest.mark.parametrize(
    "table",
    [
        PeopleDocument,
        SmtpSection,
        EmailSection,
        WebhookSection,
        SignalSection,
        MailRouteSection,
        WebhookRouteSection,
        CommandRouteSection,
        PolicyDocument,
        DomainSection,
        *SECTIONS.values(),
    ],
)
def test_each_key_of_a_file_says_what_it_must_be(table: type[BaseModel]) -> None:
    """All but the type of a target, which says which table it is."""
    assert [name for name, known in table.model_fields.items() if not known.description and name != "type"] == []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that the commands use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAPER_HOME", str(tmp_path))
    monkeypatch.setenv("USER_NAME", "Harry")
    return tmp_path


def test_the_list_shows_names_and_kinds_and_no_secret(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "people.toml").write_text(example() + HOOK)
    (here / ".env").write_text("DAPER_SMTP_PASSWORD=planted\nDAPER_TELL=harry\n")

    assert run(["people", "list"]) == 0
    shown = capsys.readouterr().out
    assert "harry\temail\tharry@example.org\tDAPER_SMTP_PASSWORD (set)\tby default" in shown
    assert "owl\twebhook\thttps://owl.example/…\tOWL_SECRET (NOT SET)\t" in shown
    assert "agent\tsignal-workflow\tdaper_says of agent-of-hermione\tnone needed\t" in shown
    assert run(["people", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in document["targets"]] == ["agent", "harry", "on-call", "owl"]
    assert document["tell"] == ["harry"]
    assert "planted" not in shown + json.dumps(document)


OUTBOX = """
[outbox.orders]
type = "email"
from_name = "Hogwarts supplies"
reply_to = "help@example.org"
[outbox.shop]
type = "webhook"
url = "https://hooks.example/planted"
secret_env = "SHOP_SECRET"
[outbox.owls]
type = "command"
run = ["/usr/local/bin/send-message", "--token=planted"]
env = ["SMS_TOKEN", "SMS_USER"]
[senders.warehouse]
secret_env = "WAREHOUSE_SECRET"
facts = ["delivered", "paid"]
domain = "orders"
[senders.bank]
secret_env = "BANK_SECRET"
facts = ["paid"]
"""


def test_the_list_shows_what_takes_the_messages_of_records_and_who_tells_facts(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smtp = SMTP + 'user = "daper"\npassword_env = "DAPER_SMTP_PASSWORD"\n'
    (here / "people.toml").write_text(smtp + OUTBOX)
    (here / ".env").write_text("DAPER_SMTP_PASSWORD=planted\nSMS_TOKEN=planted\nBANK_SECRET=planted\n")

    assert run(["people", "list"]) == 0
    shown = capsys.readouterr().out
    assert (
        "outbox.orders\temail\tthe address in each message, answers to help@example.org\tDAPER_SMTP_PASSWORD (set)"
        in shown
    )
    assert "outbox.shop\twebhook\thttps://hooks.example/…\tSHOP_SECRET (NOT SET)" in shown
    assert "outbox.owls\tcommand\t/usr/local/bin/send-message …\tSMS_TOKEN (set), SMS_USER (NOT SET)" in shown
    assert "senders.warehouse\tdelivered, paid\torders\tWAREHOUSE_SECRET (NOT SET)" in shown
    assert "senders.bank\tpaid\tthe configured ones\tBANK_SECRET (set)" in shown
    assert run(["people", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(each["domain"], each["kind"]) for each in document["outbox"]] == [
        ("orders", "email"),
        ("owls", "command"),
        ("shop", "webhook"),
    ]
    assert document["senders"][1] == {
        "name": "warehouse",
        "facts": "delivered, paid",
        "domain": "orders",
        "secret": "WAREHOUSE_SECRET (NOT SET)",
    }
    assert "planted" not in shown + json.dumps(document)


def test_with_nobody_the_list_says_where_to_write_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["people", "list"]) == 0
    assert "write a people.toml in DAPER_HOME" in capsys.readouterr().out


def test_a_test_of_nobody_and_one_without_its_secret_say_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "people.toml").write_text(HOOK)
    assert run(["people", "test", "ghost"]) == 2
    assert "the command line names 'ghost', and there is no such target" in capsys.readouterr().err
    assert run(["people", "test", "owl"]) == 2
    assert "OWL_SECRET is not set" in capsys.readouterr().err
    assert run(["repair", "start", "--tell", "ghost"]) == 2
    assert "--tell names 'ghost'" in capsys.readouterr().err


class _Owl(BaseHTTPRequestHandler):
    """Takes every message."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_a_test_says_what_happened(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Owl)
    url = f"http://127.0.0.1:{server.server_port}/planted"
    (here / "people.toml").write_text(HOOK.replace("https://owl.example/planted", url))
    (here / ".env").write_text(f"OWL_SECRET={SECRET}\n")
    thread = threading.Thread(target=server.handle_request)
    thread.start()

    assert run(["people", "test", "owl"]) == 0
    assert capsys.readouterr().out == "owl (webhook) was told: the server accepted it\n"
    thread.join()
    server.server_close()
    assert run(["people", "test", "owl"]) == 1
    assert capsys.readouterr().err == "daper: owl (webhook) was not told: no answer: Connection refused\n"


def test_the_check_in_the_docs_takes_what_we_sign_and_nothing_else() -> None:
    page = (DOCS / "people.md").read_text(encoding="utf-8")
    namespace: dict[str, object] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], namespace)  # noqa: S102 - what the docs show
    check = namespace["is_from_daper"]
    assert callable(check)
    now = int(namespace["time"].time())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType]  # the module it imports
    key = b"owl post, owl post, owl post"
    for timestamp, body, good in ((now, b"{}", True), (now, b"{ }", False), (now - 400, b"{}", False)):
        signature = sign(key, "id-1", timestamp, b"{}")
        headers = {"webhook-id": "id-1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
        assert check(SECRET, headers, body) is good


def test_a_file_that_changes_comes_or_goes_after_it_was_read_is_told(tmp_path: Path) -> None:
    without = load(tmp_path, None)
    assert not without.people_file.changed
    first = load(tmp_path, HOOK)
    assert without.people_file.changed
    assert not first.people_file.changed
    second = load(tmp_path, SMTP + HOOK + OUTBOX)
    assert first.people_file.changed
    (tmp_path / "people.toml").write_text(HOOK, encoding="utf-8")
    assert not first.people_file.changed, "it is again what was read"
    (tmp_path / "people.toml").unlink()
    assert first.people_file.changed
    assert second.people_file.changed
    (tmp_path / "people.toml").mkdir()
    assert second.people_file.changed


def test_a_worker_says_that_it_goes_by_what_stood_in_the_file_when_it_was_started(tmp_path: Path) -> None:
    settings = load(tmp_path, HOOK)
    assert outdated(settings) == ()
    (tmp_path / "people.toml").write_text(SMTP + HOOK + OUTBOX, encoding="utf-8")
    [told] = outdated(settings)
    assert told.startswith(f"{tmp_path / 'people.toml'} has changed since this worker was started")
    assert told.endswith("end it and start it again")


def test_a_worker_says_at_its_start_which_domains_it_does_not_serve_for_want_of_a_setting(tmp_path: Path) -> None:
    assert unserved(load(tmp_path, None, DAPER_TEMPORAL_RULES="x")) == unserved(load(tmp_path, None))
    [line] = unserved(load(tmp_path, None))
    assert line.startswith("Not served: the domain 'temporal' is there once DAPER_TEMPORAL_")
