"""What may be configured, where it comes from, and what a wrong value says."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from daper.bootstrap import open_domains
from daper.core.errors import SettingError
from daper.core.models import IdentityProof, Person
from daper.settings import ChatApproval, Settings, Shown, every_setting, load_settings, shown_settings

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load with nothing configured but what the test gives, in an empty folder and an empty home."""

    def loaded(**environ: str) -> Settings:
        return load_settings(environ={"HOME": str(tmp_path), "DAPER_HOME": str(tmp_path), **environ}, folder=tmp_path)

    return loaded


def row(name: str, folder: Path, **environ: str) -> Shown:
    return next(row for row in shown_settings(environ=environ, folder=folder) if row.name == name)


def test_without_any_configuration_everything_has_its_default(tmp_path: Path) -> None:
    settings = load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path)

    assert settings.home == tmp_path / ".daper"
    assert settings.user
    assert settings.task_queue == "agent-repair-task-queue"
    assert settings.domain == "orders"
    assert settings.approval_timeout == timedelta(hours=12)
    assert settings.decision_valid_for == timedelta(hours=1)
    assert (settings.address, settings.address_source) == ("localhost:7233", "default")
    assert settings.namespace == "default"
    assert settings.temporal == {}
    assert settings.domain_options("orders") == {}
    assert settings.warnings() == ()


def test_the_environment_wins_over_dotenv_and_dotenv_over_defaults(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("USER_NAME=Dobby\nDAPER_DOMAIN=alerts\nTEMPORAL_ADDRESS=a.example:1\n")

    settings = load(USER_NAME="Winky")

    assert (settings.user, settings.domain, settings.address) == ("Winky", "alerts", "a.example:1")
    assert row("USER_NAME", tmp_path, USER_NAME="Winky").source == "environment"
    assert row("DAPER_DOMAIN", tmp_path).source == ".env"
    assert row("DAPER_HOME", tmp_path).source == "default"


def test_an_empty_value_counts_as_not_set_and_still_wins_over_dotenv(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TEMPORAL_API_KEY=\nDAPER_APPROVAL_TIMEOUT=1m\n")

    settings = load(DAPER_APPROVAL_TIMEOUT="", DAPER_ORDERS_APPROVERS=" ")

    assert settings.temporal == {}
    assert settings.approval_timeout == timedelta(hours=12)
    assert settings.domain_options("orders") == {}


def test_the_process_environment_and_the_current_folder_are_what_counts_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DAPER_DOMAIN=alerts\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER_NAME", "Winky")

    settings = load_settings()

    assert (settings.user, settings.domain) == ("Winky", "alerts")


def test_the_user_is_the_operating_systems_whatever_the_environment_says(tmp_path: Path) -> None:
    claims = {"USER": "albus", "LOGNAME": "albus", "HOME": str(tmp_path)}
    settings = load_settings(environ=claims, folder=tmp_path)

    assert settings.person == Person(name=pwd.getpwuid(os.getuid()).pw_name, how=IdentityProof.OS_USER)


def test_a_name_that_is_set_is_a_claim(load: Load) -> None:
    assert load(USER_NAME="Albus").person == Person(name="Albus", how=IdentityProof.CLAIMED)


def test_a_user_that_the_operating_system_does_not_know_is_operator(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> pwd.struct_passwd:
        raise KeyError("no such uid")

    monkeypatch.setattr("pwd.getpwuid", nobody)

    assert load().person == Person(name="operator", how=IdentityProof.CLAIMED)


def test_a_dotenv_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DAPER_MCP_APPROVAL=client\nUSER_NAME=albus\nTEMPORAL_ADDRESS=evil.example:7233\n")
    environ = {"HOME": str(tmp_path)}

    assert load_settings(environ=environ, folder=tmp_path).chat_approval is ChatApproval.CLIENT
    settings = load_settings(environ=environ, folder=tmp_path, dotenv=False)
    assert (settings.chat_approval, settings.address) == (ChatApproval.ELICIT, "localhost:7233")
    assert settings.user != "albus"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("2d", timedelta(days=2)),
    ],
)
def test_a_time_is_a_number_and_a_unit(load: Load, text: str, span: timedelta) -> None:
    assert load(DAPER_APPROVAL_TIMEOUT=text).approval_timeout == span


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        ("DAPER_APPROVAL_TIMEOUT", "soon", "a time like 30s, 15m, 12h or 2d, at most 365d"),
        ("DAPER_APPROVAL_TIMEOUT", "12", "a time like"),
        ("DAPER_APPROVAL_TIMEOUT", "-1h", "a time like"),
        ("DAPER_APPROVAL_TIMEOUT", "0s", "a time like"),
        ("DAPER_DECISION_VALID_FOR", "366d", "a time like"),
        ("DAPER_DECISION_VALID_FOR", "999999999d", "a time like"),
        ("DAPER_DOMAIN", "../orders", "the name of a domain, for example orders"),
        ("TEMPORAL_ADDRESS", "localhost", "host:port, for example localhost:7233"),
        ("TEMPORAL_ADDRESS", "http://localhost:7233", "host:port"),
        ("TEMPORAL_ADDRESS", "localhost:70000", "host:port"),
        ("TEMPORAL_TLS", "maybe", "true or false"),
        ("TEMPORAL_CONFIG_FILE", "/no/such.toml", "there is no such file"),
        ("USER_NAME", "Dobby\x1b[31m", "printable"),
        ("TEMPORAL_TASK_QUEUE", "q" * 201, "at most 200"),
    ],
)
def test_a_wrong_value_gives_one_line_with_variable_value_and_what_is_right(
    load: Load, variable: str, value: str, right: str
) -> None:
    with pytest.raises(SettingError) as caught:
        load(**{variable: value})

    said = str(caught.value)
    assert said.startswith(f"{variable} is {value[:60]!r}")
    assert right in said
    assert "\n" not in said
    assert "\x1b" not in said


