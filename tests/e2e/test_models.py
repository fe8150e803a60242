"""Language models from the command line: settings, doctor, a repair with its figures, a worker killed in a call."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from daper.entrypoints.cli.exits import Exit
from tests.cases import cases
from tests.e2e.conftest import Shop
from tests.e2e.shell import Shell, read_line, until
from tests.llm import answers, hostile
from tests.llm.brains import good, mutated
from tests.llm.fake_openai import FakeOpenAI
from tests.llm.mutations import hallucinated_tool, in_role
from tests.llm.wire import Behaviour

GOOD = answers.thinking(good)
KEY = "sk-not-to-be-seen-anywhere"


@contextmanager
def thinking(shop: Shop, behaviour: Behaviour, **more: str) -> Generator[FakeOpenAI]:
    """The shop's commands are configured with a model that answers so."""
    with FakeOpenAI(behaviour) as fake:
        shop.env.update({"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url, "LLM_KEY": KEY, **more})
        yield fake


@contextmanager
def worker(shop: Shop) -> Generator["Popen[str]"]:
    """A worker process that is ready."""
    with shop.running("worker") as process:
        while "Worker ready" not in (line := read_line(process.stderr)):
            assert line, "the worker ended"
        yield process


WRONG = [
    ({"LLM_MODEL": "gpt-4o"}, "'gpt-4o' needs a key: set LLM_KEY, or the provider's own variable ("),
    ({"LLM_MODEL": "openai/gpt-4o"}, "'openai/gpt-4o' needs a key: set LLM_KEY, or the provider's own variable ("),
    ({"LLM_MODEL": "anthropic/claude"}, "'anthropic/claude' needs a key: set LLM_KEY, or the provider's own"),
    ({"LLM_MODEL": "gemini/flash"}, "'gemini/flash' needs a key: set LLM_KEY, or the provider's own variable ("),
    ({"LLM_MODEL": "wizard/merlin", "LLM_KEY": KEY}, "'wizard/merlin' names no provider that is known"),
    ({"LLM_MODEL": "openai/"}, "LLM_MODEL: 'openai/' names no model; write it as openai/gpt-4o"),
    ({"LLM_BASE_URL": "localhost:8080"}, "LLM_BASE_URL must be the address of a server, like http://localhost"),
    ({"LLM_BASE_URL": f"http://me:{KEY}@localhost/v1"}, "LLM_BASE_URL must be the address of a server, like"),
    ({"LLM_BASE_URL": "http://[::1/v1"}, "LLM_BASE_URL must be the address of a server, like"),
    ({"LLM_BASE_URL": "http://localhost:nine/v1"}, "LLM_BASE_URL must be the address of a server, like"),
    (
        {"LLM_MODEL": "openai/gpt", "LLM_KEY": "schlüssel"},
        "'openai/gpt': LLM_KEY holds a character that cannot be sent",
    ),
    ({"DAPER_ON_OUTAGE": "hope"}, "DAPER_ON_OUTAGE is 'hope'; it must be one of: fail, rules"),
    ({"DAPER_LLM_OUTPUT": "xml"}, "DAPER_LLM_OUTPUT is 'xml'; it must be one of: auto, native, tool, prompted"),
    ({"DAPER_MAX_TOKENS_PER_CYCLE": "many"}, "DAPER_MAX_TOKENS_PER_CYCLE is 'many'; it must be a whole number from 0"),
    ({"DAPER_MAX_COST_PER_CYCLE": "-1"}, "DAPER_MAX_COST_PER_CYCLE is '-1'; it must be an amount like 5 or 0.50"),
    ({"DAPER_LLM_BATCH_TOKENS": "3"}, "DAPER_LLM_BATCH_TOKENS is '3'; it must be a whole number from 100 to 1,000,000"),
]


@pytest.mark.parametrize(
    ("wrong", "told"),
    cases(
        {next(reversed(case[0].values()))[:20]: case for case in WRONG},
        quick=["openai/gpt-4o", f"http://me:{KEY}"[:20]],
    ),
)
@pytest.mark.long
def test_a_worker_with_a_wrong_model_ends_at_once_with_one_line(shop: Shop, wrong: dict[str, str], told: str) -> None:
    ran = shop.run("worker", extra=wrong)

    assert ran.code in {Exit.USAGE, Exit.ERROR}
    assert ran.err.startswith(f"daper: {told}")
    assert ran.err.count("\n") == 1
    assert KEY not in ran.err


def test_a_model_plays_no_part_in_a_command_that_only_looks(shell: Shell) -> None:
    """Who starts repairs and looks at records needs no key: the models are the worker's."""
    ran = shell.run("records", "list", extra={"LLM_MODEL": "openai/gpt-4o"})
    assert (ran.code, ran.err) == (Exit.OK, "")


DOCTOR = {
    "good": (GOOD, "ok     ", "answers in "),
    "no schema": (answers.without_response_format(GOOD), "ok     ", "asked in the form 'tool'"),
    "401": (answers.unauthorized, "MISSING", "fake-1 refused the key (HTTP 401: "),
    "404": (answers.model_not_found, "MISSING", "there is no such model there"),
    "essay": (answers.essay, "MISSING", "gave no answer that fits"),
    "a7 no choices": (
        hostile.with_value(GOOD, "choices", []),
        "MISSING",
        "no answer that fits: it has no choice in it",
    ),
    "a7 choices null": (hostile.with_value(GOOD, "choices", None), "MISSING", "it has no choice in it"),
    "a7 error": (hostile.answered('{"error": {"message": "no GPU"}}'), "MISSING", "is broken (HTTP 500: no GPU)"),
    "a7 page": (hostile.answered(hostile.PAGE), "MISSING", "answered with a page"),
    "a7 nothing": (hostile.answered(""), "MISSING", "answered with nothing"),
    "a7 flood": (hostile.flood(64), "MISSING", "sent more than "),
    "a7 bomb": (hostile.bomb(64), "MISSING", "sent more than "),
    "a7 nested": (hostile.nested(100_000), "MISSING", "no answer that fits"),
    "a7 digits": (hostile.with_usage(GOOD, prompt_tokens=10**27), "ok     ", "answers in "),
    "a7 sent on": (hostile.sent_on("http://u:p@x.example"), "MISSING", "sends on to 'http://***@x.example' (HTTP 307)"),
}


@pytest.mark.parametrize(("behaviour", "verdict", "told"), cases(DOCTOR, quick=[]))
def test_doctor_makes_one_cheap_call_of_each_model_and_says_what_it_found(
    shop: Shop, behaviour: Behaviour, verdict: str, told: str
) -> None:
    with thinking(shop, behaviour, DAPER_REPORT_MODEL="rules") as fake:
        ran = shop.run("doctor")

    [line] = [line for line in ran.out.splitlines() if "model fake-1" in line]
    assert line.startswith(f"{verdict} model fake-1, for analyze, plan: ")
    assert told in line
    assert KEY not in ran.out + ran.err
    assert fake.asked[0].tokens < 300
    assert not (shop.home / "daper.db").exists()


NETWORK = {
    "no such file": ({"SSL_CERT_FILE": "/nonexistent"}, "SSL_CERT_FILE is '/nonexistent', and no certificates can be "
     "read there (No such file or directory); correct it, or unset it to take those of the system"),
    "a folder": ({"SSL_CERT_FILE": "/usr"}, "SSL_CERT_FILE is '/usr', and no certificates can be read there ("),
    "no certificates": ({"SSL_CERT_FILE": __file__}, "and no certificates can be read there ("),
    "socks": ({"ALL_PROXY": "socks://u:planted@127.0.0.1:9"}, "ALL_PROXY is 'socks://***@127.0.0.1:9', and cannot be "
     "used (Unknown scheme for proxy URL"),
    "socks, as others write it": ({"all_proxy": "socks://127.0.0.1:9"}, "all_proxy is 'socks://127.0.0.1:9', and "),
    "no port": ({"HTTPS_PROXY": "http://127.0.0.1:nine"}, "HTTPS_PROXY is 'http://127.0.0.1:nine', and cannot be used"),
    "nobody there": ({"HTTP_PROXY": "http://127.0.0.1:9"}, "HTTP_PROXY is set: see that this proxy answers"),
}  # fmt: skip


@pytest.mark.parametrize(("network", "told"), cases(NETWORK, quick=["no such file", "socks"]))
def test_a12_doctor_names_the_variable_of_certificates_or_a_proxy_that_is_wrong(
    shop: Shop, network: dict[str, str], told: str
) -> None:
    with thinking(shop, GOOD, **network):
        ran = shop.run("doctor")

    [line] = [line for line in ran.out.splitlines() if "model fake-1" in line]
    assert line.startswith("MISSING model fake-1")
    assert told in line
    assert "planted" not in ran.out + ran.err
    assert "Traceback" not in ran.err


def test_a12_a_worker_ends_with_one_line_that_names_the_variable(shop: Shop) -> None:
    extra = {"LLM_MODEL": "fake-1", "LLM_BASE_URL": "http://127.0.0.1:9/v1", "ALL_PROXY": "socks://u:planted@x:1"}
    ran = shop.run("worker", extra=extra)

    assert ran.code == Exit.ERROR
    assert ran.err.startswith("daper: fake-1: ALL_PROXY is 'socks://***@x:1', and cannot be used (")
    assert ran.err.count("\n") == 1
    assert "planted" not in ran.err


@pytest.mark.long
def test_a_repair_shows_who_thinks_what_it_took_and_what_was_refused(shop: Shop) -> None:
    brain = mutated(good, in_role("plan", hallucinated_tool("issue_refund", amount=10**6)))
    with thinking(shop, answers.thinking(brain)), worker(shop):
        started = shop.run("repair", "start", "--auto-approve")
        repair_id = started.value("started with ID:")
        document = shop.run("repair", "show", repair_id, "--json").document()
        report = shop.run("repair", "report", repair_id)
        listed = shop.run("repair", "report", repair_id, "--format", "html")

    assert started.code == Exit.OK  # what was refused is told; what has to be done is done
    assert "blocked: there is no tool 'issue_refund'; the tools are: " in started.out
    assert "(proposed by fake-1)" in started.out
    assert "In the words of fake-1: " in started.out
    assert "Language models took " in started.out
    assert document["thinkers"] == {"detect": "rules", "analyze": "fake-1", "plan": "fake-1", "report": "fake-1"}
    assert document["usage"]["total"]["calls"] == 4  # the plan was sent back once
    assert document["usage"]["by_role"].keys() == {"analyze", "plan", "report"}
    assert document["usage"]["by_record"].keys() == {"ORD-001-HJP", "ORD-002-HJG", "ORD-003-RBW", "ORD-004-RHG"}
    assert document["report"]["tokens"] == sum(
        document["usage"]["total"][kind] for kind in ("input_tokens", "output_tokens")
    )
    for text in (report.out, listed.out):
        assert "What language models took" in text
        assert "issue_refund" in text
        assert "In the words of fake-1" in text
    kept = [path for path in shop.home.rglob("*") if path.is_file()]
    transcripts = [path for path in kept if "transcripts" in path.parts]
    assert len(transcripts) == 4
    assert all(json.loads(path.read_text("utf-8")) for path in transcripts)
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


@pytest.mark.long
def test_d10_d11_a_worker_killed_in_a_call_leaves_it_counted_and_the_next_one_asks_again(shop: Shop) -> None:
    behaviour = answers.in_turn(GOOD, answers.hanging(GOOD), GOOD)
    with thinking(shop, behaviour, DAPER_REPORT_MODEL="rules") as fake:
        with worker(shop) as first:
            repair_id = shop.run("repair", "start", "--auto-approve", "--no-wait").value("started with ID:")
            until(lambda: fake.count == 2, what="the second call")
            first.kill()
            first.wait()
        with worker(shop):
            shown = shop.run("repair", "show", repair_id, "--follow", "--json")

    document = shown.document()
    assert (document["phase"], document["counts"]["applied"]) == ("REPORT-COMPLETED", 4)
    # The analysis was answered and is not asked for again; the plan is, and the lost call counts too.
    assert ["Role: analyze" in asked.system for asked in fake.asked] == [True, False, False]
    assert (document["usage"]["total"]["calls"], document["usage"]["total"]["uncertain"]) == (3, 1)
    assert document["usage"]["by_role"]["plan"]["calls"] == 2


@pytest.mark.long
def test_the_demo_asks_no_model_whatever_is_configured(shell: Shell, tmp_path: Path) -> None:
    with FakeOpenAI(GOOD) as fake:
        extra = {"LLM_MODEL": "fake-1", "LLM_BASE_URL": fake.url, "LLM_KEY": KEY}
        ran = shell.run("demo", "--auto-approve", "--json", extra=extra)

    assert (ran.code, fake.count) == (Exit.OK, 0)
    assert set(ran.document()["thinkers"].values()) == {"rules"}
