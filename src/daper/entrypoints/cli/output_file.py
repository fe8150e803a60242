"""What a command writes into a file that a person named."""

from pathlib import Path

from daper.adapters.privacy import as_the_person_shares
from daper.adapters.whole_file import replace_file
from daper.core.errors import UserError
from daper.core.system_errors import said


def save(output: Path, data: bytes, *, home: Path) -> None:
    """Write a whole file; one that is there is replaced.

    Raises UserError, with the reason, where it cannot be written, and for a file in `home`, where the kept reports are;
    what was there before stays then.
    """
    try:
        target = output.resolve()  # a link stays one
        if target.is_relative_to(home.resolve()):
            raise UserError(f"{str(output)!r} is in {str(home)!r}, which daper keeps for itself; name a file elsewhere")
        with as_the_person_shares():
            if target.exists() and not target.is_file():
                target.write_bytes(data)  # a device, or a pipe: it cannot be replaced
            else:
                replace_file(target, data)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle, for some versions of Python
        reason = said(error)
        raise UserError(
            f"the report cannot be written to {str(output)!r}: {reason}; name another file with --output"
        ) from error
