# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filter registry_summary: what a registry asks of the people who look after it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: registry_summary
short_description: What a registry asks of people, in sentences
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Says how many files there are and of which status, which requests wait, which spaces are new and
    where, which have lost their file, which files are wrong or passed over.
options:
  _input:
    description: C(archipel_report).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is to be done
  ansible.builtin.debug:
    msg: "{{ archipel_report | archipel.spaces.registry_summary }}"
"""

RETURN = r"""
_value:
  description: Sentences, the most urgent ones last.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, ngettext
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Report = dict[str, t.Any]
# Of a list that is longer, the beginning is said.
SHOWN = 20


def registry_summary(report: Report) -> list[str]:
    """Return what people have to know or do."""
    return [*_counted(report), *_ended(report), *_changed(report), *_wrong(report)]


def _counted(report: Report) -> Iterator[str]:
    # By the words of the files: those are what people write there.
    counts = {status: number for status, number in report["counts"].items() if number}
    yield ngettext(
        "{environment}: {n} file, {statuses}.",
        "{environment}: {n} files, {statuses}.",
        report["files"],
        environment=report["environment"],
        statuses=", ".join(f"{number} {status}" for status, number in counts.items()) or _("none"),
    )
    requests = [f"{_plain(one['slug'])} ({_plain(one['name'])})" for one in report["requested"]]
    yield from _list(_("Waiting for a decision"), requests)


def _ended(report: Report) -> Iterator[str]:
    yield from _list(_("On hold, and left as they are"), report["held"])
    yield from _list(_("Closed, and kept until somebody purges them"), report["closed"])


def _changed(report: Report) -> Iterator[str]:
    """Spaces that come, and those whose file went: a renamed file is one of each."""
    new, lost = report["new"], report["without_file"]
    places = (
        _("{slug} on {node}, number {id}", slug=one["slug"], node=one["web"], id=one["id"])
        for one in new
    )
    yield from _list(_("New"), places)
    yield from _list(_("Without a file, and left as they are"), lost)
    if lost and new:
        yield _(
            "To rename a file is to make another space: if that was meant to be the same, give the "
            "file its old name."
        )


def _wrong(report: Report) -> Iterator[str]:
    yield from _list(
        _("Passed over: neither a file of an association nor its logo"), report["ignored"]
    )
    skipped = report["skipped"]
    yield from _list(_("Wrong, and left as they are until their file is right"), sorted(skipped))


def _list(title: str, items: Iterable[object]) -> Iterator[str]:
    found = [_plain(item) for item in items]
    if found:
        more = _(" and {number} more", number=len(found) - SHOWN) if len(found) > SHOWN else ""
        yield _(
            "{title} ({number}): {items}{more}.",
            title=title,
            number=len(found),
            items=", ".join(found[:SHOWN]),
            more=more,
        )


def _plain(text: object) -> str:
    """What strangers wrote, harmless to a terminal."""
    return escaped(str(text))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"registry_summary": registry_summary}
