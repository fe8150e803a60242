"""Nothing secret is echoed, wherever a person put it; and what a value holds is what it is."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from daper.core.errors import SettingError
from daper.entrypoints.cli.app import run
from daper.settings import every_setting, load_settings, shown_settings

KEYS = {
    "a key": "sk-proj-abcDEF0123456789abcDEF0123456789planted",
    "an access token": "daper_abcDEF0123456789abcDEF0123456789abcDEF-planted",
    "a token of Temporal Cloud": "eyJhbGciOiJFUzI1NiIsImtpZCI6IlVpM.eyJhY2NvdW50X2lkIjoicGxhbnRlZCJ9.planted-signature",
    "an address with a password": "https://harry:planted@host:7233/v1",
    "a password before a host": "harry:planted@host:7233",
    "a private key": "-----BEGIN PRIVATE KEY-----\nMIIplanted\n-----END PRIVATE KEY-----",
}
OPEN = [setting.name for setting in every_setting() if not setting.secret]
TRACES = ("planted", "abcDEF", "eyJhY2", "MII")


def environment(home: Path, **variables: str) -> Mapping[str, str]:
    return {"HOME": str(home), "DAPER_HOME": str(home / "home"), **variables}


@pytest.mark.parametrize("key", KEYS)
def test_a11_a_secret_in_any_variable_is_shown_by_nothing(key: str, tmp_path: Path) -> None:
    for name in OPEN:
        environ = environment(tmp_path, **{name: KEYS[key]})

        with_it = next(row for row in shown_settings(environ=environ, folder=tmp_path) if row.name == name)
        try:
            said = "".join(map(str, load_settings(needs=(), environ=environ, folder=tmp_path).troubles.values()))
        except SettingError as error:
            said = str(error)

        assert not [trace for trace in TRACES if trace in with_it.value + said], (name, with_it.value, said)


@pytest.mark.parametrize(
    "name", ["LLM_MODEL", "DAPER_PLAN_MODEL", "TEMPORAL_NAMESPACE", "TEMPORAL_TASK_QUEUE", "DAPER_HOME"]
)
def test_a11_a_key_where_it_would_be_seen_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"{name} holds what looks like a key, a token or a password") as refused:
        load_settings(environ=environment(tmp_path, **{name: KEYS["a key"]}), folder=tmp_path)

    assert not [trace for trace in TRACES if trace in str(refused.value)]


@pytest.mark.parametrize("value", ["A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6", "0123456789abcdef0123456789abcdef"])
def test_a11_what_looks_like_chance_is_not_quoted_either(value: str, tmp_path: Path) -> None:
    for name in ("TEMPORAL_ADDRESS", "DAPER_APPROVAL_TIMEOUT", "DAPER_ON_OUTAGE", "DAPER_MCP_APPROVAL"):
        with pytest.raises(SettingError) as refused:
            load_settings(environ=environment(tmp_path, **{name: value}), folder=tmp_path)

        assert name in str(refused.value)
        assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("policy.toml", '[grant]\nmax_risk = "https://harry:planted@host"\n'),
        ("policy.toml", '[time]\napproval_timeout = "sk-proj-abcDEF0123456789abcDEF0123456789planted"\n'),
        ("people.toml", '[smtp]\nhost = "harry:planted@mail.example"\nfrom = "a@b.example"\n'),
        ("people.toml", '[targets.owl]\ntype = "webhook"\nurl = "https://harry:planted@host/"\nsecret_env = "X"\n'),
    ],
)
def test_a13_a_password_in_a_file_of_settings_is_not_quoted(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / file).write_text(text)

    with pytest.raises(SettingError) as refused:
        load_settings(environ=environment(tmp_path), folder=tmp_path)

    assert file in str(refused.value)
    assert not [trace for trace in TRACES if trace in str(refused.value)]


def test_a13_the_address_in_a_profile_is_checked_and_masked_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "temporal.toml"
    path.write_text('[profile.default]\naddress = "harry:planted@cloud.example:7233"\n')

    with pytest.raises(SettingError, match=r"the address in '.*temporal\.toml' is '\*\*\*@cloud\.example:7233'"):
        load_settings(environ=environment(tmp_path, TEMPORAL_CONFIG_FILE=str(path)), folder=tmp_path)


@pytest.mark.parametrize("line", ["mcp --http --public-url", "mcp config goose --url"])
def test_a13_a_url_with_a_password_is_refused_and_not_echoed(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAPER_HOME", str(tmp_path / "home"))

    assert run([*line.split(), "https://harry:planted@host/mcp"]) == 2

    shown = capsys.readouterr()
    assert "without a name or password" in shown.err
    assert "planted" not in shown.err + shown.out


def test_a13_no_error_of_a_command_shows_a_password_of_an_address(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAPER_HOME", str(tmp_path / "home"))

    assert run(["policy", "check", "https://harry:planted@host/policy.toml"]) == 2

    assert "planted" not in capsys.readouterr().err


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a11_a_value_in_dotenv_is_what_stands_there_and_doctor_says_so(quote: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"LLM_KEY={quote}sk-abc${{X}}def{quote}\nX=planted\nDAPER_ORDERS_APPROVERS={quote}$HOME{quote}\n"
    )

    settings = load_settings(environ=environment(tmp_path, X="planted"), folder=tmp_path)

    assert settings.options["LLM_KEY"] == "sk-abc${X}def"
    assert settings.options["DAPER_ORDERS_APPROVERS"] == "$HOME"
    told = [warning for warning in settings.warnings(["orders"]) if "LLM_KEY" in warning]
    assert told == ["LLM_KEY holds ${...}, which is taken as it stands: nothing is put in its place"]
