# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two states that are compared, and what comes of it. Values alone."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

Way = t.Literal["added", "changed", "removed"]
WAYS: tuple[Way, ...] = ("added", "changed", "removed")


@dataclass(frozen=True, slots=True)
class State:
    """One side: of the files only those that differ from the other side, of the lock all."""

    # Slug → what its file says; None: it cannot be read.
    spaces: Mapping[str, Unchecked | None] = field(default_factory=dict)
    # Slugs of all files, whether they differ or not.
    files: frozenset[str] = frozenset()
    # Space → where it lives.
    lock: Mapping[str, Place] = field(default_factory=dict)
    # Lines of the ledger.
    ledger: tuple[str, ...] = ()
    # File of the inventory → variable → its value as JSON; a file that is no YAML has none.
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # Other files of the registry that differ, such as contacts.yml and logos.
    others: frozenset[str] = frozenset()


class Difference(t.NamedTuple):
    """A file that a node would hold otherwise."""

    node: str
    # Path below the node's folder: config/velo-ecole.php, quota.txt.
    file: str
    way: Way


class Limits(t.NamedTuple):
    """What a space may have: accounts, and GB of 1024^3 bytes."""

    accounts: int
    storage_gb: int

    def __str__(self) -> str:
        return f"{self.accounts}/{self.storage_gb}"


@dataclass(frozen=True, slots=True)
class Situation:
    """What both sides are looked at with."""

    default: Limits
    maximum: Limits
    # Files outside of the inventory and the registry that differ.
    outside: tuple[str, ...] = ()
    # Node → spaces whose configuration it holds.
    running: Mapping[str, frozenset[str]] = field(default_factory=dict)


Kind = t.Literal["new", "changed", "file removed", "wrong", "same"]


class Field(t.NamedTuple):
    """A value of a file, as JSON; None: it is not there."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SpaceChange:
    """What changes in one association's file."""

    slug: str
    kind: Kind
    # Text of the file; empty where it cannot be read.
    status: str = ""
    status_before: str = ""
    limits: Limits | None = None
    limits_before: Limits | None = None
    fields: tuple[Field, ...] = ()
    # For reviewers to look at twice, in sentences.
    remarks: tuple[str, ...] = ()


class VariableChange(t.NamedTuple):
    """A variable of the inventory, its values as JSON; None: not there."""

    file: str
    name: str
    before: str | None
    after: str | None


class Move(t.NamedTuple):
    """A line of placement.yml that no run has written."""

    slug: str
    before: Place | None
    after: Place | None


@dataclass(frozen=True, slots=True)
class NodeChange:
    """What a node would do."""

    node: str
    # Spaces it would make, and those whose files it would no longer hold.
    makes: tuple[str, ...] = ()
    gives_up: tuple[str, ...] = ()
    # Kind of file → way → number of files.
    files: Mapping[str, Mapping[Way, int]] = field(default_factory=dict)
    # Spaces of which it would hold anything otherwise.
    spaces: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """All of it."""

    spaces: tuple[SpaceChange, ...] = ()
    variables: tuple[VariableChange, ...] = ()
    # Files of the inventory of which no variable is known: nodes.yml, spaces.yml, programs.
    inventory: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    # Whether lines of the ledger were changed or taken out.
    ledger_rewritten: bool = False
    others: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    # Spaces that differ on nodes and are not named by a file of theirs.
    touched: int = 0
    # None: what nodes would do could not be found out.
    nodes: tuple[NodeChange, ...] | None = ()
    # Why, in that case.
    unknown: str = ""
