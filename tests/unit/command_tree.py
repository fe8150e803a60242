"""Every command of the command line, for the tests that say something of each."""

from collections.abc import Iterator

from cyclopts import App

from daper.entrypoints.cli.app import app


def _commands(under: App, path: str = "") -> Iterator[tuple[str, App]]:
    for name in under:
        if name.startswith("-"):
            continue
        command = under[name]
        if command.default_command is not None:
            yield f"{path}{name}", command
        yield from _commands(command, f"{path}{name} ")


ALL_COMMANDS = dict(sorted(_commands(app)))