def test_a_dotenv_that_is_no_text_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"USER_NAME=\xff\xfe\n")

    with pytest.raises(SettingError, match=r"cannot read '.*\.env': it is not UTF-8 text"):
        load()


def test_home_may_be_relative_or_begin_with_a_tilde(tmp_path: Path) -> None:
    def home(value: str, **environ: str) -> Path:
        return load_settings(environ={"DAPER_HOME": value, **environ}, folder=tmp_path).home

    assert home("state") == tmp_path / "state"
    assert home("~/state", HOME="/home/dobby") == Path("/home/dobby/state")
    assert home("~/state") == Path.home() / "state"


def test_home_of_a_user_who_is_not_there_is_refused(load: Load) -> None:
    with pytest.raises(SettingError, match="DAPER_HOME is '~nobody-by-that-name/x', which names no home folder"):
        load(DAPER_HOME="~nobody-by-that-name/x")


def test_the_short_names_of_certificate_and_key_become_the_official_ones(load: Load) -> None:
    settings = load(TEMPORAL_TLS_CERT="c.pem", TEMPORAL_TLS_KEY="k.pem", TEMPORAL_TLS_CLIENT_KEY_PATH="k.pem")

    assert settings.temporal == {
        "TEMPORAL_TLS_CLIENT_CERT_PATH": "c.pem",
        "TEMPORAL_TLS_CLIENT_KEY_PATH": "k.pem",
    }


def test_two_names_for_one_thing_with_different_values_are_refused(load: Load) -> None:
    with pytest.raises(SettingError, match=r"TEMPORAL_TLS_CERT is 'a', but TEMPORAL_TLS_CLIENT_CERT_PATH is 'b'"):
        load(TEMPORAL_TLS_CERT="a", TEMPORAL_TLS_CLIENT_CERT_PATH="b")


