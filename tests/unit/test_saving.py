"""Where a report may be written: anywhere but into what daper keeps for itself."""

from pathlib import Path

import pytest

from daper.core.errors import UserError
from daper.entrypoints.cli.output_file import save


def test_a_file_is_replaced_and_a_link_to_it_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)

    save(link, b"after", home=tmp_path / "home")

    assert link.is_symlink()
    assert target.read_text() == "after"


@pytest.mark.parametrize("name", ["reports/r1/report.json", "temporal.db", "link/report.json", "new.pdf"])
def test_nothing_in_the_home_is_overwritten(tmp_path: Path, name: str) -> None:
    """The kept report is the proof of what was done, and may be the only one."""
    kept = tmp_path / "home" / "reports" / "r1" / "report.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("proof")
    (tmp_path / "home" / "link").symlink_to(kept.parent)

    with pytest.raises(UserError, match=r"is in '.*home', which daper keeps for itself; name a file elsewhere"):
        save(tmp_path / "home" / name, b"%PDF", home=tmp_path / "home")

    assert kept.read_text() == "proof"
    assert [path.name for path in (tmp_path / "home").iterdir()].count("new.pdf") == 0


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    with pytest.raises(UserError, match=r"cannot be written to '.*loop'"):
        save(tmp_path / "loop", b"", home=tmp_path / "home")
