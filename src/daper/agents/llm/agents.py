"""The agents with a language model: the same roles as the rules', one agent run a call."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from importlib.resources import files
from typing import Self, TypeVar

from daper.agents.llm.briefs import batches, brief_lines, finding_lines, guide_of, line
from daper.agents.llm.checks import (
    ProposalCheck,
    check_analysis,
    check_narrative,
    check_suspects,
    facts_of,
    findings_of,
)
from daper.agents.llm.config import ThinkingSettings
from daper.agents.llm.dialogue import Opened, Question, answered
from daper.agents.llm.meter import Account
from daper.agents.llm.models import open_client, open_model
from daper.agents.llm.modes import Modes
from daper.agents.llm.network import proxy_before
from daper.agents.llm.replies import DetectReply, PingReply, ReportReply, analyze_reply, plan_reply
from daper.core.base import Reply
from daper.core.messages import CycleRef
from daper.core.models import Doubt, Finding
from daper.core.outcomes import RepairResult, Report
from daper.core.report import build_report
from daper.core.text import counted, visible
from daper.core.usage import Role, Spent
from daper.ports import Analysis, Guide, ProposalSet, Review, Spending, Suspicion, Transcripts, Work

R = TypeVar("R", bound=Reply)

LONGEST_SENTENCE = 300
REPORT_TOKENS = 2000  # two to five sentences, and room for a model that thinks first
PING_TOKENS = 1000


class ModelAgents:
    """Detects, analyzes, plans and reports by language models, in the roles for which one is configured.

    Every call may raise ModelError, SpendingCapReached, ModelUnavailable or ModelOutputError.
    """

    def __init__(self, settings: ThinkingSettings, *, spending: Spending, transcripts: Transcripts) -> None:
        self._settings = settings
        self._spending = spending
        self._transcripts = transcripts
        self._opened: dict[tuple[str, str], Opened] = {}
        self._connections = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Keep the connections of every model open until left."""
        for opened in self._opened.values():
            await self._connections.enter_async_context(opened.client)
            await self._connections.enter_async_context(opened.model)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.aclose()

    def name(self, role: Role) -> str:
        """The model of a role as it is configured, or `rules`."""
        return self._settings.name(role)

    def open(self) -> None:
        """Make the client of every configured model. Raises ModelError for a wrong name or a missing key."""
        for role in self._settings.choices:
            self._model(role)

    def divide(self, role: Role, work: Work) -> tuple[tuple[str, ...], ...]:
        """Batches of which the records have about as many tokens as are allowed in one prompt, at most 25 records."""
        return batches(brief_lines(work), budget=self._settings.batch_tokens)

    async def detect(self, work: Work) -> Suspicion:
        """The records that a model suspects, with its own word on how sure that is."""
        question = Question(
            instructions=_instructions(Role.DETECT, guide_of(work.domain)),
            data=_blocks(work),
            form=DetectReply,
            check=lambda reply: check_suspects(reply, work.record_ids),
            about=counted(len(work.record_ids), "record"),
        )
        reply, spent = await self._ask(Role.DETECT, question, work.cycle, work.record_ids)
        return Suspicion(
            suspects={each.record_id: each.confidence_score for each in reply.suspects},
            why={each.record_id: _sentence(each.why) for each in reply.suspects},
            spent=spent,
        )

    async def analyze(self, work: Work, known: Sequence[Finding]) -> Analysis:
        """What a model finds wrong, and which known findings it doubts."""
        guide, name = guide_of(work.domain, known), self.name(Role.ANALYZE)
        question = Question(
            instructions=_instructions(Role.ANALYZE, guide),
            data=_blocks(work, known),
            form=analyze_reply(guide.kinds),
            check=lambda reply: check_analysis(reply, work.record_ids, guide.kinds),
            about=counted(len(work.record_ids), "record"),
        )
        reply, spent = await self._ask(Role.ANALYZE, question, work.cycle, work.record_ids)
        return Analysis(
            findings=findings_of(reply, domain=work.domain.name, by=name),
            doubts=tuple(
                Doubt(record_id=each.record_id, kind=each.kind, why=_sentence(each.why), by=name)
                for each in reply.doubts
            ),
            spent=spent,
        )

    async def plan(self, work: Work, findings: Sequence[Finding], review: Review) -> ProposalSet:
        """What a model would do. The guard tells it once what it refuses; what it insists on comes back as it is."""
        guide, name = guide_of(work.domain, findings), self.name(Role.PLAN)
        check = ProposalCheck(review, by=name)
        question = Question(
            instructions=_instructions(Role.PLAN, guide, tools=True),
            data=_blocks(work, findings),
            form=plan_reply({tool.name: tool.args for tool in work.domain.tools.values()}),
            check=check,
            lenient=True,
            about=counted(len(work.record_ids), "record"),
        )
        reply, spent = await self._ask(Role.PLAN, question, work.cycle, work.record_ids)
        notes = f"{name}: “{_sentence(reply.notes)}”" if reply.notes.strip() else ""
        return ProposalSet(
            proposals=check.proposals(reply),
            doubts=tuple(Doubt(record_id=each.record_id, why=_sentence(each.why), by=name) for each in reply.doubts),
            notes=notes,
            spent=spent,
        )

    async def report(self, result: RepairResult) -> Report:
        """The report by the rules, with a model's words beside it."""
        facts, name = facts_of(result), self.name(Role.REPORT)
        question = Question(
            instructions=_instructions(Role.REPORT, None),
            data=f'<facts trust="untrusted">\n{line(facts)}\n</facts>',
            form=ReportReply,
            check=lambda reply: check_narrative(reply, facts),
            most_output=REPORT_TOKENS,
            about="the report",
        )
        cycle = CycleRef(
            repair_id=result.repair_id,
            cycle_id=result.cycle_id,
            domain=result.domain,
            store_id=result.store.store_id if result.store else "",
            today=result.today or result.started_at,
        )
        record_ids = tuple(head.record_id for head in result.heads)
        reply, _ = await self._ask(Role.REPORT, question, cycle, record_ids)
        words = visible(reply.narrative.strip(), longest=2000)
        return build_report(result).model_copy(update={"narrative": words, "narrated_by": name})

    async def ping(self, role: Role, cycle: CycleRef) -> Spent:
        """Ask the model of a role for next to nothing, in the form that answers have; what it took."""
        question = Question(
            instructions="Role: ping\nAnswer with ok set to true.",
            data="Is anybody there?",
            form=PingReply,
            check=lambda _: None,
            most_output=PING_TOKENS,
            about="a question of doctor",
        )
        _, spent = await self._ask(role, question, cycle, ())
        return spent

    def mode(self, role: Role) -> str:
        """In which form the model of a role is asked for its answers, as far as is known by now."""
        return str(self._model(role).modes.now)

    async def _ask(
        self, role: Role, question: Question[R], cycle: CycleRef, record_ids: tuple[str, ...]
    ) -> tuple[R, Spent]:
        opened = self._model(role)
        account = Account(
            cycle=cycle,
            role=role,
            record_ids=record_ids,
            name=opened.name,
            most_output=min(self._settings.most_output, question.most_output or self._settings.most_output),
            within=self._settings.timeout,
            caps=self._settings.caps,
            spending=self._spending,
            transcripts=self._transcripts,
        )
        return await answered(question, opened, account, self._settings)

    def _model(self, role: Role) -> Opened:
        choice = self._settings.choices[role]
        key = (choice.name, choice.base_url)
        if key not in self._opened:
            client = open_client(choice, self._settings)
            model = open_model(choice, client)
            self._opened[key] = Opened(
                name=choice.name,
                key=choice.key,
                model=model,
                client=client,
                modes=Modes(self._settings.output, model),
                proxy=proxy_before(model.base_url or "", self._settings.network),
            )
        return self._opened[key]


