"""`daper policy show` and `check`: what may run without a person's yes, and where that is said."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from daper.bootstrap import open_domains
from daper.core.policy import ALONE_RISK, Alone, ApprovalPolicy
from daper.core.text import visible
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.ports import Briefing, Domain
from daper.settings import Part, load_settings, policy_document, policy_rows, read_policy


def show(*, as_json: Json = False) -> int:
    """The approval policy in force, key by key, and where it comes from.

    A proactive agent that runs goes on with the policy that it was started with, within the one that its worker reads.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.POLICY})
    source, notes = settings.policy_source, policy_notes(settings.policy, open_domains(settings))
    if as_json:
        file = str(source.path) if source.there else None
        print_json({"source": str(source), "file": file, "policy": policy_document(settings.policy), "notes": notes})
        return Exit.OK
    screen = console()
    say(screen, f"Policy: {source}")
    table(screen, ("key", "value", "what it is"), list(policy_rows(settings.policy)))
    for note in notes:
        say(screen, f"note: {note}")
    return Exit.OK


def check(file: Path) -> int:
    """Look a policy file over, and put it to no use. Exit 2, with the fault, if it could not be used.

    Parameters
    ----------
    file
        The file, as DAPER_POLICY would name it.
    """
    policy = read_policy(file).policy()
    settings = load_settings(needs=())
    say(console(), f"{file} can be used; to use it, set DAPER_POLICY, or put it at {settings.home / 'policy.toml'}")
    for note in policy_notes(policy, open_domains(settings)):
        say(console(), f"note: {note}")
    return Exit.OK


def policy_notes(policy: ApprovalPolicy, domains: Mapping[str, Domain]) -> list[str]:
    """What a policy allows and no agent can do: more is allowed nowhere, so it is no error."""
    return list(_unused(policy.alone, domains)) if policy.alone else []


def policy_words(policy: ApprovalPolicy) -> str:
    """What the proactive agent may do, in a few words."""
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
