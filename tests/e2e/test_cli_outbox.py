"""`daper records outbox`: what lies there is sent, or a person says what it is; killed, nothing is sent twice."""

import json
import sys
import textwrap
from pathlib import Path

import pytest

from daper.core.outbox import MessageState
from tests.e2e.shell import Ran, Shell
from tests.unit.orders_shop import EGG, own_shop


@pytest.fixture
async def shell(tmp_path: Path) -> Shell:
    """A home with own orders, and one message in its outbox."""
    shell = Shell(root=tmp_path)
    (shell.home / "data").mkdir(parents=True)
    shop = await own_shop(shell.home / "data" / "orders")
    assert (await shop.run("request_approval", EGG)).messages == 1
    return shell


def program(shell: Shell, body: str) -> None:
    """What takes the messages: a program that notes each run."""
    file = shell.home / "send.py"
    noted = f"import json, os, sys; json.load(sys.stdin); open({str(shell.home / 'runs')!r}, 'a').write('run\\n')\n"
    file.write_text(noted + textwrap.dedent(body), encoding="utf-8")
    run = json.dumps([sys.executable, str(file)])
    (shell.home / "people.toml").write_text(f'[outbox.orders]\ntype = "command"\nrun = {run}\n', encoding="utf-8")


def runs(shell: Shell) -> int:
    file = shell.home / "runs"
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


def state(ran: Ran) -> str:
    return ran.document()["messages"][0]["state"]


def test_the_list_and_one_message_with_its_text(shell: Shell) -> None:
    listed = shell.run("records", "outbox")
    assert listed.code == 0
    assert listed.out.splitlines()[0].split("\t")[:3] == ["number", "state", "record"]
    assert listed.out.splitlines()[1].split("\t")[:3] == ["1", "written", "ORD-004-RHG"]
    one = shell.run("records", "outbox", "1").out
    assert "Message 1 of ORD-004-RHG: written to the outbox, not sent" in one
    assert "To: approve-orders@diagonalley.co.uk" in one
    assert one.splitlines()[-1] == "Please approve one egg."
    assert shell.run("records", "outbox", "--state", "sent").out == "There is no such message in the outbox.\n"
    assert "there is no message 2" in shell.run("records", "outbox", "2").err
    assert shell.run("records", "outbox", "--send").code == 2


def test_with_nothing_that_sends_it_it_says_what_to_write_where(shell: Shell) -> None:
    ran = shell.run("records", "outbox", "1", "--send")
    assert ran.code == 3
    assert "people.toml has no table [outbox.orders]" in ran.out


def test_what_was_refused_is_sent_once_it_is_mended(shell: Shell) -> None:
    program(shell, "sys.exit(69)")
    refused = shell.run("records", "outbox", "1", "--send", "--json")
    assert (refused.code, state(refused)) == (3, MessageState.REFUSED)
    program(shell, "sys.exit(0)")
    sent = shell.run("records", "outbox", "1", "--send", "--json")
    assert (sent.code, state(sent)) == (0, MessageState.SENT)
    again = shell.run("records", "outbox", "1", "--send")
    assert (again.code, runs(shell)) == (1, 2)
    assert "it is not sent again" in again.err


def test_a_sender_that_is_killed_while_it_sends_leaves_it_unknown_until_a_person_says_what_it_is(shell: Shell) -> None:
    program(shell, "os.kill(os.getppid(), 9)")
    assert shell.run("records", "outbox", "1", "--send").code == -9
    assert state(shell.run("records", "outbox", "1", "--json")) == MessageState.UNKNOWN

    again = shell.run("records", "outbox", "1", "--send")
    assert (again.code, runs(shell)) == (1, 1)
    assert "may have gone" in again.err

    assert state(shell.run("records", "outbox", "1", "--not-sent", "--json")) == MessageState.WRITTEN
    program(shell, "sys.exit(0)")
    assert state(shell.run("records", "outbox", "1", "--send", "--json")) == MessageState.SENT
    assert runs(shell) == 2


def test_what_a_person_sent_by_hand_is_sent_and_says_by_whom(shell: Shell) -> None:
    done = shell.run("records", "outbox", "1", "--sent-by-hand", extra={"USER_NAME": "Ron"})
    assert "sent (by hand, says Ron)" in done.out
    assert shell.run("records", "outbox", "1", "--sent-by-hand").code == 1