def test_the_task_queue_is_ours_and_not_handed_to_the_sdk(load: Load) -> None:
    settings = load(TEMPORAL_TASK_QUEUE="mine", TEMPORAL_NAMESPACE="shop")

    assert settings.task_queue == "mine"
    assert settings.temporal == {"TEMPORAL_NAMESPACE": "shop"}


def profile_file(home: Path) -> Path:
    path = home / "temporal.toml"
    path.write_text('[profile.cloud]\naddress = "cloud.example:7233"\nnamespace = "shop"\napi_key = "planted"\n')
    return path


def test_address_and_namespace_of_the_chosen_profile_count_as_configured(load: Load, tmp_path: Path) -> None:
    settings = load(TEMPORAL_CONFIG_FILE=str(profile_file(tmp_path)), TEMPORAL_PROFILE="cloud")

    assert (settings.address, settings.address_source) == ("cloud.example:7233", "configured")
    assert settings.namespace == "shop"


def test_the_official_configuration_file_is_found_where_the_sdk_looks(tmp_path: Path) -> None:
    (tmp_path / "temporalio").mkdir()
    path = profile_file(tmp_path / "temporalio")

    settings = load_settings(
        environ={"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path / "Library"), "TEMPORAL_PROFILE": "cloud"},
        folder=tmp_path,
    )

    assert settings.temporal["TEMPORAL_CONFIG_FILE"] == str(path)
    assert settings.address == "cloud.example:7233"


@pytest.mark.parametrize("toml", ["profile = 3\n", "[profile.cloud]\naddress = 3\n", ""])
def test_a_configuration_file_without_a_usable_address_configures_none(load: Load, tmp_path: Path, toml: str) -> None:
    path = tmp_path / "temporal.toml"
    path.write_text(toml)

    settings = load(TEMPORAL_CONFIG_FILE=str(path), TEMPORAL_PROFILE="cloud")

    assert settings.address_source == "default"


def test_a_living_embedded_server_is_used_when_no_address_is_configured(load: Load, tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(f'{{"address": "127.0.0.1:4711", "pid": {os.getpid()}}}')

    found, configured = load(), load(TEMPORAL_ADDRESS="a.example:1")

    assert (found.address, found.address_source) == ("127.0.0.1:4711", "embedded server of daper up")
    assert (configured.address, configured.address_source) == ("a.example:1", "configured")


def test_d20_an_embedded_server_is_sent_no_key(load: Load, tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(f'{{"address": "127.0.0.1:4711", "pid": {os.getpid()}}}')

    settings = load(TEMPORAL_API_KEY="planted", TEMPORAL_GRPC_META_X="planted", TEMPORAL_NAMESPACE="shop")

    assert settings.temporal == {"TEMPORAL_NAMESPACE": "shop"}


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ""]) as process:
        return process.pid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"address": "127.0.0.1:4711"}',
        '{"address": "127.0.0.1:4711", "pid": true}',
        '{"address": "127.0.0.1:4711", "pid": 0}',
        '{"address": "127.0.0.1:4711", "pid": -1}',
        f'{{"address": "127.0.0.1:4711", "pid": {10**30}}}',
        '{"address": "127.0.0.1:4711", "pid": ENDED}',
        '{"address": "nonsense", "pid": MINE}',
    ],
)
def test_what_is_left_of_a_server_that_has_ended_is_not_used(load: Load, tmp_path: Path, text: str) -> None:
    text = text.replace("MINE", str(os.getpid())).replace("ENDED", str(ended_pid()))
    (tmp_path / "server.json").write_text(text)

    assert load().address_source == "default"


def test_options_of_a_domain_are_its_own(load: Load) -> None:
    settings = load(
        DAPER_ORDERS_APPROVERS="ministry@magic.uk",
        DAPER_ORDERS_MAX_STOCK="9",
        DAPER_MY_ALERTS_DELAY="3",
        DAPER_APPROVAL_TIMEOUT="1h",
    )

    assert settings.domain_options("orders") == {"approvers": "ministry@magic.uk", "max_stock": "9"}
    assert settings.domain_options("my-alerts") == {"delay": "3"}
    assert settings.domain_options("approval") == {}


