"""What is wrong with a tool by HTTP or by statements, and no single key shows; nobody is asked for it."""

from collections.abc import Collection, Iterator
from typing import Final

from daper.core.text import shown
from daper.domains.declared.document import (
    DomainDocument,
    HttpSection,
    HttpToolSection,
    SettleSection,
    SqlToolSection,
)
from daper.domains.declared.expressions import ExpressionFault, answer_condition
from daper.domains.declared.positions import Path
from daper.domains.declared.request import (
    KEY,
    address_flaw,
    is_safe_for_secrets,
    names_of,
    origin,
    texts,
    told_address,
)
from daper.domains.declared.shape import dotted
from daper.domains.declared.sql_tool import ID, is_sql
from daper.domains.declared.wording import named_in

# What HTTP itself needs, what leads elsewhere, and what is a secret.
_NOT_WRITTEN: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "forwarded"}
    | {"cookie", "authorization"}
)

Faults = Iterator[tuple[Path, str]]


def tool_faults(document: DomainDocument) -> Faults:
    """Each with the path to its key."""
    for number, tool in enumerate(document.tool):
        at: Path = ("tool", number)
        if tool.limit.money is not None and not tool.spends:
            yield (*at, "limit"), "'limit.money' needs 'spends': the column that says what one costs"
        most, first = tool.limit.per_plan, tool.limit.canary
        if most is not None and first > most:
            said = f"'limit.canary' is {first}, and one plan has {most} at most: none would run after them"
            yield (*at, "limit", "canary"), said
        if tool.waits and not tool.helped:
            yield (*at, "waits"), "'waits' needs 'helped': what it waits for"
        if is_sql(tool.waits):
            yield (*at, "waits"), "it is in SQL, and 'waits' is CEL over the record: r.status == 'queued'"
        match tool:
            case SqlToolSection():
                yield from _sql(tool, at)
            case HttpToolSection():
                yield from _http(tool, at, document)
            case _:
                pass


def _sql(tool: SqlToolSection, at: Path) -> Faults:
    if ID in tool.args:
        yield (*at, "args", ID), ":id is the key of the record; give the argument another name"
    if not tool.helped:
        yield at, f"tool {tool.name!r} needs 'helped': nobody else knows what its statement is to come to"


def _http(tool: HttpToolSection, at: Path, document: DomainDocument) -> Faults:
    http, records = tool.http, document.records
    inside: Path = (*at, "http")
    if KEY in tool.args:
        yield (*at, "args", KEY), "{key} is the key of the action; give the argument another name"
    if not tool.helped and http.settle is None:
        yield at, f"tool {tool.name!r} needs 'helped' or [tool.http.settle]: nothing else shows what became of it"
    if both := sorted(set(http.ok) & set(http.never)):
        yield (*inside, "never"), f"{both[0]} is in 'ok' as well"
    yield from _headers(http, inside)
    if flaw := address_flaw(http.url):
        yield (*inside, "url"), _of_address((*inside, "url"), http.url, flaw)
    else:
        yield from _names(http.url, (*inside, "url"), tool.args, records.hide)
        if http.secret and not is_safe_for_secrets(http.url):
            flaw = "a secret is sent over https alone, or within this machine; write https:// in front of it"
            yield (*inside, "url"), _of_address((*inside, "url"), http.url, flaw)
    yield from _body(http, inside, tool.args, records.hide)
    yield from _settle(http, inside, {KEY, records.key, *tool.args})


def _headers(http: HttpSection, inside: Path) -> Faults:
    seen: set[str] = set()
    secret: Path = (*inside, "secret", "header")
    given: list[tuple[Path, str]] = [((*inside, "headers", name), name) for name in http.headers]
    given += [((*inside, "key_header"), http.key_header)] if http.key_header else []
    given += [(secret, http.secret.header)] if http.secret else []
    for path, name in given:
        kept = name.lower() in _NOT_WRITTEN or name.lower().startswith("proxy-")
        if kept and (path != secret or name.lower() != "authorization"):
            yield path, f"{name!r} is no header for a file; a secret goes into 'secret', by the name of its variable"
        if name.lower() in seen:
            yield path, f"{name!r} is there twice"
        seen.add(name.lower())


def _names(text: str, path: Path, args: Collection[str], hidden: Collection[str]) -> Faults:
    for name in named_in(text):
        if name in hidden and name not in args:
            yield path, f"{name!r} is hidden, and this would show and send it"


def _body(http: HttpSection, inside: Path, args: Collection[str], hidden: Collection[str]) -> Faults:
    for text in texts(http.body):
        try:
            yield from _names(text, (*inside, "body"), args, hidden)
        except ValueError as error:
            yield (*inside, "body"), f"{dotted([*inside, 'body'])} has {shown(text)!r}: {error}"


def _settle(http: HttpSection, inside: Path, known: Collection[str]) -> Faults:
    settle = http.settle
    if settle is None:
        return
    at: Path = (*inside, "settle")
    if flaw := address_flaw(settle.url):
        yield (*at, "url"), _of_address((*at, "url"), settle.url, flaw)
    elif not address_flaw(http.url):
        yield from _asked(http, settle, at, known)
    for name, text in (("happened", settle.happened), ("never", settle.never)):
        try:
            if text:
                answer_condition(text)
        except ExpressionFault as error:
            yield (*at, name), str(error)


def _asked(http: HttpSection, settle: SettleSection, at: Path, known: Collection[str]) -> Faults:
    """Whether what it asks about is the very request, and stays what it is."""
    named, url = named_in(settle.url), (*at, "url")
    if origin(settle.url) != origin(http.url):
        yield url, _of_address(url, settle.url, "it must be on the host that is asked for the change")
    if strange := sorted(set(named) - set(known)):
        flaw = f"it takes {strange[0]!r}, which may be another value by then; there are: {', '.join(sorted(known))}"
        yield url, _of_address(url, settle.url, flaw)
    if settle.never and KEY not in named:
        yield (*at, "never"), "without {key} in its url nobody can say of this very request that it will never be done"
    if KEY in named and http.key_header is None and not _sends_key(http):
        flaw = "it asks by {key}, which the request does not send: give key_header, or {key} in url or body"
        yield url, _of_address(url, settle.url, flaw)


def _of_address(path: Path, url: str, flaw: str) -> str:
    return f"{dotted(list(path))} is '{told_address(url)}': {flaw}"


def _sends_key(http: HttpSection) -> bool:
    try:
        return KEY in names_of(http)
    except ValueError:  # a brace, which is told where it is
        return True
