"""The policy as a person writes it: what a file may say, what a wrong one says, and what is shown of it."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from daper_alerts import Alerts

from daper.bootstrap import times_of
from daper.core.errors import SettingError
from daper.core.models import IdentityProof, Person, Risk
from daper.core.policy import Alone, ApprovalPolicy
from daper.core.proactive import PROACTIVE_TIMEOUT, ProactiveRequest
from daper.core.spans import parse_span, written_span
from daper.entrypoints.checks.policy import policy_notes
from daper.entrypoints.cli.app import run
from daper.service.requests import StartProactive, StartRepair, Times
from daper.service.schedule_orders import PutSchedule
from daper.settings import Settings, load_settings, policy_document, policy_rows, read_policy
from daper.settings.policy import SECTIONS, PolicyDocument

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
HARRY = Person(name="Harry", how=IdentityProof.OS_USER)
HOUR = timedelta(hours=1)

ALL = """
[grant]
max_risk = "low"
min_confidence = 0.75
max_actions = 7
max_spend = 12.50

[alone]
min_confidence = 1
max_actions = 3
max_spend = 100
max_share = 0.25

[alone.allow]
request_approval = ["restricted-without-approval", "other"]

[time]
approval_timeout = "8h"
decision_valid_for = "30m"
reminders = [0.25, 0.75]

[people]
tell = ["owls", "floo-network"]
"""


def written(folder: Path, text: str, name: str = "policy.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, **environ: str) -> Settings:
    return load_settings(environ={"HOME": str(folder), "DAPER_HOME": str(folder), **environ}, folder=folder)


def test_without_a_file_everything_is_as_it_was(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert settings.policy == ApprovalPolicy() == PolicyDocument().policy()
    assert settings.policy.alone is None
    assert str(settings.policy_source) == f"the defaults; there is no {tmp_path / 'policy.toml'}"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read_policy(written(tmp_path, "")).policy() == ApprovalPolicy()


PEOPLE = """
[targets.owls]
type = "signal-workflow"
workflow_id = "owlery"
name = "told"

