"""Names of version 0.1 that work for one more version, each with a `DeprecationWarning`.

Nothing else of paraph uses them. `docs/how-to/upgrading.md` lists them all.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any


def warn_former(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warn that a name of version 0.1 was used.

    Args:
        old: the name that was used.
        new: the name to use.
        stacklevel: frames between the caller to blame and this function.
    """
    text = f"{old} is deprecated and will be removed: use {new}"
    warnings.warn(text, DeprecationWarning, stacklevel=stacklevel)


class FormerSecret(str):
    """A claim or an access token. In version 0.1 it was a `Secret`, whose text `reveal()` gave."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the text itself; deprecated."""
        warn_former("reveal()", "the value itself, which is a str")
        return str(self)


@dataclass(frozen=True, slots=True)
class FormerIdentity:
    """`installation.grant.identity` of version 0.1."""

    account_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class FormerGrant:
    """`installation.grant` of version 0.1, as far as a host could use it."""

    identity: FormerIdentity
    email: str
    display_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FormerLink:
    """`installation.link` of version 0.1, as far as a host could use it."""

    link_id: str
    subject: str
    proofs: tuple[Any, ...]


class FormerRecord:
    """The parts of an installation in version 0.1, where it was a record of the store."""

    __slots__ = ()

    @property
    def grant(self: Any) -> FormerGrant:
        """The former parts of `zoom` and `reason`; deprecated."""
        warn_former("installation.grant", "installation.zoom")
        identity = FormerIdentity(self.zoom.account_id, self.zoom.user_id)
        return FormerGrant(identity, self.zoom.email, self.zoom.display_name, self.reason)

    @property
    def link(self: Any) -> FormerLink:
        """The former parts of `id`, `subject` and `proofs`; deprecated."""
        warn_former("installation.link", "installation.id and installation.subject")
        return FormerLink(self.id, self.subject, self.proofs)


class FormerProblem(Exception):
    """The attributes of the client's exceptions in version 0.1."""

    @property
    def problem_code(self: Any) -> str:
        """The former name of `code`; deprecated."""
        warn_former("problem_code", "code")
        return str(self.code)

    @property
    def title(self: Any) -> str:
        """The former name of `public_message`; deprecated."""
        warn_former("title", "public_message")
        return str(self.public_message)
