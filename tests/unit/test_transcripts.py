"""What is written down of a call of a language model: all of it, no secret, and never too much."""

import errno
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.cases import cases

from daper.adapters.transcripts import files
from daper.adapters.transcripts.bounds import LARGEST, fitted
from daper.adapters.transcripts.documents import MORE
from daper.adapters.transcripts.files import FileTranscripts
from daper.adapters.transcripts.redaction import Redactor
from daper.core.ids import file_stem
from daper.core.usage import Role, Spent
from daper.ports import Transcript

BEGAN = datetime(2026, 3, 1, 12, 0, 5, 42, tzinfo=UTC)
SECRET = 'k3y/with "quotes" \\ & ümlaut +\n'  # noqa: S105 - planted
BARE = SECRET.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "transcripts"


@pytest.fixture
def transcripts(folder: Path) -> FileTranscripts:
    return FileTranscripts(folder, secrets=(SECRET, "plain-secret", "abc"))


def entry(
    *,
    call_id: str = "0f8fad5b-d9cb",
    repair_id: str = "repair-minerva-1",
    sent: JsonValue = None,
    answer: JsonValue = None,
    error: str = "",
    records: tuple[str, ...] = ("ORD-1",),
    began: datetime = BEGAN,
) -> Transcript:
    return Transcript(
        call_id=call_id,
        repair_id=repair_id,
        cycle_id="cycle-1",
        role=Role.PLAN,
        model="gpt-9",
        record_ids=records,
        began=began,
        took=timedelta(seconds=1.5),
        prompt_digest="d1",
        sent=sent,
        answer=answer,
        error=error,
        spent=Spent(calls=1, input_tokens=10, output_tokens=5, cost=Decimal("0.10")),
    )


def written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def only_text(folder: Path) -> str:
    (path,) = written(folder)
    return path.read_text(encoding="utf-8")


def only_document(folder: Path) -> dict[str, Any]:  # Any: as json has it
    return json.loads(only_text(folder))


async def test_a_call_is_one_file_with_all_of_it_for_its_owner_alone(
    transcripts: FileTranscripts, folder: Path
) -> None:
    await transcripts.write(entry(sent=[{"role": "user", "text": "Größe?"}], answer={"plan": [1, 2.5, True, None]}))

    (path,) = written(folder)
    assert path == folder / file_stem("repair-minerva-1") / "20260301T120005.000042-plan-0f8fad5b.json"
    assert only_document(folder) == {
        "call_id": "0f8fad5b-d9cb",
        "repair_id": "repair-minerva-1",
        "cycle_id": "cycle-1",
        "role": "plan",
        "model": "gpt-9",
        "record_ids": ["ORD-1"],
        "began": "2026-03-01T12:00:05.000042+00:00",
        "took_seconds": 1.5,
        "prompt_digest": "d1",
        "spent": {
            "calls": 1,
            "input_tokens": 10,
            "output_tokens": 5,
            "cost": "0.10",
            "unpriced": 0,
            "uncertain": 0,
        },
        "error": "",
        "sent": [{"role": "user", "text": "Größe?"}],
        "answer": {"plan": [1, 2.5, True, None]},
    }
    assert "Größe?" in only_text(folder)
    assert [stat.S_IMODE(item.stat().st_mode) for item in (path, path.parent, folder)] == [0o600, 0o700, 0o700]


async def test_the_same_call_again_is_one_file(transcripts: FileTranscripts, folder: Path) -> None:
    await transcripts.write(entry(answer="first"))
    await transcripts.write(entry(answer="second"))

    assert only_document(folder)["answer"] == "second"


def escaped(secret: str) -> dict[str, str]:
    once = json.dumps(secret)
    return {
        "plain": secret,
        "json": once,
        "json of json": json.dumps(once),
        "json of json of json": json.dumps(json.dumps(once)),
        "json in unicode": json.dumps(secret, ensure_ascii=False),
        "json with slashes": once.replace("/", "\\/"),
        "only codes": "".join(f"\\u{ord(char):04X}" for char in secret),
        "url": quote(secret),
        "url with slashes": quote(secret, safe=""),
        "form": quote_plus(secret),
        "url in lower case": quote(secret, safe="").replace("%C3%BC", "%c3%bc"),
        "url of url": quote(quote(secret, safe="")),
        "url of json": quote(once),
        "json of url": json.dumps(quote(secret)),
        "python": repr(secret),
    }


