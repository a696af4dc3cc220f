# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file of a copy: whether one may be made of a space, what it says, and where it goes.

It is other people's data, so the file keeps who of them agreed, and has a day on which it ends.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _files, _proposal
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _copies,
    _loads,
    _placement,
    _rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _registry,
    _strict_yaml,
    _writing,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ansible.parsing.vault import VaultLib

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import NodeReport
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

LONGEST_NAME = 200
# What a copy has of the file of the space that it is made of. A logo belongs to a slug.
KEPT = ("office", "office_pinned", "limits", "locale", "timezone")
THEME = ("color", "slogan")
RINGS = tuple(_rules.SCHEMA.root["properties"]["ring"]["enum"])


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for."""

    # As it was typed: of which space, and what the copy is called.
    only: str
    into: str
    consent: str
    by: str
    today: datetime.date
    # YYYY-MM-DD; empty: so many days from now.
    until: str
    days: int
    # Empty: that of the space.
    ring: str = ""
    # Names that no space may take.
    taken: frozenset[str] = frozenset()
    # Nodes with the most they take, and the GB of a space whose file names none.
    nodes: tuple[NodeReport, ...] = ()
    storage_gb: int = 0

    @property
    def end(self) -> str:
        """The day on which the copy is closed."""
        return self.until or (self.today + datetime.timedelta(days=self.days)).isoformat()


class Copy(t.NamedTuple):
    """What comes of it: the copy, its node, and its file; no text where that is there already."""

    source: str
    into: str
    web: str
    path: Path
    text: bytes


class RefusedError(Exception):
    """No copy is made, with every reason."""


def copy(home: Path, asked: Asked, vault: VaultLib, *, write: bool) -> Copy:
    """Write the file of a copy, or say what would be written.

    Args:
        home: the registry of an environment.
        asked: what is asked for.
        vault: with the passwords of this run.
        write: whether anything is written.

    Raises:
        RefusedError: no copy may be made, with every reason.
        RegistryError: the registry cannot be read.

    """
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        places = _files.read_lock(folder).spaces
        known = {record.slug: record for record in folder.records}
        if reasons := [*against_source(asked, known, places), *against_copy(asked, folder, known)]:
            raise RefusedError("\n".join(reasons))
        source, place = known[asked.only], places[asked.only]
        path = _files.path_of(folder, asked.into)
        if reasons := list(against_parting(asked, places)):
            raise RefusedError("\n".join(reasons))
        if asked.into in known:
            return Copy(asked.only, asked.into, place.web, path, b"")
        if reasons := list(against_room(asked, source, known, places)):
            raise RefusedError("\n".join(reasons))
        text = _proposal.text(values(source, asked))
        made = _registry.Record(asked.into, "", _strict_yaml.load(text))
        if problems := [*_rules.check_schema(made), *_copies.check(made)]:
            raise RefusedError("\n".join(f"{one.key}: {one.text}" for one in problems))
        if write:
            _writing.create(path, text)
    return Copy(asked.only, asked.into, place.web, path, text)


def against_source(
    asked: Asked, known: Mapping[str, Record], places: Mapping[str, _placement.Place]
) -> Iterator[str]:
    """Yield what speaks against a copy of this space. Pure."""
    slug = asked.only
    if not _registry.SLUG.fullmatch(slug):
        yield _(
            "only: found {found}; allowed: one space, such as -e only=velo-ecole",
            found=quoted(slug),
        )
        return
    record, place = known.get(slug), places.get(slug)
    if record is None:
        hint = did_you_mean(slug, known)
        yield _(
            "only: {slug} has no file, or one that check.yml finds wrong.{hint}",
            slug=slug,
            hint=hint,
        )
        return
    if noted := record.data.get(_copies.KEY):
        yield _(
            "only: {slug} is a copy of {space} itself; make another one of {space}",
            slug=slug,
            space=noted["space"],
        )
    yield from _against_state(record, place)


def _against_state(record: Record, place: _placement.Place | None) -> Iterator[str]:
    """Yield what speaks against copying a space as it is now. Pure."""
    slug, status = record.slug, record.data["status"]
    if status != "approved":
        yield _(
            "only: {slug} is {status}; allowed: a space that is approved, which people agreed to "
            "have copied as it is",
            slug=slug,
            status=status,
        )
    elif record.data.get("hold"):
        yield _(
            "only: {slug} is on hold: every run leaves it as it is; take the hold out first",
            slug=slug,
        )
    elif place is None:
        yield _("only: {slug} is not on any node yet: there is nothing to copy", slug=slug)
    elif place.web != place.db:
        yield _(
            "only: {slug} has its database on {db}, its files on {web}; a copy could not be purged "
            "again, which works on one node alone, so none is made",
            slug=slug,
            db=place.db,
            web=place.web,
        )


def against_copy(asked: Asked, folder: _files.Folder, known: Mapping[str, Record]) -> Iterator[str]:
    """Yield what speaks against the copy as it is asked for. Pure."""
    slug = asked.into
    if not _registry.SLUG.fullmatch(slug):
        yield _(
            "into: found {found}; allowed: {allowed}",
            found=quoted(slug),
            allowed=_(_registry.SLUG_ALLOWED),
        )
    elif slug in known:
        # Names of spaces are among those that are taken.
        if not _goes_on(asked, known[slug]):
            yield _(
                "into: there is a file of a space {slug} already; choose another name", slug=slug
            )
        return
    elif slug in asked.taken:
        yield _("into: {slug} is a name that no space may have; choose another one", slug=slug)
    elif slug in folder.taken:
        yield _("into: {slug} is or was the name of another space; choose another one", slug=slug)
    if not asked.consent.strip():
        yield _(
            "consent: missing; it is other people's data. Say who of them agreed, when and how: "
            "-e '{example}'",
            example='{"consent": "Nadia Ferrand, mail of 2026-05-28"}',
        )
    if not asked.by.strip():
        yield _("by: missing; allowed: who decides, such as -e by=nadia")
    yield from _against_end(asked)
    if asked.ring and asked.ring not in RINGS:
        hint = did_you_mean(asked.ring, RINGS)
        yield _(
            "ring: found {found}; allowed: {allowed}.{hint}",
            found=quoted(asked.ring),
            allowed=", ".join(RINGS),
            hint=hint,
        )


def against_parting(asked: Asked, places: Mapping[str, _placement.Place]) -> Iterator[str]:
    """Yield why a copy that has its place cannot be made any more: one of both has moved. Pure."""
    there, here = places.get(asked.into), places[asked.only]
    if there is not None and there.web != here.web:
        yield _(
            "into: {slug} has its place on {there}, {source} is on {here}: a copy is made on the "
            "node of its space alone. If it was never finished, close and purge it, and make one "
            "by another name",
            slug=asked.into,
            there=there.web,
            source=asked.only,
            here=here.web,
        )


def _goes_on(asked: Asked, record: Record) -> bool:
    """Whether a file is that of the very copy that is asked for."""
    of = record.data.get(_copies.KEY, {}).get("space")
    return of == asked.only and record.data["status"] == "approved"


def _against_end(asked: Asked) -> Iterator[str]:
    latest = asked.today + datetime.timedelta(days=366)
    try:
        day = datetime.date.fromisoformat(asked.end)
        right = day.isoformat() == asked.end and asked.today < day <= latest
    except ValueError:
        right = False
    if not right:
        yield _(
            "until: found {found}; allowed: a day after {today} and not after {latest}, written "
            "YYYY-MM-DD",
            found=quoted(asked.end),
            today=asked.today,
            latest=latest,
        )


def against_room(
    asked: Asked,
    source: Record,
    known: Mapping[str, Record],
    places: Mapping[str, _placement.Place],
) -> Iterator[str]:
    """Yield why the node of a space has no room for its copy: it is promised as much. Pure."""
    limits = {
        node["name"]: {
            kind: amount
            for kind, amount in (
                (_loads.SPACES, node["spaces"]),
                (_placement.STORAGE, node["storage_gb"]),
            )
            if amount is not None
        }
        for node in asked.nodes
    }
    sizes = _placement.Sizes(
        {
            slug: record.data.get("limits", {}).get("storage_gb", asked.storage_gb)
            for slug, record in known.items()
        },
        asked.storage_gb,
    )
    node, need = places[source.slug].web, sizes.need(source.slug)
    loads = _loads.Loads(limits)
    loads.fill((place.web, sizes.need(slug)) for slug, place in places.items())
    if node in loads.names and (lacking := loads.lacks(node, need)):
        yield _(
            "{node} has no room for a copy of {slug}: {kinds} of archipel_capacity would be more "
            "than it takes. Raise it, or move a space to another node",
            node=node,
            slug=source.slug,
            kinds=", ".join(lacking),
        )


def values(source: Record, asked: Asked) -> Draft:
    """Return what the file of a copy says. Pure."""
    data, today = source.data, asked.today.isoformat()
    end = _(" (copy of {day})", day=today)
    ring = asked.ring or data.get("ring")
    theme = {key: value for key, value in data.get("theme", {}).items() if key in THEME}
    return {
        "name": data["name"][: LONGEST_NAME - len(end)] + end,
        "status": "approved",
        "decision": {"by": asked.by, "on": today},
        **{key: data[key] for key in KEPT if key in data},
        **({"ring": ring} if ring else {}),
        **({"theme": theme} if theme else {}),
        _copies.KEY: {
            "space": source.slug,
            "on": today,
            "by": asked.by,
            "consent": asked.consent.strip(),
        },
        "closing": {"on": asked.end, "by": asked.by, "noticed_on": today},
    }
