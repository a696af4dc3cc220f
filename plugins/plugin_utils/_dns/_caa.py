# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether CAA records let an authority sign for a name: RFC 8659, and 8657 for the method. Pure."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ISSUE, ISSUE_WILD = "issue", "issuewild"
# Of what is critical and not one of these, an authority must suppose that it forbids everything.
KNOWN = frozenset({ISSUE, ISSUE_WILD, "iodef", "contactemail", "contactphone", "issuemail"})
CRITICAL = 128
METHODS = "validationmethods"


class Property(t.NamedTuple):
    """One CAA record."""

    flags: int
    tag: str
    value: str


def permits(
    found: Sequence[Property], authorities: Iterable[str], *, wildcard: bool, method: str
) -> bool:
    """Tell whether one of the authorities may sign.

    Args:
        found: the records that count for the name: its own, or the nearest above it.
        authorities: as CAA names them.
        wildcard: whether the certificate is for `*.name`.
        method: how the name is validated, as ACME calls it.

    """
    tags = {one.tag.lower() for one in found}
    if any(one.flags & CRITICAL and one.tag.lower() not in KNOWN for one in found):
        return False
    tag = ISSUE_WILD if wildcard and ISSUE_WILD in tags else ISSUE
    rules = [one.value for one in found if one.tag.lower() == tag]
    wanted = {_split(one)[0] for one in authorities}
    return not rules or any(_allows(rule, wanted, method) for rule in rules)


def _allows(rule: str, wanted: set[str], method: str) -> bool:
    authority, parameters = _split(rule)
    methods = parameters.get(METHODS)
    return authority in wanted and (methods is None or method in methods.split(","))


def _split(value: str) -> tuple[str, dict[str, str]]:
    """Return the authority of a rule, and its parameters."""
    authority, *parts = (part.strip() for part in value.split(";"))
    pairs = (part.partition("=") for part in parts if part)
    return authority.lower(), {key.strip().lower(): text.strip().lower() for key, _, text in pairs}