def test_a_variable_that_nothing_reads_is_warned_of_with_the_closest_match(load: Load) -> None:
    settings = load(
        DAPER_APROVAL_TIMEOUT="1h",
        DAPER_ORDERS_APROVERS="x",
        DAPER_ZZZ="1",
        TEMPORAL_ADRESS="x:1",
        TEMPORAL_TLS_CA="x",
        TEMPORAL_CLI_SOMETHING_ELSE="x",
        TEMPORAL_GRPC_META_X_TENANT="x",
    )

    assert settings.warnings() == (
        "DAPER_APROVAL_TIMEOUT is set, but nothing reads it; did you mean DAPER_APPROVAL_TIMEOUT?",
        "DAPER_ORDERS_APROVERS is set, but nothing reads it; did you mean DAPER_ORDERS_APPROVERS?",
        "DAPER_ZZZ is set, but nothing reads it",
        "TEMPORAL_ADRESS is set, but nothing reads it; did you mean TEMPORAL_ADDRESS?",
        "TEMPORAL_TLS_CA is set, but the Python SDK of Temporal does not read it",
    )


def test_options_of_installed_domains_are_not_warned_of(load: Load) -> None:
    settings = load(DAPER_ALERTS_DELAY="3", DAPER_CHOSEN_X="1", DAPER_DOMAIN="chosen")

    assert settings.warnings(["orders", "alerts"]) == ()
    assert len(settings.warnings()) == 1


