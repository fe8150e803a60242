"""A tool that asks an outside system over HTTP: noted before, done once, and asked about where that is open."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from daper.clock import agreed_now
from daper.core.errors import ActionFailed, CannotSettle, NoAnswer, StoreError
from daper.core.models import Change
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.core.text import said
from daper.domains.declared import request
from daper.domains.declared.document import ENV, HttpToolSection, SecretSection
from daper.domains.declared.exchange import Answer, NotSent, exchange, named
from daper.domains.declared.expressions import CannotJudge, answer_condition
from daper.domains.declared.record import Asked, DeclaredRecord
from daper.domains.declared.request import KEY, CannotSend, Request
from daper.domains.declared.tool import FramedTool, ToolFrame, record_of
from daper.domains.declared.wording import SET_THERE, named_in
from daper.ports.domain import Record, Terms, ToolCall
from daper.stores.once import Deed
from daper.stores.outside import OutsideTool, Trace
from daper.stores.rows.store import FILE, RowsStore, RowsView
from daper.stores.threads import in_thread

_NOT_SENT: Final = "(nothing is sent)"
_SHOWN_KEY: Final = "KEY-OF-THIS-ACTION"
_LOOKS: Final = 8  # for what is under way: half a minute in all
_LOOK: Final = timedelta(seconds=5)  # for one answer, when many actions are verified together
_OF_THE_SERVER: Final = 500
_LONGEST_SECRET: Final = 8000
_SAID: Final = {Holding.YES: "happened", Holding.NO: "did not happen"}

Variables = Callable[[str], str | None]
"""The value of a variable of the environment, by its name."""


class HttpTool(FramedTool, OutsideTool):
    """One `[[tool]]` with an `http`. `key`: the column with the id of a record.

    It has no undo: what another system did, a person takes back.
    """

    def __init__(
        self,
        section: HttpToolSection,
        frame: ToolFrame,
        *,
        store: Callable[[], RowsStore],
        key: str,
        read: Callable[[RowsView, Sequence[str]], tuple[DeclaredRecord, ...]],
        variables: Variables,
        clock: Callable[[], datetime] = agreed_now,
    ) -> None:
        super().__init__(store, clock=clock)
        self.fit_into(frame)
        self.section = section
        self.repeatable = section.http.key_header is not None
        self._http = section.http
        self._store = store
        self._key = key
        self._read = read
        self._variables = variables
        settle = section.http.settle
        self._happened = answer_condition(settle.happened) if settle else None
        self._never = answer_condition(settle.never) if settle and settle.never else None

    def ahead(self, view: RowsView, keys: Sequence[object]) -> dict[object, Asked]:
        """Nothing: the other system is not asked before a person has approved."""
        return {}

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        """On what terms it may run, with all that would be sent but secrets and the key; an obstacle where it does not
        fit, or cannot be sent."""
        record = record_of(record_id, records)
        if record is None:
            return self._frame.no("it is not there any more")
        if why := self._frame.unfit(record, self._clock()):
            return self._frame.no(why)
        try:
            self._headers()
            preview = self._preview(record, arguments)
        except CannotSend as error:
            return self._frame.no(str(error))
        return self._frame.terms(record, preview)

    async def look(self, record_id: str) -> tuple[Record, ...]:
        """The record as it is now, and the file that says what is done to it."""

        def found() -> tuple[Record, ...]:
            with self._store().reading() as view:
                file = Record(ref=f"{view.name}/{FILE}", record_id=FILE, version=self._frame.text, data={})
                return (*self._read(view, [record_id]), file)

        return await in_thread(found)

    async def act(self, call: ToolCall) -> Deed:
        """Send the request, once.

        Raises ActionFailed where nothing was sent, or it was refused; NoAnswer where nobody can tell.
        """
        try:
            records = await self.look(call.record_id)
        except StoreError as error:
            raise ActionFailed(f"{error}; nothing was sent") from None
        record = record_of(call.record_id, records)
        known = {each.ref: each.version for each in records}
        if record is None or any(known.get(ref) != version for ref, version in call.expected.items()):
            raise ActionFailed(f"{call.record_id!r} was changed since the plan read it; nothing was sent")
        try:
            sent = self._request(record, call.arguments, call.key)
        except CannotSend as error:
            raise ActionFailed(f"{error}; nothing was sent") from None
        try:
            answer = await in_thread(exchange, sent, within=self._http.timeout)
        except NotSent as error:
            if not await self.others_asked(call.key):
                raise
            raise NoAnswer(f"{error}; what became of the request before, nobody knows yet") from None
        told = f"{sent.method} {sent.url} was answered with {named(answer.status)}"
        if answer.status in self._http.ok:
            more = (
                [f"the answer had more than {len(answer.content):,} bytes, and was not read on"] if answer.cut else []
            )
            # What it wrote, only it knows: no version is claimed, and none is looked for.
            return Deed(after={"answer": answer.status}, evidence=[told, *more], versions={record.ref: ""})
        if answer.status in self._http.never:
            raise ActionFailed(f"{told}: it was refused, and nothing was changed")
        where = "; no redirect is followed" if 300 <= answer.status < 400 else ""
        raise NoAnswer(f"{told}, which does not say whether it was done{where}")

    async def probe(self, call: ToolCall, *, key: str) -> Trace:
        """What the system says of a key, by its settle URL; without one nothing, where asking again does no harm.

        Raises CannotSettle where nobody can tell, NoAnswer where it may tell later.
        """
        return await self._asked(call, key, within=self._http.timeout)

    async def _asked(self, call: ToolCall, key: str, *, within: timedelta) -> Trace:
        settle = self._http.settle
        if settle is None:
            if self.repeatable:
                return Trace()
            raise CannotSettle(
                f"{self.name} asked for {call.record_id!r}, and got no clear answer; its file has no settle URL "
                "by which the system could be asked what became of it"
            )
        try:
            url = request.address(settle.url, {self._key: call.record_id, **call.arguments, KEY: key})
            asked = Request(method="GET", url=url, headers=self._headers())
        except CannotSend as error:
            raise CannotSettle(f"{self.name} of {call.record_id!r} cannot be asked about: {error}") from None
        try:
            answer = await in_thread(exchange, asked, within=within)
        except NotSent as error:
            raise NoAnswer(f"{self.name} of {call.record_id!r} could not be asked about: {error}") from None
        return self._traced(call, answer)

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        """Whether it helped, by its `helped`; without one, whether the system still says that it happened."""
        if self.section.helped:
            return await super().holds(call, effect)
        try:
            trace = await self._asked(call, call.key, within=min(self._http.timeout, _LOOK))
        except NoAnswer as error:  # others are verified with it, and are not to wait
            return Postcondition(holding=Holding.UNKNOWN, evidence=said(str(error)))
        holding = Holding.NO if trace.deed is None else Holding.YES
        return Postcondition(holding=holding, evidence=f"the system says that it {_SAID[holding]}")

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether it helped, by its `helped`."""
        record = record_of(call.record_id, records)
        if record is None:
            return Postcondition(holding=Holding.NO, evidence="it is not there any more")
        return self._frame.helped(record, self._clock())

    def try_out(self, records: RowsView, record_id: str) -> str:
        """Nothing: a request cannot be rolled back, so that none is sent."""
        return ""

    def _traced(self, call: ToolCall, answer: Answer) -> Trace:
        try:
            document = None if answer.cut else json.loads(answer.content)
        except (ValueError, RecursionError):
            document = None
        told = f"asked what became of it, the system answered with {named(answer.status)}"
        try:
            happened = self._happened is not None and self._happened.holds(answer.status, document)
            never = self._never is not None and self._never.holds(answer.status, document)
        except CannotJudge as error:
            raise self._undecided(call, f"{told}; {error}", answer.status) from None
        if happened and never:
            raise CannotSettle(f"{self.name} of {call.record_id!r}: {told}, by which it happened and never will")
        if happened:
            return Trace(deed=Deed(after={"answer": answer.status}, evidence=[f"{told}: it happened"]))
        if not never and (answer.status >= _OF_THE_SERVER or not self.repeatable):
            raise self._undecided(call, f"{told}, by which it neither happened nor never will", answer.status)
        return Trace(final=never)

    def _undecided(self, call: ToolCall, why: str, status: int) -> NoAnswer:
        """It does not say. What is under way may be seen soon; a server in trouble is asked for longer."""
        error = NoAnswer(f"{self.name} of {call.record_id!r}: {why}")
        error.most_attempts = None if status >= _OF_THE_SERVER else _LOOKS
        return error

    def _request(self, record: DeclaredRecord, arguments: Mapping[str, JsonValue], key: str) -> Request:
        values = {**record.columns, **arguments, KEY: key}
        url = request.address(self._http.url, values)
        body = b"" if self._http.body is None else request.written(request.body(self._http.body, values))
        headers = self._headers()
        if self._http.key_header:
            headers[self._http.key_header] = key
        if body and "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
        return Request(method=self._http.method, url=url, headers=headers, body=body)

    def _headers(self) -> dict[str, str]:
        """Those of the file, with its secret. Raises CannotSend, which does not tell it."""
        secret = self._http.secret
        found = dict(self._http.headers)
        if secret is not None:
            found[secret.header] = f"{secret.prefix}{secret_of(secret, self._variables)}"
        return found

    def _preview(self, record: DeclaredRecord, arguments: Mapping[str, JsonValue]) -> list[Change]:
        values = {**record.columns, **self.defaults, **arguments, KEY: _SHOWN_KEY}
        said = f"{self._http.method} {request.address(self._http.url, values)}"
        shown = [Change(record=record.ref, field="request", before=_NOT_SENT, after=said)]
        if self._http.body is None:
            return shown
        content = request.body(self._http.body, values)
        request.written(content)
        return shown + [
            Change(record=record.ref, field=f"sent {name}".rstrip(), before=_NOT_SENT, after=value)
            for name, value in request.leaves(content)
        ]


