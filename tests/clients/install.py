"""Install what a `package-lock.json` names, by the npm of the wheel that has Node: `make node-clients`.

With the argument `chats` those that are big, for the long tests: `make chat-clients`.
"""

import subprocess
import sys
from pathlib import Path

from tests.clients.node import CHATS, MODULES, NotInstalled, node

_QUIETLY = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier", "--loglevel=error")


def main() -> int:
    """The exit code."""
    try:
        program = node()
    except NotInstalled as error:
        return _failed(str(error))
    # Not bin/npm of the wheel: where links are copied as files it does not find its library.
    npm: Path = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    modules = CHATS if sys.argv[1:] == ["chats"] else MODULES
    sys.stderr.write(f"setting up: MCP clients of others, into {modules}\n")
    ended = subprocess.run(
        [str(program), str(npm), "ci", *_QUIETLY], cwd=modules.parent, stdout=subprocess.DEVNULL, check=False
    )
    return _failed("npm could not install them: is its registry within reach?") if ended.returncode else 0


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
