"""What is to be said of an approval policy: what may run alone, and what of it no agent can do."""

from collections.abc import Iterator, Mapping

from daper.core.policy import ALONE_RISK, Alone, ApprovalPolicy
from daper.core.text import visible
from daper.ports import Briefing, Domain
from daper.ports.entry import why_absent


def policy_notes(policy: ApprovalPolicy, domains: Mapping[str, Domain]) -> list[str]:
    """What a policy allows and no agent can do: more is allowed nowhere, so it is no error."""
    return [*_of_one(policy, domains, ""), *_of_domains(policy, domains)]


def _of_domains(policy: ApprovalPolicy, domains: Mapping[str, Domain]) -> Iterator[str]:
    for name, otherwise in policy.domains.items():
        if name not in domains:
            none = f"there is no domain {name!r}; the domains are: {', '.join(sorted(domains))}"
            yield f"domains.{name}: {why_absent(domains, name) or none}"
        elif otherwise.alone != policy.alone:
            yield from _of_one(otherwise, {name: domains[name]}, f"domains.{name}.")


def _of_one(policy: ApprovalPolicy, domains: Mapping[str, Domain], where: str) -> Iterator[str]:
    return (f"{where}{note}" for note in (_unused(policy.alone, domains) if policy.alone else ()))


def policy_words(policy: ApprovalPolicy) -> str:
    """What the proactive agent may do, in a few words."""
    said = {name: _alone(each) for name, each in policy.domains.items()}
    otherwise = [f"in {name} {told}" for name, told in said.items() if told != _alone(policy)]
    return "; ".join((_alone(policy), *otherwise))


def _alone(policy: ApprovalPolicy) -> str:
    if policy.alone is None or not policy.alone.allow:
        return "nothing runs alone"
    tools = ", ".join(visible(tool, longest=60) for tool in policy.alone.allow)
    return f"the proactive agent may run alone: {tools}"


def _unused(alone: Alone, domains: Mapping[str, Domain]) -> Iterator[str]:
    for tool, kinds in alone.allow.items():
        having = [domain for domain in domains.values() if tool in domain.tools]
        if not having:
            known = ", ".join(sorted(name for domain in domains.values() for name in domain.tools))
            yield f"alone.allow: no domain has a tool {tool!r}; the tools are: {known}"
        elif all(domain.tools[tool].risk.rank > ALONE_RISK.rank for domain in having):
            risk = having[0].tools[tool].risk
            yield f"alone.allow: {tool} is of {risk} risk, and nothing above {ALONE_RISK} risk runs alone"
        elif strange := [kind for kind in kinds if not any(_knows(domain, kind) for domain in having)]:
            yield f"alone.allow.{tool}: no domain with that tool has a kind of problem {strange[0]!r}"


def _knows(domain: Domain, kind: str) -> bool:
    """Whether a domain may find that kind; one that does not list its kinds may find any."""
    return not isinstance(domain, Briefing) or kind in domain.guide().kinds
