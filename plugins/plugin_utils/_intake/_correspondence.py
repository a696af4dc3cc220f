# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters of a registry: due by its files, and recorded beside them in letters.txt.

The node that sends has the record that counts in the moment; this one is for people, for git, and
for a node that was made anew. Nobody's address is in it.
"""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
    did_you_mean,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _dormancy,
    _files,
    _letters,
    _moderation,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _ledger, _writing

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ansible.parsing.vault import VaultLib

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

NAME = "letters.txt"


class Wanted(t.NamedTuple):
    """Which letters are wanted; days as in the policy."""

    today: datetime.date
    days: int
    request_days: int
    notice_days: int
    dormant_notice_days: int
    # Slugs; none: all.
    only: frozenset[str] = frozenset()


def merge(templates: t.Any, own: t.Any) -> dict[str, Draft]:
    """Return the templates of the project with what the operator says otherwise."""
    steps = {*templates, *own}
    return {step: {**templates.get(step, {}), **own.get(step, {})} for step in steps}


def compose(
    home: Path, house: _letters.House, wanted: Wanted, vault: VaultLib
) -> list[_letters.Letter]:
    """Return the letters that are due.

    Raises:
        RegistryError: the registry cannot be read, or its contacts are sealed.

    """
    folder = _files.read(home, vault)
    if folder.contacts.sealed:
        text = _("is encrypted, and this run has no password; nobody was written to")
        raise RegistryError([Problem(folder.contacts.path, text)])
    purged = _ledger.list_purged(_ledger.read(folder.environment.ledger))
    gone = {slug: at for slug, at in purged.items() if slug not in folder.placed}
    records = _choose(folder.records, wanted.only)
    sent = frozenset(read(home))
    told = _letters.list_told(sent)
    events = [event for one in records.values() for event in _letters.find_events(one, gone, told)]
    due = _letters.find_due(events, sent, wanted.today, wanted.days)
    letters = []
    for event in due:
        record = records[event.slug]
        contact = record.data.get("contact") or folder.contacts.known.get(event.slug)
        if contact:
            end = _end(record, wanted)
            letters.append(_letters.compose(event, record, contact, end, house))
    return letters


def _choose(records: Sequence[Record], only: frozenset[str]) -> dict[str, Record]:
    """Return the files that are looked at.

    Raises:
        RegistryError: a name is none of them.

    """
    known = {record.slug: record for record in records}
    wrong = sorted(only - set(known))
    if wrong:
        text = _("has no file, or one that check.yml finds wrong; nobody was written to")
        raise RegistryError(
            Problem(f"only={slug}", f"{text}.{did_you_mean(slug, known)}") for slug in wrong
        )
    return {slug: one for slug, one in known.items() if not only or slug in only}


def _end(record: Record, wanted: Wanted) -> str:
    if "closing" in record.data:
        return str(record.data["closing"]["on"])
    if end_of_use := _dormancy.suspends_on(record.data, wanted.dormant_notice_days):
        return end_of_use
    patience = _moderation.Patience(wanted.request_days, wanted.notice_days)
    end = _moderation.ends_on(record, patience)
    return end.isoformat() if end else ""


def read(home: Path) -> dict[str, str]:
    """Return what was sent: key → when. A last line that was cut short is none.

    Raises:
        RegistryError: a line is none of ours.

    """
    path = home / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(
            [Problem(str(path), _("cannot be read ({error})", error=error))]
        ) from error
    found = {}
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        try:
            entry = json.loads(line)
            found[str(entry["letter"])] = str(entry["at"])
        except (ValueError, KeyError, TypeError) as error:
            text = _("no line of ours; take the file's last version from git")
            raise RegistryError([Problem(str(path), text, number)]) from error
    return found


def record(home: Path, sent: Mapping[str, float]) -> None:
    """Add letters to the record, sorted, so that git merges it."""
    with _writing.one_operator(home):
        known = read(home)
        times = {key: _moment(at) for key, at in sent.items() if key not in known}
        if times:
            lines = sorted((at, key) for key, at in {**known, **times}.items())
            text = "".join(json.dumps({"at": at, "letter": key}) + "\n" for at, key in lines)
            _writing.replace(home / NAME, text.encode())


def _moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, tz=datetime.UTC).isoformat(timespec="seconds")


def preview(letter: _letters.Letter, folder: Path) -> None:
    """Write a letter as text and as the page of its HTML."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{letter['slug']}.{letter['step']}"
    head = f"To: {letter['to']}\nSubject: {letter['subject']}\n\n"
    _writing.replace(folder / f"{name}.txt", (head + letter["text"]).encode())
    _writing.replace(folder / f"{name}.html", letter["html"].encode())