def _sentence(text: str) -> str:
    """A model's sentence as it is kept: one line, nothing hidden, no longer than a person reads."""
    return visible(" ".join(text.split()), longest=LONGEST_SENTENCE)


@lru_cache
def _prompt(role: Role) -> str:
    return files("daper.agents").joinpath("prompts", f"{role}.md").read_text(encoding="utf-8").strip()


def _instructions(role: Role, guide: Guide | None, *, tools: bool = False) -> str:
    """The role's prompt, and what the domain says of itself. No record is in it."""
    parts = [_prompt(role)]
    if guide is not None:
        parts.append(f"# The records\n\n{guide.about.strip()}")
        heading, named = ("tools", guide.tools) if tools else ("kinds of problem", guide.kinds)
        parts.append(f"# The {heading}\n\n" + _listed(named))
    return "\n\n".join(parts)


def _listed(named: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {what}" if what else f"- {name}" for name, what in named.items())


def _blocks(work: Work, findings: Sequence[Finding] | None = None) -> str:
    """The data of a prompt, in blocks that say where it comes from; none of it can close a block."""
    records = "\n".join(brief_lines(work).values())
    parts = [
        f"<today>{work.cycle.today:%Y-%m-%d}</today>",
        f'<records trust="untrusted">\n{records}\n</records>',
    ]
    if findings is not None:
        parts.append('<findings trust="untrusted">\n' + "\n".join(finding_lines(findings)) + "\n</findings>")
    return "\n".join(parts)
