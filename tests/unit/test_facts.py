"""Facts at a domain that takes none, and how people say what belongs to one."""

from typing import cast

import pytest
from pydantic import JsonValue

from daper.core.errors import NotFound, UserError
from daper.domains.orders.facts import FACTS
from daper.ports import Domain, Fact
from daper.service.facts import arguments_in
from daper.service.records import RecordsService

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
