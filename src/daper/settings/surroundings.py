"""What the environment says to every program that goes out to others: whom TLS trusts, and by which proxy."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from daper.core.urls import masked_url
from daper.settings.dotenv_file import FILE
from daper.settings.secrecy import masked_closely

CERTIFICATE_FILE: Final = "SSL_CERT_FILE"
CERTIFICATE_FOLDERS: Final = "SSL_CERT_DIR"
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_ALL: Final = frozenset({CERTIFICATE_FILE, CERTIFICATE_FOLDERS, *_PROXIES, "NO_PROXY"})
_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def unfit_surroundings(found: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    """One line for each of those variables that names what is not there, or what no client of ours can use.

    `found`: variable → value and source. What stands in `.env` reaches no other program, and none of our libraries.
    """
    told = (
        f"{name} stands in {FILE}, and does nothing there; set it in the environment"
        for name in sorted(found)
        if name.upper() in _ALL and found[name][1] == FILE
    )
    values = {name: value for name, (value, source) in found.items() if source != FILE}
    return (*told, *_certificates(values), *_proxies(values))


def _certificates(values: Mapping[str, str]) -> Iterator[str]:
    file = values.get(CERTIFICATE_FILE)
    if file is not None and not (Path(file).is_file() and os.access(file, os.R_OK)):
        yield (
            f"{CERTIFICATE_FILE} is {masked_closely(file)!r}, and there is no such file that can be read; name one, or "
            "unset it: servers of models, mail, webhooks and Temporal may not be trusted without"
        )
    folders = values.get(CERTIFICATE_FOLDERS)
    if folders is not None and not any(Path(each).is_dir() for each in folders.split(os.pathsep)):
        said = f"{CERTIFICATE_FOLDERS} is {masked_closely(folders)!r}"
        yield f"{said}, and there is no such folder; name one, or unset it"


def _proxies(values: Mapping[str, str]) -> Iterator[str]:
    for name in (each for upper in _PROXIES for each in (upper, upper.lower())):
        value = values.get(name, "")
        scheme = re.match(r"([A-Za-z0-9+.-]*)://", value)
        if scheme is not None and scheme[1].lower() not in _SCHEMES:
            yield f"{name} is {masked_url(value)!r}; it must begin with {', '.join(f'{each}://' for each in _SCHEMES)}"