OWLS = """
from daper.ports import DomainOption, with_options


@with_options(
    DomainOption(name="roost", default="the tower", help="Where owls are."),
    DomainOption(name="feed_key", help="Opens the store.", secret=True),
)
def open_domain(folder, options):
    return dict(options)
"""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, code: str) -> None:
    """Somebody's domain, as if it were installed."""
    about = folder / f"daper_{name}-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: daper-{name}\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(f"[daper.domains]\n{name} = daper_{name}:open_domain\n")
    (folder / f"daper_{name}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)


def test_the_options_that_a_stranger_s_domain_declares_are_settings_like_ours(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path / "site", "owls", OWLS)
    given = {"DAPER_OWLS_ROOST": "a barn", "DAPER_OWLS_FEED_KEY": "planted-secret"}

    settings = load(**given, DAPER_OWLS_ROST="x")
    roost, key = row("DAPER_OWLS_ROOST", tmp_path, **given), row("DAPER_OWLS_FEED_KEY", tmp_path, **given)

    assert (roost.value, roost.source, roost.help) == ("a barn", "environment", "Where owls are.")
    assert (row("DAPER_OWLS_ROOST", tmp_path).value, key.value) == ("the tower", "(set)")
    assert settings.warnings(["orders", "owls"]) == (
        "DAPER_OWLS_ROST is set, but nothing reads it; did you mean DAPER_OWLS_ROOST?",
    )
    assert opened(load(DAPER_OWLS_ROOST="a barn")) == {"roost": "a barn", "feed_key": ""}
    assert opened(load()) == {"roost": "the tower", "feed_key": ""}
    assert "planted-secret" not in repr(settings)


def opened(settings: Settings) -> object:
    """What the domain of owls was given: it is nothing but that."""
    return open_domains(settings)["owls"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nothing_like_it", "No module named 'nothing_like_it'"),
        (OWLS.replace('"roost"', '"Roost-At"'), "the option 'Roost-At' of a domain must be lower-case letters"),
    ],
)
def test_a_domain_that_cannot_be_loaded_is_told_of_where_it_is_opened_and_hides_no_setting(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    install(monkeypatch, tmp_path / "site", "broken", code)

    assert row("DAPER_ORDERS_DATASET", tmp_path).value == "hogwarts"
    with pytest.raises(SettingError, match=rf"domain 'broken' \(daper_broken:open_domain\) cannot be loaded: {told}"):
        open_domains(load())


def test_every_setting_is_shown_with_value_source_and_help(tmp_path: Path) -> None:
    rows = shown_settings(environ={"TEMPORAL_GRPC_META_B": "x", "TEMPORAL_GRPC_META_A": "x"}, folder=tmp_path)

    names = [row.name for row in rows]
    assert names == [setting.name for setting in every_setting()[:-1]] + [
        "TEMPORAL_GRPC_META_A",
        "TEMPORAL_GRPC_META_B",
    ]
    assert all(row.help for row in rows)


def test_d20_no_secret_is_shown_or_printed(load: Load, tmp_path: Path) -> None:
    secrets = {setting.name.replace("*", "X"): "planted-secret" for setting in every_setting() if setting.secret}

    assert "planted-secret" not in str(shown_settings(environ=secrets, folder=tmp_path))
    provider = {"DAPER_OIDC_ISSUER": "https://login.example.org", "DAPER_OIDC_CLIENT_ID": "daper"}
    assert "planted-secret" not in repr(load(**provider, **secrets))
    assert row("TEMPORAL_API_KEY", tmp_path, **secrets).value == "(set)"
    assert row("TEMPORAL_API_KEY", tmp_path).value == ""


@pytest.mark.parametrize("address", ["http://u:planted@host/v1", "u:planted@host/v1", "http://host/v1?key=planted"])
def test_a13_what_is_secret_in_an_address_is_not_shown(load: Load, tmp_path: Path, address: str) -> None:
    shown = row("LLM_BASE_URL", tmp_path, LLM_BASE_URL=address).value

    assert "planted" not in shown
    assert "host" in shown
    if "@" in address:
        with pytest.raises(SettingError) as refused:
            load(LLM_MODEL="a", LLM_BASE_URL=address)
        assert "planted" not in str(refused.value)
    else:
        assert "planted" not in repr(load(LLM_MODEL="a", LLM_BASE_URL=address))


def test_a13_an_address_in_any_other_setting_is_masked_as_well(tmp_path: Path) -> None:
    shown = row("TEMPORAL_ADDRESS", tmp_path, TEMPORAL_ADDRESS="https://u:planted@host:7233").value

    assert shown == "https://***@host:7233"


def test_a_wrong_value_is_shown_so_that_it_can_be_mended(tmp_path: Path) -> None:
    assert row("TEMPORAL_TLS", tmp_path, TEMPORAL_TLS="maybe").value == "maybe"


def test_reading_the_settings_imports_nothing_of_temporal() -> None:
    code = "import sys, daper.settings as s; s.load_settings(environ={}); sys.exit('temporalio' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", None),
        ("https://daper.example.org", "https://daper.example.org"),
        ("http://127.0.0.1:7340/", "http://127.0.0.1:7340"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_where_people_come_to_the_console_may_be_said(value: str, url: str | None, load: Load) -> None:
    assert load(DAPER_CONSOLE_URL=value).console.url == url


@pytest.mark.parametrize(
    "value",
    ["daper.example.org", "ftp://daper.example.org", "https://", "https://x/here", "https://x?y=1", "https://["],
)
def test_a_url_to_which_nobody_could_come_is_refused(value: str, load: Load) -> None:
    with pytest.raises(SettingError, match="it must be a URL without a path, name or password, like https://"):
        load(DAPER_CONSOLE_URL=value)


def test_a_password_in_the_url_of_the_console_is_refused_and_not_shown(load: Load) -> None:
    with pytest.raises(SettingError) as refused:
        load(DAPER_CONSOLE_URL="https://minerva:secret@daper.example.org")

    assert "DAPER_CONSOLE_URL is 'https://***@daper.example.org'" in str(refused.value)
