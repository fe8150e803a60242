"""`daper repair transcripts`, from files and from rows."""

import asyncio
import json
from pathlib import Path

import pytest

from daper.entrypoints.cli.app import run
from tests.contract.kept_state import KeptState
from tests.contract.test_shared_state import transcript


@pytest.fixture
def environ(state: KeptState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAPER_HOME", str(state.place.home))
    monkeypatch.setenv("DAPER_DATABASE_URL", state.place.database_url or "")
    kept = state.place.transcripts()
    for number in (2, 1):
        asyncio.run(kept.write(transcript(number, "repair-harry-1")))


@pytest.mark.usefixtures("environ")
def test_transcripts_are_listed_and_written_to_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], state: KeptState
) -> None:
    assert run(["repair", "transcripts", "repair-harry-1", "--json"]) == 0
    names = json.loads(capsys.readouterr().out)["transcripts"]
    assert [name[:15] for name in names] == ["20260301T000001", "20260301T000002"]

    assert run(["repair", "transcripts", "repair-harry-1", "--output", "said"]) == 0
    written = sorted((tmp_path / "said").iterdir())
    assert [path.name for path in written] == names
    assert json.loads(written[0].read_bytes())["answer"] == "yes"

    assert run(["repair", "transcripts", "repair-harry-1"]) == 0
    assert "to have them here" in capsys.readouterr().out
    assert run(["repair", "transcripts", "unknown"]) == 1
    assert "there are no transcripts of 'unknown'" in capsys.readouterr().err
    assert run(["repair", "transcripts", "repair-harry-1", "--output", str(state.place.home / "x")]) == 1
