"""Reads the approval policy from a TOML file: sections and keys as people write them, checked to the last one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from daper.adapters.regular_file import is_there
from daper.core.base import Reply
from daper.core.models import MOST_PROBLEMS, Risk
from daper.core.policy import ALONE_CONFIDENCE, Alone, ApprovalPolicy
from daper.core.spans import parse_span, written_span
from daper.settings.toml_file import Count, Number, Text, read_toml, toml_text

POLICY_FILE: Final = "policy.toml"
# Stands in for a policy that cannot be read, where none is needed: nothing runs by it.
CLOSED: Final = ApprovalPolicy(auto_max_actions=0)

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_MOST_MONEY: Final = 10**9
_LIST = "a list of "


def _span(value: object) -> object:
    found = parse_span(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("no time")
    return found


def _rising(shares: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if any(not 0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)):
        raise ValueError("not rising")
    return shares


def _named(names: tuple[str, ...]) -> tuple[str, ...]:
    if any(not _NAME.fullmatch(name) for name in names) or len(set(names)) != len(names):
        raise ValueError("not names")
    return names


_Money = Annotated[Number, Field(ge=0, le=_MOST_MONEY)]
_Share = Annotated[Number, Field(ge=0, le=1)]
_Span = Annotated[timedelta, BeforeValidator(_span)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,49}$")]
_Risk = Annotated[Risk, BeforeValidator(toml_text)]


class GrantSection(Reply):
    """What `--auto-approve` covers."""

    max_risk: _Risk = Field(
        default=ApprovalPolicy().auto_max_risk,
        title="The highest risk of an action.",
        description="low, medium or high",
    )
    min_confidence: _Share = Field(
        default=Decimal(str(ApprovalPolicy().auto_min_confidence)),
        title="How sure an action must be; less sure ones are skipped.",
        description="a number from 0 to 1",
    )
    max_actions: Annotated[Count, Field(ge=0, le=MOST_PROBLEMS)] = Field(
        default=ApprovalPolicy().auto_max_actions,
        title="How many actions one plan may have.",
        description=f"a whole number from 0 to {MOST_PROBLEMS}",
    )
    max_spend: _Money = Field(
        default=ApprovalPolicy().auto_max_spend,
        title="What the actions may spend together, in the money of the records.",
        description=f"an amount from 0 to {_MOST_MONEY:,}",
    )


class AloneSection(Reply):
    """What the proactive agent does with nobody there. Without this section: nothing."""

    min_confidence: Annotated[Number, Field(ge=Decimal(str(ALONE_CONFIDENCE)), le=1)] = Field(
        default=Decimal(str(ALONE_CONFIDENCE)),
        title="How sure each action must be.",
        description=f"a number from {ALONE_CONFIDENCE:g} to 1: this can only be raised",
    )
    max_actions: Annotated[Count, Field(ge=0, le=MOST_PROBLEMS)] = Field(
        default=Alone().max_actions,
        title="How many actions one cycle may run.",
        description=f"a whole number from 0 to {MOST_PROBLEMS}",
    )
    max_spend: _Money = Field(
        default=Alone().max_spend,
        title="What one cycle may spend, in the money of the records.",
        description=f"an amount from 0 to {_MOST_MONEY:,}",
    )
    max_share: _Share = Field(
        default=Alone().max_share,
        title="How many of the open records one cycle may touch, as a share of them.",
        description="a number from 0 to 1, like 0.2 for a fifth",
    )
    allow: dict[str, tuple[Text, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        title="Which tools, and for each the kinds of problem that it may answer.",
        description='a table of lists, like request_approval = ["restricted-without-approval"]',
    )


class TimeSection(Reply):
    """How long things may take."""

    approval_timeout: _Span | None = Field(
        default=None,
        title="How long a plan waits for a decision where nobody says otherwise, and the most that may be said.",
        description='a time like "30s", "15m", "12h" or "2d", at most "365d"',
    )
    decision_valid_for: _Span | None = Field(
        default=None,
        title="How long after its decision an action may still begin, likewise.",
        description='a time like "30s", "15m", "12h" or "2d", at most "365d"',
    )
    reminders: Annotated[tuple[Number, ...], Field(max_length=5), AfterValidator(_rising)] = Field(
        default=tuple(Decimal(str(share)) for share in ApprovalPolicy().reminders),
        title="After which shares of the time to decide somebody is reminded.",
        description=_LIST + "at most 5 rising numbers between 0 and 1, like [0.5]; [] for none",
    )


class ApproverSection(Reply):
    """How a person may decide."""

    by_link: StrictBool = Field(
        default=ApprovalPolicy().by_link,
        title="Whether a mail about a plan of low risk has a link to decide by, which counts once and for 15 minutes.",
        description="true or false",
    )
    passkey_from: Risk | None = Field(
        default=ApprovalPolicy().passkey_from,
        title="From which risk on an action is approved by a passkey alone, at the console.",
        description="low, medium or high",
    )


class PeopleSection(ApproverSection):
    """Who has a part in it."""

    tell: Annotated[tuple[Text, ...], Field(max_length=20), AfterValidator(_named)] = Field(
        default=(),
        repr=False,  # what stands here by mistake may be somebody's address, or worse
        title="Names of the targets that are told what waits and what ended. Never addresses or secrets.",
        description=_LIST + 'at most 20 different names like "owls": small letters, digits, - and _, no addresses',
    )


class DomainSection(Reply):
    """What a domain says otherwise; of each section the keys that it has."""

    grant: GrantSection | None = Field(default=None, description="a table: [domains.NAME.grant]")
    alone: AloneSection | None = Field(default=None, description="a table: [domains.NAME.alone]")
    time: TimeSection | None = Field(default=None, description="a table: [domains.NAME.time]")
    people: ApproverSection | None = Field(default=None, description="a table: [domains.NAME.people]")


class PolicyDocument(Reply):
    """The whole file."""

    grant: GrantSection = Field(default=GrantSection(), description="a table: [grant]")
    alone: AloneSection | None = Field(default=None, description="a table: [alone]")
    time: TimeSection = Field(default=TimeSection(), description="a table: [time]")
    people: PeopleSection = Field(default=PeopleSection(), description="a table: [people]")
    domains: dict[_Name, DomainSection] = Field(
        default_factory=dict[str, DomainSection], description="tables named as domains: [domains.orders.grant]"
    )

    def policy(self) -> ApprovalPolicy:
        """As the rest of the program knows it."""
        domains = {name: self._with(said)._alike() for name, said in self.domains.items()}
        return self._alike().model_copy(update={"domains": domains})

    def _with(self, said: DomainSection) -> "PolicyDocument":
        """The same, as a domain says otherwise."""
        sections = {name: getattr(said, name) for name in DomainSection.model_fields}
        changed = {name: _merged(getattr(self, name), each) for name, each in sections.items() if each is not None}
        return self.model_copy(update=changed)

    def _alike(self) -> ApprovalPolicy:
        """Without the domains."""
        alone = None
        if self.alone is not None:
            alone = Alone(
                min_confidence=float(self.alone.min_confidence),
                max_actions=self.alone.max_actions,
                max_spend=self.alone.max_spend,
                max_share=self.alone.max_share,
                allow=self.alone.allow,
            )
        return ApprovalPolicy(
            auto_max_risk=self.grant.max_risk,
            auto_min_confidence=float(self.grant.min_confidence),
            auto_max_actions=self.grant.max_actions,
            auto_max_spend=self.grant.max_spend,
            alone=alone,
            approval_timeout=self.time.approval_timeout,
            decision_valid_for=self.time.decision_valid_for,
            reminders=tuple(float(share) for share in self.time.reminders),
            tell=self.people.tell,
            by_link=self.people.by_link,
            passkey_from=self.people.passkey_from,
        )


_Document = Mapping[str, dict[str, Any] | None]  # Any: JSON
_Section = TypeVar("_Section", bound=Reply)


def _merged(whole: _Section | None, said: _Section) -> _Section:
    """A section with the keys that another one says; all of the other one where there is none."""
    return (
        said
        if whole is None
        else whole.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})
    )


SECTIONS: Final[Mapping[str, type[Reply]]] = {
    "grant": GrantSection,
    "alone": AloneSection,
    "time": TimeSection,
    "people": PeopleSection,
}


@dataclass(frozen=True)
class PolicySource:
    """Where the policy comes from: a file that somebody named, or the one in DAPER_HOME, which need not be there."""

    path: Path
    named: bool = False

    @property
    def there(self) -> bool:
        """Whether a file counts now."""
        return self.named or is_there(self.path)  # whatever it is: what cannot be read is not as if none

    def read(self) -> ApprovalPolicy:
        """The policy as it is now; the defaults without a file. Raises SettingError."""
        return read_policy(self.path).policy() if self.there else ApprovalPolicy()

    def __str__(self) -> str:
        """In words."""
        if self.there:
            return f"{self.path} ({'DAPER_POLICY' if self.named else 'in DAPER_HOME'})"
        return f"the defaults; there is no {self.path}"


def read_policy(path: Path) -> PolicyDocument:
    """A policy file, checked. Raises SettingError: one line that names file, key, value and what would be right."""
    return read_toml(path, PolicyDocument, what="the policy", variable="DAPER_POLICY")


def policy_rows(policy: ApprovalPolicy) -> Iterator[tuple[str, str, str]]:
    """Key, value and meaning of everything that the policy says, in the order of the file."""
    said = policy_document(policy)
    for section, model in SECTIONS.items():
        values = said[section]
        if values is None:
            yield section, "-", "The proactive agent does nothing alone: each plan waits for a person."
            continue
        for name, field in model.model_fields.items():
            yield f"{section}.{name}", _shown(values[name]), field.title or ""
    for domain, otherwise in policy.domains.items():
        for key, value in _otherwise(said, policy_document(otherwise)):
            yield f"domains.{domain}.{key}", _shown(value), f"The same, for repairs of {domain}."


def _otherwise(said: _Document, domain: _Document) -> Iterator[tuple[str, object]]:
    """Key and value of what a domain says otherwise."""
    for section in SECTIONS:
        before, values = said[section] or {}, domain[section] or {}
        yield from ((f"{section}.{name}", value) for name, value in values.items() if before.get(name) != value)


def policy_document(policy: ApprovalPolicy) -> dict[str, dict[str, Any] | None]:  # Any: JSON
    """The policy in the form of its file, each domain with all that counts for it; null where it does not say."""
    alone = policy.alone
    domains = {name: policy_document(each) for name, each in policy.domains.items()}
    return {
        "grant": {
            "max_risk": str(policy.auto_max_risk),
            "min_confidence": policy.auto_min_confidence,
            "max_actions": policy.auto_max_actions,
            "max_spend": f"{policy.auto_max_spend:f}",
        },
        "alone": None
        if alone is None
        else {
            "min_confidence": alone.min_confidence,
            "max_actions": alone.max_actions,
            "max_spend": f"{alone.max_spend:f}",
            "max_share": float(alone.max_share),
            "allow": {tool: list(kinds) for tool, kinds in alone.allow.items()},
        },
        "time": {
            "approval_timeout": _written(policy.approval_timeout),
            "decision_valid_for": _written(policy.decision_valid_for),
            "reminders": list(policy.reminders),
        },
        "people": {
            "by_link": policy.by_link,
            "passkey_from": None if policy.passkey_from is None else str(policy.passkey_from),
            "tell": list(policy.tell),
        },
        **({"domains": domains} if domains else {}),
    }


def _written(span: timedelta | None) -> str | None:
    return None if span is None else written_span(span)


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case dict():
            # As `policy_document` makes it: tool → kinds.
            return "; ".join(f"{tool}: {', '.join(kinds)}" for tool, kinds in value.items()) or "nothing"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case list():
            return json.dumps(value)
        case _:
            return str(value)
