"""Every bench runs to its end, and prints the tables that the docs have of it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tools.performance import PAGE, block

ROOT = Path(__file__).parents[2]
BENCHES = sorted(
    path.stem for path in (ROOT / "bench").glob("*.py") if 'if __name__ == "__main__":' in path.read_text("utf-8")
)
WITHIN_S = 280


@dataclass(frozen=True)
class Printed:
    """A table in Markdown."""

    columns: list[str]
    rows: list[list[str]]

    @property
    def names(self) -> set[str]:
        """What the rows are called; how much was measured differs between a quick run and a whole one."""
        return {re.sub(r"[\d,]+", "", row[0]) for row in self.rows}


def tables(text: str) -> Iterator[Printed]:
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        columns, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
        yield Printed(columns, rows)


def told(bench: str) -> list[Printed]:
    """The tables of a bench in the docs."""
    return list(tables(block(PAGE.read_text("utf-8"), bench)[0] + "\n"))


@pytest.mark.long
@pytest.mark.parametrize("bench", BENCHES)
def test_a_bench_runs_to_its_end_and_prints_the_tables_of_the_docs(bench: str) -> None:
    command = [sys.executable, "-m", f"bench.{bench}", "--quick"]
    ran = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert re.match(rf"\d+ cores, .+; \d{{4}}-\d\d-\d\d; `python -m bench\.{bench} --quick`\n", ran.stdout)
    assert re.search(r"^It took \d+ s\. The load average was [\d.]+ before, and [\d.]+ after\.$", ran.stdout, re.M)
    printed = list(tables(ran.stdout))
    assert printed
    assert [(table.columns, table.names) for table in printed] == [
        (table.columns, table.names) for table in told(bench)
    ]
    for row in (row for table in printed for row in table.rows):
        assert all(re.search(r"\d", figure) for figure in row[1:]), row


@pytest.mark.parametrize("bench", BENCHES)
def test_the_docs_have_every_bench_with_its_bare_limit(bench: str) -> None:
    found = told(bench)

    assert found
    assert any("bare" in word for table in found for row in (table.columns, *table.rows) for word in row)


def test_make_bench_runs_every_bench() -> None:
    named = re.search(r"^BENCHES = (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    assert named
    assert sorted(named[1].split()) == BENCHES