def secret_of(secret: SecretSection, variables: Variables) -> str:
    """What its variable has. Raises CannotSend, without it, where that is missing or can be no header."""
    name = secret.value.removeprefix(ENV)
    found = variables(name)
    if not found:
        raise CannotSend(f"{name} is not set; it must have what {secret.header} proves; ", SET_THERE)
    if len(found) > _LONGEST_SECRET or not found.isascii() or not found.isprintable() or found != found.strip():
        raise CannotSend(f"{name} cannot be sent: it must be one line of plain characters, without blanks around it")
    return found


def doubts_of(tool: HttpToolSection) -> Iterator[str]:
    """What nobody can know of it, because nothing is sent before somebody has approved it."""
    http, name = tool.http, f"tool {tool.name!r}"
    if http.settle is None:
        then = (
            "it is asked again with the same key, and ends as unknown if none comes then"
            if http.key_header
            else "it ends as unknown, and a person looks: it has no key_header either"
        )
        yield f"{name} has no [tool.http.settle]: where no clear answer comes, {then}"
    elif KEY not in named_in(http.settle.url):
        yield f"{name} has no {{key}} in its settle URL: what that tells may be of another request"
    elif not http.settle.never:
        yield (
            f"{name} has no 'never' in [tool.http.settle]: what did not happen may end as unknown, because a request "
            "that is late might still come through"
        )
    else:
        yield f"{name}: that what its 'never' says is for good is the other system's promise"
    if http.key_header:
        yield f"{name}: that one {http.key_header} has one effect is the other system's promise"
    yield f"{name} was not tried: nothing is sent before somebody has approved it"