@pytest.mark.parametrize("form", escaped(""))
async def test_a_secret_is_gone_wherever_it_stands_and_however_it_is_escaped(
    transcripts: FileTranscripts, folder: Path, form: str
) -> None:
    text = f"before {escaped(BARE)[form]} after"
    nested: JsonValue = {"deep": [[{"list": ["fine", text]}]], text: text}

    await transcripts.write(entry(sent=nested, answer=text, error=text, records=("ORD-1", text)))

    document = only_document(folder)
    for part in ("k3y", "quotes", "mlaut", "6B", "6b"):
        assert part not in only_text(folder).replace(document["began"], "")
    assert document["answer"].startswith("before ")
    assert document["answer"].endswith(" after")
    assert document["sent"]["deep"][0][0]["list"][0] == "fine"


@given(st.text(min_size=4, max_size=12).map(str.strip).filter(lambda text: len(text) > 3 and "*" not in text))
def test_whatever_a_secret_is_made_of_no_escape_hides_it(secret: str) -> None:
    redactor = Redactor((secret,))

    for form in (json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], quote_plus(secret, errors="replace")):
        assert redactor.text(form) == "***"


async def test_of_two_secrets_of_which_one_begins_the_other_nothing_stays(folder: Path) -> None:
    await FileTranscripts(folder, secrets=("abcd", "abcd-efgh")).write(entry(sent="x abcd-efgh y abcd z"))

    assert only_document(folder)["sent"] == "x *** y *** z"


async def test_a_secret_of_digits_is_gone_from_numbers_too(folder: Path) -> None:
    await FileTranscripts(folder, secrets=("123456",)).write(entry(sent=[7123456, 0.123456, 12345, True]))

    assert only_document(folder)["sent"] == ["7***", "0.***", 12345, True]


async def test_what_is_too_short_for_a_secret_is_kept(transcripts: FileTranscripts, folder: Path) -> None:
    await transcripts.write(entry(sent="abc"))

    assert only_document(folder)["sent"] == "abc"


LOOKS_SECRET = {
    "openai": "sk-proj-a1B2c3D4e5F6",
    "anthropic": "sk-ant-api03-a1B2_c3D4",
    "google": "AIzaSyA1b2C3d4E5f6G7",
    "github": "ghp_a1B2c3D4e5F6g7H8",
    "bearer": "Bearer a1B2c3D4.e5F6",
    "bearer in lower case": "authorization: bearer a1B2c3D4e5F6",
    "basic": "Authorization: Basic YTFCMmMzRDQ=",
    "escaped line": "x\\nsk-a1B2c3D4e5F6",
    "escaped bearer": "x\\nBearer%20a1B2c3D4e5F6",
    "url": "https://host/?api_key=a1B2c3D4&x=1",
    "escaped url": "api_key%3Da1B2c3D4",
    "json": '{"api_key": "a1B2 c3D4", "x": 1}',
    "escaped json": '{\\"x-api-key\\":\\"a1B2 c3D4\\"}',
    "json with a quote in it": '{"password": "a1B2\\"c3D4"}',
    "json as a url": "%22api_key%22%3A%22a1B2c3D4%22",
    "variable": "export OPENAI_API_KEY='a1B2c3D4'",
    "camel case": "openaiApiKey: a1B2c3D4",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\na1B2\nc3D4\n-----END RSA PRIVATE KEY-----",
    "private key in json": "-----BEGIN PRIVATE KEY-----\\na1B2\\nc3D4\\n-----END PRIVATE KEY-----",
    "private key without its end": "-----BEGIN OPENSSH PRIVATE KEY-----\na1B2\nc3D4",
    "web token": "eyJa1B2c3D4e5.eyJa1B2c3D4e5.c3D4",
}


@pytest.mark.parametrize("name", LOOKS_SECRET)
async def test_what_looks_like_a_key_is_gone(transcripts: FileTranscripts, folder: Path, name: str) -> None:
    text = f"before {LOOKS_SECRET[name]}"

    await transcripts.write(entry(sent={text: [text]}, answer={"said": text}, error=text))

    assert "a1B2" not in only_text(folder)
    assert "c3D4" not in only_text(folder)
    assert only_document(folder)["answer"]["said"].startswith("before ")


