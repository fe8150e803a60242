"""Numbers as a country writes them, read strictly: what could be another number is none. Pure."""

import re
from decimal import Decimal
from functools import cache
from typing import Final, Literal

DecimalSign = Literal[".", ","]

_OTHER_SIGN: Final[dict[DecimalSign, DecimalSign]] = {".": ",", ",": "."}
_BLANKS: Final = "\u0020\u00a0\u2009\u202f'\u2019"
_MINUS: Final = "-\u2212\u2010\u2013"
_MONEY: Final = (
    "(?:[A-Z]{0,3}[$\u00a2-\u00a5\u058f\u060b\u0e3f\u20a0-\u20cf]|"
    "[A-Z]{3}|kr\\.?|z\u0142|K\u010d|Ft|lei|\u043b\u0432\\.?|\u20bd)"
)


def number_in(text: str, decimal: DecimalSign = ".", *, counts: bool = False) -> Decimal | None:
    """The number that a text is; None where it is none, or where its signs stand as this country has them nowhere.

    The sign of a currency may stand on either side, and a minus before, behind, or as brackets around all of it.
    `counts`: that it is one of things, which have no currency: `12 DOZ` is not twelve.
    """
    found = _pattern(decimal).fullmatch(text.strip())
    if found is None:
        return None
    signs = sum(bool(found[name]) for name in ("minus", "inner", "after", "behind")) + bool(found["opened"])
    if signs > 1 or bool(found["opened"]) != bool(found["closed"]) or (found["before"] and found["unit"]):
        return None
    if counts and (found["before"] or found["unit"]):
        return None
    digits = re.sub(f"[{_BLANKS}{re.escape(_OTHER_SIGN[decimal])}]", "", found["whole"] or "0")
    part = found["part"] or found["only"]
    return Decimal(f"{'-' if signs else ''}{digits}{f'.{part}' if part else ''}")


def swapped(text: str, decimal: DecimalSign) -> bool:
    """Whether a text that is no number here is one where the other sign is the decimal one."""
    return number_in(text, decimal) is None and number_in(text, _OTHER_SIGN[decimal]) is not None


@cache
def _pattern(decimal: DecimalSign) -> re.Pattern[str]:
    point, group = re.escape(decimal), re.escape(_OTHER_SIGN[decimal])
    minus, blank = f"[{_MINUS}]", "[\u0020\u00a0\u202f]?"
    # Groups of three, as nearly everywhere; of two before the last three, as in India.
    whole = (
        rf"\d{{1,3}}(?:{group}\d{{3}})+|\d{{1,2}}(?:{group}\d{{2}})+{group}\d{{3}}|\d{{1,3}}(?:[{_BLANKS}]\d{{3}})+|\d+"
    )
    return re.compile(
        rf"(?P<opened>\()?(?:(?P<minus>{minus})|\+)?{blank}(?P<before>{_MONEY})?{blank}(?P<inner>{minus})?"
        rf"(?:(?P<whole>{whole})(?:{point}(?P<part>\d*))?|{point}(?P<only>\d+))"
        rf"(?:(?<=[.,])[{_MINUS}])?(?P<after>(?<=\d){minus})?{blank}(?P<unit>{_MONEY})?(?P<behind>{minus})?(?P<closed>\))?"
    )
