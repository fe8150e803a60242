"""Puts the figures of whole runs of the benches into docs/performance.md, in place of those that stand there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"


def block(page: str, bench: str) -> re.Match[str]:
    """What a page has of a bench, as it printed it: from its first line to its last. Raises LookupError."""
    first, last = rf"^\d+ cores, [^\n]*; `python -m bench\.{bench}\b[^`\n]*`$", r"^It took [^\n]*$"
    found = re.search(rf"{first}.*?{last}", page, re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"no run of bench.{bench}")
    return found


def main(benches: list[str]) -> int:
    """Run each of them as a whole; the page has its figures as soon as it has ended well."""
    for bench in benches:
        # Our own modules, named in the Makefile.
        ran = subprocess.run([sys.executable, "-m", f"bench.{bench}"], cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S603
        printed = ran.stdout.decode().strip()
        sys.stdout.write(f"\n{printed}\n")
        page = PAGE.read_text("utf-8")
        old = block(page, bench)
        PAGE.write_text(page[: old.start()] + printed + page[old.end() :], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