async def test_the_value_under_the_name_of_a_secret_is_gone_and_the_rest_is_kept(
    transcripts: FileTranscripts, folder: Path
) -> None:
    sent: JsonValue = {
        "headers": {"X-Api-Key": "a", "Authorization": ["b", "c"], "accept": "d"},
        "password": 7,
        "max_tokens": 9,
        "token": None,
        "properties": {"secret": {"type": "string"}},
    }

    await transcripts.write(entry(sent=sent))

    assert only_document(folder)["sent"] == {
        "headers": {"X-Api-Key": "***", "Authorization": ["***", "***"], "accept": "d"},
        "password": "***",
        "max_tokens": 9,
        "token": None,
        "properties": {"secret": {"type": "string"}},
    }


async def test_a_json_text_within_a_text_stays_one(transcripts: FileTranscripts, folder: Path) -> None:
    await transcripts.write(entry(answer=json.dumps({"api_key": "a b", "note": "task-force-of-experts", "t": "x"})))

    inner = json.loads(only_document(folder)["answer"])

    assert inner == {"api_key": "***", "note": "task-force-of-experts", "t": "x"}


async def test_keys_that_become_the_same_lose_no_value(transcripts: FileTranscripts, folder: Path) -> None:
    await transcripts.write(entry(sent={"sk-a1B2c3D4e5": 1, "sk-f6G7h8I9j0": 2, "*** (2)": 3}))

    assert list(only_document(folder)["sent"].values()) == [1, 2, 3]


def many(count: int, text: str) -> list[JsonValue]:
    return [text for _ in range(count)]


def nested(depth: int) -> JsonValue:
    value: JsonValue = "bottom"
    for _ in range(depth):
        value = [value]
    return value


HUGE: dict[str, JsonValue] = {
    "one long text": "x" * 1_000_000,
    "characters of four bytes": "😀" * 100_000,
    "characters that are escaped": '"\\\x00\x9b\U000e0041' * 30_000,
    "many texts": many(2_000, "y" * 300),
    "many numbers": list(range(50_000)),
    "long names": {f"{number}{'k' * 5_000}": number for number in range(100)},
    "an endless number": [float("nan"), float("inf"), 10**6000],
    "deep lists": nested(800),
    "half a pair": "\ud800 and \udfff",
}


@pytest.mark.parametrize(
    "name",
    cases({name: name for name in HUGE}, quick=["an endless number", "deep lists", "half a pair"]),
)
async def test_no_call_is_too_large_or_too_odd_for_one_file_of_valid_json(
    transcripts: FileTranscripts, folder: Path, name: str
) -> None:
    value = HUGE[name]

    await transcripts.write(
        entry(
            sent=value,
            answer=value,
            error=repr(value)[:400_000] if name != "an endless number" else "",
            records=("ORD-1",) * 10_000,
        )
    )

    (path,) = written(folder)
    assert path.stat().st_size <= 200_000
    document = json.loads(path.read_bytes(), parse_constant=pytest.fail)
    assert document["call_id"] == "0f8fad5b-d9cb"
    assert set(document) == {*only_document(folder)}


async def test_a_long_text_is_cut_in_the_middle_and_says_how_much_is_missing(
    transcripts: FileTranscripts, folder: Path
) -> None:
    await transcripts.write(entry(sent=["short", f"BEGIN{'x' * 500_000}END"]))

    short, cut = only_document(folder)["sent"]

    assert short == "short"
    assert cut.startswith("BEGINxxx")
    assert cut.endswith("xxxEND")
    assert "… (440,008 characters are missing here) …" in cut


async def test_a_secret_at_the_cut_leaves_no_half(transcripts: FileTranscripts, folder: Path) -> None:
    await transcripts.write(entry(sent="x" * 29_995 + "plain-secret" + "y" * 400_000))

    assert "plain" not in only_text(folder)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_every_value_becomes_valid_json(value: JsonValue) -> None:
    data = fitted(Redactor(("plain-secret",)).entries({"sent": value}))

    json.loads(data, parse_constant=pytest.fail)
    assert len(data) <= LARGEST


