"""Who somebody is. In `local` a name is enough; nowhere else is anything of this accepted.

A person comes from the request's own header or cookie, never from a body.
"""

import re
from collections.abc import Mapping

from dwh_approvals.decide import Person

APPROVERS, OPERATORS = "dwh-approvers", "dwh-operators"
HEADER = "x-local-user"
COOKIE = "dwh_local_user"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", re.ASCII)
_VIEWERS = "viewer"
UNKNOWN_BECAUSE = ("missing", "bad-name")


class Unknown(Exception):  # noqa: N818 - a state
    """Nobody we know; `reason` is for the metric."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def local_person(name: str, *, verified: bool = True) -> Person:
    """The person of this name on one machine.

    Raises:
        Unknown: it is not a name.
    """
    if _NAME.fullmatch(name) is None:
        raise Unknown("bad-name", "a user name is letters, digits and `._@+-`, at most 100")
    groups = frozenset() if name.startswith(_VIEWERS) else frozenset({APPROVERS, OPERATORS})
    return Person(f"local:{name}", name, frozenset({name}), groups, verified)


class LocalIdentity:
    """Mode `local`: the header `X-Local-User`, or for browsers the cookie of the user chooser."""

    def person(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Person:
        """Who sent this request.

        Raises:
            Unknown: it does not say, or says nonsense.
        """
        name = headers.get(HEADER) or cookies.get(COOKIE)
        if not name:
            raise Unknown("missing", "say who you are: header X-Local-User, or choose a user in the console")
        return local_person(name)


def roles_of(person: Person) -> list[str]:
    """What the person's groups allow: everybody known reads."""
    roles = ["reader"]
    if APPROVERS in person.groups:
        roles.append("approver")
    if OPERATORS in person.groups:
        roles.append("operator")
    return roles