[targets.floo-network]
type = "signal-workflow"
workflow_id = "hearth"
name = "told"
"""


def test_whom_a_policy_names_must_be_known(tmp_path: Path) -> None:
    written(tmp_path, ALL)

    with pytest.raises(SettingError, match=r"people\.tell of the policy names 'owls', and there is no such target"):
        load(tmp_path)


def test_a_file_may_say_all_of_it(tmp_path: Path) -> None:
    written(tmp_path, ALL)
    written(tmp_path, PEOPLE, "people.toml")
    settings = load(tmp_path)

    assert settings.tell == ("owls", "floo-network")
    assert load(tmp_path, DAPER_TELL="owls").tell == ("owls",)
    assert settings.policy == ApprovalPolicy(
        auto_max_risk=Risk.LOW,
        auto_min_confidence=0.75,
        auto_max_actions=7,
        auto_max_spend=Decimal("12.50"),
        alone=Alone(
            min_confidence=1.0,
            max_actions=3,
            max_spend=Decimal(100),
            max_share=Decimal("0.25"),
            allow={"request_approval": ("restricted-without-approval", "other")},
        ),
        approval_timeout=8 * HOUR,
        decision_valid_for=HOUR / 2,
        reminders=(0.25, 0.75),
        tell=("owls", "floo-network"),
    )


def test_what_is_shown_as_a_document_is_what_a_file_may_say(tmp_path: Path) -> None:
    document = policy_document(read_policy(written(tmp_path, ALL)).policy())

    assert [*document, "domains"] == [*SECTIONS, "domains"] == list(PolicyDocument.model_fields)
    for section, values in document.items():
        assert values is not None
        assert list(values) == list(SECTIONS[section].model_fields)
    assert document["time"] == {"approval_timeout": "8h", "decision_valid_for": "30m", "reminders": [0.25, 0.75]}


def test_the_file_that_is_named_counts_and_not_that_in_the_home(tmp_path: Path) -> None:
    written(tmp_path, "[grant]\nmax_actions = 1\n")
    written(tmp_path, "[grant]\nmax_actions = 2\n", "other.toml")

    settings = load(tmp_path, DAPER_POLICY="other.toml")

    assert settings.policy.auto_max_actions == 2
    assert str(settings.policy_source) == f"{tmp_path / 'other.toml'} (DAPER_POLICY)"
    assert str(load(tmp_path).policy_source) == f"{tmp_path / 'policy.toml'} (in DAPER_HOME)"


def test_the_policy_can_be_read_again(tmp_path: Path) -> None:
    source = load(tmp_path).policy_source
    assert source.read().alone is None
    written(tmp_path, "[alone]\n")
    assert source.read().alone == Alone()
    (tmp_path / "policy.toml").unlink()
    assert source.read().alone is None


SPAN = 'it must be a time like "30s", "15m", "12h" or "2d", at most "365d"'
COUNT = "it must be a whole number from 0 to 500"
MONEY = "it must be an amount from 0 to 1,000,000,000"
REMINDERS = "it must be a list of at most 5 rising numbers between 0 and 1, like [0.5]; [] for none"
TABLE = 'it must be a table of lists, like request_approval = ["restricted-without-approval"]'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[alon]", "there is no section or key 'alon'; did you mean 'alone'? there are: grant, alone, time, people"),
        ("max_risk = 1", "there is no section or key 'max_risk'; there are: grant, alone, time, people"),
        ("[grant]\nmax_rsk = 1", "[grant] has no key 'max_rsk'; did you mean 'max_risk'? there are: max_risk, min_"),
        ("[alone]\nmax_risk = 'high'", "[alone] has no key 'max_risk'; "),
        ("grant = 3", "grant is 3; it must be a table: [grant]"),
        ("alone = true", "alone is true; it must be a table: [alone]"),
        ("[grant]\nmax_risk = 'tiny'", "grant.max_risk is 'tiny'; it must be low, medium or high"),
        ("[grant]\nmax_risk = 1", "grant.max_risk is 1; it must be low, medium or high"),
        ("[grant]\nmax_actions = 1.5", f"grant.max_actions is 1.5; {COUNT}"),
        ("[grant]\nmax_actions = true", f"grant.max_actions is true; {COUNT}"),
        ("[grant]\nmax_actions = '5'", f"grant.max_actions is '5'; {COUNT}"),
        ("[grant]\nmax_actions = -1", f"grant.max_actions is -1; {COUNT}"),
        ("[grant]\nmax_actions = 501", f"grant.max_actions is 501; {COUNT}"),
        ("[grant]\nmax_spend = nan", f"grant.max_spend is NaN; {MONEY}"),
        ("[grant]\nmax_spend = inf", f"grant.max_spend is Infinity; {MONEY}"),
        ("[grant]\nmax_spend = -0.01", f"grant.max_spend is -0.01; {MONEY}"),
        ("[grant]\nmin_confidence = 95", "grant.min_confidence is 95; it must be a number from 0 to 1"),
        (
            "[alone]\nmin_confidence = 0.94",
            "alone.min_confidence is 0.94; it must be a number from 0.95 to 1: this can only be raised",
        ),
        ("[alone]\nmax_share = 20", "alone.max_share is 20; it must be a number from 0 to 1, like 0.2 for a fifth"),
        ("[alone]\nallow = ['hold_order']", f"alone.allow is ['hold_order']; {TABLE}"),
        ("[alone.allow]\nhold_order = 'all'", f"alone.allow.hold_order is 'all'; {TABLE}"),
        ("[alone.allow]\nhold_order = [1]", f"alone.allow.hold_order.0 is 1; {TABLE}"),
        ("[time]\napproval_timeout = 12", f"time.approval_timeout is 12; {SPAN}"),
        ("[time]\ndecision_valid_for = '0s'", f"time.decision_valid_for is '0s'; {SPAN}"),
        ("[time]\nreminders = 0.5", f"time.reminders is 0.5; {REMINDERS}"),
        ("[time]\nreminders = [0.5, 0.5]", f"time.reminders is [0.5, 0.5]; {REMINDERS}"),
        ("[time]\nreminders = [1]", f"time.reminders is [1]; {REMINDERS}"),
        ("[time]\nreminders = [nan]", f"time.reminders.0 is NaN; {REMINDERS}"),
        (
            "[people]\ntell = 'owls'",
            "people.tell is wrong (not shown); it must be a list of at most 20 different names",
        ),
    ],
    ids=lambda value: value.replace("\n", " ") if value.isascii() else None,
)
def test_a_wrong_value_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(SettingError) as caught:
        read_policy(path)

    assert str(caught.value).startswith(f"the policy {str(path)!r}: {told}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["ginny@example.org", "https://hooks.example/T0/secret-key", "Owls", "owls owls"])
def test_an_address_is_no_name_and_is_not_repeated(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingError, match="no addresses") as caught:
        read_policy(written(tmp_path, f"[people]\ntell = [{json.dumps(address)}]"))

    assert address not in str(caught.value)


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"is not TOML: .*line 2"):
        read_policy(written(tmp_path, "[grant]\nmax_risk = low\n"))
    with pytest.raises(SettingError, match=r"is not TOML: .*line 3"):
        read_policy(written(tmp_path, "[grant]\nmax_risk = 'low'\nmax_risk = 'high'\n"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name, told in (("none.toml", "No such file"), (".", "it is a folder"), ("binary.toml", "is not UTF-8 text")):
        with pytest.raises(SettingError, match=told) as caught:
            load(tmp_path, DAPER_POLICY=name)
        assert repr(str((tmp_path / name).absolute())) in str(caught.value)


def test_times_of_the_policy_are_defaults_and_the_most(tmp_path: Path) -> None:
    written(tmp_path, '[time]\napproval_timeout = "8h"\ndecision_valid_for = "30m"\n')

    silent, shorter, longer = (
        load(tmp_path, **environ)
        for environ in (
            {},
            {"DAPER_APPROVAL_TIMEOUT": "1h", "DAPER_DECISION_VALID_FOR": "1m"},
            {"DAPER_APPROVAL_TIMEOUT": "2d", "DAPER_DECISION_VALID_FOR": "2h"},
        )
    )

    assert (silent.approval_timeout, silent.decision_valid_for) == (8 * HOUR, HOUR / 2)
    assert (shorter.approval_timeout, shorter.decision_valid_for) == (HOUR, HOUR / 60)
    assert (longer.approval_timeout, longer.decision_valid_for) == (8 * HOUR, HOUR / 2)
    repair = StartRepair(requested_by=HARRY, domain="orders", approval_timeout=30 * HOUR).under(
        silent.policy, times_of(silent)
    )
    agent = StartProactive(requested_by=HARRY, domain="orders").under(silent.policy, times_of(silent))
    assert repair.approval_timeout == agent.approval_timeout == 8 * HOUR
    assert (repair.policy, repair.decision_valid_for) == (silent.policy, HOUR / 2)


def test_an_order_that_says_no_time_takes_that_of_the_service_whoever_gives_it(tmp_path: Path) -> None:
    written(tmp_path, '[time]\napproval_timeout = "8h"\n')
    settings = load(tmp_path, DAPER_APPROVAL_TIMEOUT="2h", DAPER_DECISION_VALID_FOR="1m")
    policy, times = settings.policy, times_of(settings)

    repair = StartRepair(requested_by=HARRY, domain="orders")
    scheduled = PutSchedule(requested_by=HARRY, domain="orders").repair
    agent = StartProactive(requested_by=HARRY, domain="orders")

    assert [each.under(policy, times).approval_timeout for each in (repair, scheduled)] == [2 * HOUR, 2 * HOUR]
    assert agent.under(policy, times).approval_timeout == 8 * HOUR
    assert agent.under(ApprovalPolicy(), times).approval_timeout == PROACTIVE_TIMEOUT
    assert {each.under(policy, times).decision_valid_for for each in (repair, scheduled, agent)} == {HOUR / 60}


@pytest.mark.parametrize("text", ["30s", "15m", "12h", "2d", "90m", "365d"])
def test_a_time_is_written_as_it_may_be_read(text: str) -> None:
    span = parse_span(text)

    assert span is not None
    assert written_span(span) == text


def test_a_policy_that_waits_longer_than_the_default_is_heard() -> None:
    policy = ApprovalPolicy(approval_timeout=48 * HOUR)

    assert policy.waits(None, 20 * HOUR) == 48 * HOUR
    assert policy.waits(30 * HOUR, 20 * HOUR) == 30 * HOUR
    assert ApprovalPolicy().waits(None, 20 * HOUR) == 20 * HOUR
    assert policy.reminders_within(48 * HOUR) == (24 * HOUR,)


def test_a_request_of_an_earlier_release_decodes_and_lets_nothing_run_alone() -> None:
    """Histories hold policies without the new fields, and agents without any policy."""
    old = {"auto_max_risk": "low", "auto_min_confidence": 0.5, "auto_max_actions": 50, "auto_max_spend": "10000"}
    policy = ApprovalPolicy.model_validate(old)
    agent = ProactiveRequest.model_validate(
        {"requested_by": HARRY, "domain": "orders", "store_id": "s", "activity_queue": "q"}
    )

    assert (policy.auto_max_risk, policy.alone, policy.approval_timeout) == (Risk.LOW, None, None)
    assert agent.policy.alone is None


def test_a_policy_crosses_temporal_unchanged(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, ALL)).policy()

    assert ApprovalPolicy.model_validate_json(policy.model_dump_json()) == policy


def test_the_docs_have_every_key_with_its_default_and_meaning_and_no_other() -> None:
    told = re.findall(
        r"^\| `(\w+\.\w+)` \| `?([^|`]+)`? \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert told == list(policy_rows(ApprovalPolicy(alone=Alone())))


def test_the_example_in_the_docs_can_be_used(tmp_path: Path) -> None:
    example, *others = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for other in others:
        assert read_policy(written(tmp_path, other)).policy() != ApprovalPolicy()

    policy = read_policy(written(tmp_path, example)).policy()

    assert policy.alone is not None
    assert policy.alone.allow == {"request_approval": ("restricted-without-approval",)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any configuration, which commands look into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAPER_HOME", str(tmp_path))
    monkeypatch.delenv("DAPER_POLICY", raising=False)
    return tmp_path


def test_the_command_shows_each_key_and_where_it_comes_from(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(home, "[alone]\nmax_share = 0.5\n[alone.allow]\nrequest_approval = ['restricted-without-approval']\n")

    assert run(["policy", "show"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Policy: {home / 'policy.toml'} (in DAPER_HOME)"
    assert lines[1].split("\t") == ["key", "value", "what it is"]
    shown = {line.split("\t")[0]: line.split("\t")[1] for line in lines[2:]}
    assert shown["alone.max_share"] == "0.5"
    assert shown["alone.allow"] == "request_approval: restricted-without-approval"
    assert shown["time.approval_timeout"] == "-"


def test_the_command_says_that_nothing_runs_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "show"]) == 0
    assert "alone\t-\tThe proactive agent does nothing alone" in capsys.readouterr().out

    assert run(["policy", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["file"], document["policy"]["alone"], document["notes"]) == (None, None, [])


def test_a_file_is_looked_over_with_notes_on_what_it_allows_in_vain(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    allowed = "order_inventory = []\nrequest_aproval = []\nhold_order = ['unknown-item', 'unknown-itm']\n"
    path = written(home, f"[alone.allow]\n{allowed}", "draft.toml")

    assert run(["policy", "check", str(path)]) == 0

    can, *notes = capsys.readouterr().out.splitlines()
    assert can.startswith(f"{path} can be used; ")
    assert "order_inventory is of medium risk, and nothing above low risk runs alone" in notes[0]
    assert "no domain has a tool 'request_aproval'; the tools are: " in notes[1]
    assert "no domain with that tool has a kind of problem 'unknown-itm'" in notes[2]


def test_a_wrong_file_is_one_line_and_a_usage_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(home, "[grant]\nmax_rsk = 'low'\n")

    for command in (["policy", "check", str(path)], ["policy", "show"], ["repair", "start"]):
        assert run(command) == 2
        assert f"daper: the policy {str(path)!r}: [grant] has no key 'max_rsk'" in capsys.readouterr().err


def test_a_link_that_leads_nowhere_is_not_as_if_there_were_no_policy(tmp_path: Path) -> None:
    """The file it once led to may have been stricter than the defaults."""
    (tmp_path / "policy.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(SettingError, match=r"cannot read the policy .*policy\.toml"):
        load_settings(environ={"DAPER_HOME": str(tmp_path)}, folder=tmp_path)


DOMAINS = (
    ALL
    + """
