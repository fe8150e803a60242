"""What a person has to be allowed. Who it is, the guard has told before: by a token, by a session, or as of here."""

from daper.core.access import Access
from daper.entrypoints.web.api.problems import Kind, Refusal
from daper.entrypoints.web.visitors import Visitor


def allowed(visitor: Visitor, needs: Access) -> Visitor:
    """The same visitor. Raises Refusal where this person may not do that."""
    if not visitor.may(needs):
        raise Refusal(
            Kind.NOT_ALLOWED,
            visitor.lacks(needs),
            headers={"www-authenticate": f'Bearer realm="daper", error="insufficient_scope", scope="{needs}"'},
        )
    return visitor
