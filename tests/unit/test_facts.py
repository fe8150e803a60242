"""Facts at a domain that takes none, and how people say what belongs to one."""

from datetime import UTC, datetime
from typing import cast

import pytest
from pydantic import JsonValue

from daper.core.errors import NotFound, UserError
from daper.core.facts import FactAnswer, ToldFact
from daper.core.models import Finding, IdentityProof, Person
from daper.domains.orders.facts import FACTS
from daper.entrypoints.cli.record_facts import lines_of
from daper.ports import Domain, Fact
from daper.service.facts import arguments_in
from daper.service.records import RecordsService

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BILL = Person(name="Bill", how=IdentityProof.OS_USER)
APPROVED = next(fact for fact in FACTS if fact.name == "approved")
PAID = next(fact for fact in FACTS if fact.name == "paid")


def test_a_domain_that_takes_no_facts_says_so() -> None:
    service = RecordsService(domains={"payments": cast("Domain", object())})
    with pytest.raises(UserError, match="domain 'payments' takes no facts"):
        service.facts("payments")
    with pytest.raises(NotFound, match="there is no domain 'potions'"):
        service.facts("potions")


def _came(fact: Fact | None, source: str) -> tuple[dict[str, JsonValue], str]:
    return arguments_in(fact, item=None, quantity=None, others=(), source=source)


def test_from_whom_it_comes_is_an_argument_where_the_fact_has_one() -> None:
    assert _came(APPROVED, "ministry@x.example") == ({"approver": "ministry@x.example"}, "")
    assert _came(PAID, "the bank") == _came(None, "the bank") == ({}, "the bank")


def test_what_belongs_to_a_fact_is_said_by_name() -> None:
    found = arguments_in(None, item="OWL", quantity="3", others=["colour=brown=ish"], source="")
    assert found == ({"item": "OWL", "quantity": "3", "colour": "brown=ish"}, "")
    with pytest.raises(UserError, match="does not read as NAME=VALUE"):
        arguments_in(None, item=None, quantity=None, others=["brown"], source="")


def test_where_something_is_wrong_still_and_no_agent_looks_it_is_told_how_to_have_it_repaired() -> None:
    told = ToldFact(record_id="#1001", fact="paid", happened_at=NOON, told_at=NOON, by=BILL)
    short = Finding(record_id="#1001", kind="inventory-short", issue="3 are missing", fingerprint="f")
    asks = "  no agent looks at it by itself; to have it repaired: daper repair start --record '#1001'"
    answer = FactAnswer(told=told, problems=(short,))
    assert asks in [*lines_of(answer)]
    assert f"{asks} --domain owls" in [*lines_of(answer, domain="owls")]
    assert not [line for line in lines_of(answer.model_copy(update={"agents": ("a",)})) if "by itself" in line]
    assert not [line for line in lines_of(answer.model_copy(update={"problems": ()})) if "by itself" in line]