[domains.payments.grant]
max_risk = "medium"

[domains.payments.people]
passkey_from = "high"

[domains.alerts.alone]
max_actions = 9
"""
)


def test_a_domain_says_otherwise_key_by_key(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, DOMAINS)).policy()

    whole, payments, alerts = policy.of("orders"), policy.of("payments"), policy.of("alerts")
    assert whole.domains == payments.domains == {}
    assert whole == read_policy(written(tmp_path, ALL)).policy()
    assert payments == whole.model_copy(update={"auto_max_risk": Risk.MEDIUM, "passkey_from": Risk.HIGH})
    assert whole.alone is not None
    assert alerts == whole.model_copy(update={"alone": whole.alone.model_copy(update={"max_actions": 9})})


def test_where_one_domain_alone_may_act_alone_no_other_does(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, '[domains.payments.alone.allow]\nclose = ["gone"]\n')).policy()

    assert policy.of("orders").alone is None
    assert policy.of("payments").alone == Alone(allow={"close": ("gone",)})


def test_what_differs_for_a_domain_is_listed_and_one_that_is_not_there_is_noted(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, DOMAINS)).policy()

    assert {key: value for key, value, _ in policy_rows(policy) if key.startswith("domains.")} == {
        "domains.payments.grant.max_risk": "medium",
        "domains.payments.people.passkey_from": "high",
        "domains.alerts.alone.max_actions": "9",
    }
    notes = policy_notes(policy, {"payments": Alerts(tmp_path, [])})
    assert "domains.alerts: there is no domain 'alerts'; the domains are: payments" in notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[domains.payments.grant]\nmax_risk = "none"', "domains.payments.grant.max_risk"),
        ("[domains.payments.grants]", r"\[domains\.payments\] has no key 'grants'"),
        ('[domains.payments.people]\ntell = ["owls"]', r"\[domains\.payments\.people\] has no key 'tell'"),
        ("[domains]\npayments = 1", "domains.payments"),
        ('[domains."no name".grant]', "domains"),
    ],
)
def test_what_a_domain_may_not_say_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        read_policy(written(tmp_path, text))


def test_an_order_is_under_what_its_domain_says() -> None:
    times = Times(approval_timeout=12 * HOUR, decision_valid_for=HOUR)
    payments = ApprovalPolicy(auto_max_actions=3, approval_timeout=2 * HOUR)
    policy = ApprovalPolicy(domains={"payments": payments})
    mine = StartRepair(requested_by=Person(name="Harry"), domain="payments").under(policy, times)
    assert (mine.policy, mine.approval_timeout) == (payments, 2 * HOUR)
    other = StartRepair(requested_by=Person(name="Harry"), domain="orders").under(policy, times)
    assert (other.policy, other.approval_timeout) == (ApprovalPolicy(), 12 * HOUR)
    agent = StartProactive(requested_by=Person(name="Harry"), domain="payments").under(policy, times)
    assert agent.approval_timeout == 2 * HOUR