async def test_characters_that_a_terminal_obeys_are_escaped(transcripts: FileTranscripts, folder: Path) -> None:
    await transcripts.write(entry(answer="a\x9b2Jb\u202ec\x1bd"))

    assert not {"\x9b", "\u202e", "\x1b"} & set(only_text(folder))
    assert only_document(folder)["answer"] == "a\x9b2Jb\u202ec\x1bd"


@pytest.mark.parametrize(
    "repair_id", ["../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "x\x00y", "\ud800", "a" * 5_000]
)
async def test_no_repair_id_leads_out_of_the_folder(
    transcripts: FileTranscripts, folder: Path, tmp_path: Path, repair_id: str
) -> None:
    await transcripts.write(entry(repair_id=repair_id, call_id="../../../x"))

    (path,) = written(tmp_path)
    assert path.parent.parent == folder
    assert json.loads(path.read_bytes())["repair_id"] == repair_id


async def test_past_the_limit_a_repair_gets_no_more_files_and_says_so_once(
    transcripts: FileTranscripts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_CALLS", 3)
    for number in range(6):
        await transcripts.write(entry(began=BEGAN + timedelta(seconds=number)))
    await transcripts.write(entry(began=BEGAN, answer="again"))
    await transcripts.write(entry(repair_id="another"))

    home = folder / file_stem("repair-minerva-1")
    names = [path.name for path in written(home)]
    assert len(names) == 4
    assert (home / MORE).read_text() == "This repair made more calls; the first 1,000 are kept here.\n"
    assert await transcripts.names("repair-minerva-1") == (*sorted({*names} - {MORE}), MORE)
    first = await transcripts.read("repair-minerva-1", sorted({*names} - {MORE})[0])
    assert first is not None
    assert json.loads(first)["answer"] == "again"
    assert await transcripts.read("repair-minerva-1", "../another/report.json") is None
    assert len(written(folder / file_stem("another"))) == 1


def test_the_limits_are_1000_calls_of_200_repairs_and_200_kb_each() -> None:
    assert (files.MOST_CALLS, files.MOST_REPAIRS, LARGEST) == (1_000, 200, 200_000)


async def test_the_oldest_repair_goes_when_there_are_too_many(
    transcripts: FileTranscripts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_REPAIRS", 3)
    for age, repair in ((1, "young"), (3, "oldest"), (2, "old")):
        await transcripts.write(entry(repair_id=repair))
        os.utime(folder / file_stem(repair), (1_000_000 - age, 1_000_000 - age))
    await transcripts.write(entry(repair_id="young", call_id="second"))
    assert len(list(folder.iterdir())) == 3

    await transcripts.write(entry(repair_id="new"))

    assert {path.name for path in folder.iterdir()} == {file_stem(repair) for repair in ("young", "old", "new")}


async def test_what_is_not_ours_is_not_removed(
    transcripts: FileTranscripts, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_REPAIRS", 1)
    await transcripts.write(entry(repair_id="first"))
    (folder / file_stem("first") / "my notes.txt").write_text("mine")
    (folder / "holiday").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "2026.json").write_text("mine")
    (folder / "linked-01234567").symlink_to(tmp_path / "elsewhere")

    await transcripts.write(entry(repair_id="second"))

    assert (folder / file_stem("first") / "my notes.txt").read_text() == "mine"
    assert (folder / "holiday").is_dir()
    assert (tmp_path / "elsewhere" / "2026.json").is_file()
    assert len(written(folder / file_stem("second"))) == 1


@pytest.mark.parametrize("place", ["folder", "home"])
async def test_a_folder_that_cannot_be_written_does_not_stop_a_repair(
    transcripts: FileTranscripts, folder: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = folder if place == "folder" else folder / file_stem("repair-minerva-1")
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file in its place")

    await transcripts.write(entry(sent="what was said"))

    assert "a call of a language model is not written down" in caplog.text
    assert "what was said" not in str([vars(record) for record in caplog.records])
    assert blocked.read_text() == "a file in its place"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
async def test_a_full_or_broken_disk_does_not_stop_a_repair_and_leaves_no_half_file(
    transcripts: FileTranscripts,
    folder: Path,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("daper.adapters.transcripts.files.os.fsync", refuse)

    await transcripts.write(entry(sent="what was said"))

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"({os.strerror(code)})" in vars(record)["reason"]
    assert "what was said" not in str(vars(record))
    assert written(folder) == []
