# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filter only: narrow a list of spaces, and refuse words that name nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
name: only
short_description: Narrow a list of spaces to some of them
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Keeps the spaces that any of the words names, a slug or a group such as V(ring_canary),
    V(status_suspended), V(office_onlyoffice) or V(on_node1).
  - A word that names no space and no group of the inventory is an error, so that a typing mistake
    does not pass for an empty selection. A word that names a space of another node is none.
positional: words
options:
  _input:
    description: The spaces, C(archipel_spaces) or C(archipel_databases).
    type: list
    elements: dict
    required: true
  words:
    description: Comma-separated words or a list of them. Empty keeps all spaces.
    type: raw
    default: ""
"""

EXAMPLES = r"""
- name: Show where the chosen spaces are
  ansible.builtin.debug:
    msg: "{{ archipel_spaces | archipel.spaces.only(only | default('')) | map(attribute='url') }}"
"""

RETURN = r"""
_value:
  description: The chosen spaces, in their order.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from jinja2 import pass_context

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _selection
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import did_you_mean

PREFIXES = ("status_", "ring_", "office_", "on_")

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2.runtime import Context

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

    Spaces = list[SpaceEntry]


@pass_context
def only(context: Context, spaces: Spaces, words: str | Iterable[str] = "") -> Spaces:
    """Keep the spaces that a word names."""
    wanted = _split(words)
    if not wanted:
        return spaces
    groups: Mapping[str, list[str]] = context.get("groups", {})
    members = {slug for word in wanted for slug in groups.get(word, ())}
    chosen, found = [], set()
    for space in spaces:
        named = wanted & _selection.list_words(space)
        found |= named
        if named or space["slug"] in members:
            chosen.append(space)
    if wanted - found:
        _check(wanted - found, groups, context.get("archipel_report", {}), spaces)
    return chosen


def _split(words: str | Iterable[str]) -> set[str]:
    listed = words.split(",") if isinstance(words, str) else words
    return {str(word).strip() for word in listed} - {""}


def _check(
    words: set[str], groups: Mapping[str, list[str]], report: Unchecked, spaces: Spaces
) -> None:
    """Refuse what names neither a space nor a group of spaces, here or on another node.

    Raises:
        AnsibleFilterError: the word names nothing.

    """
    here = {space["slug"] for space in spaces}
    slugs = {*here, *groups.get("spaces", ()), *report.get("closed", ())}
    of_spaces = {name for name, members in groups.items() if slugs.intersection(members)}
    known = slugs | of_spaces | {name for name in groups if name.startswith(PREFIXES)}
    for word in sorted(words - known - {"status_closed"}):
        raise AnsibleFilterError(f'only: "{word}" {_why(word, known, report)}')


def _why(word: str, known: set[str], report: Unchecked) -> str:
    for status in ("requested", "refused"):
        if word in {space["slug"] for space in report.get(status, ())}:
            return f"is {status}: it has no space"
    if word in report.get("skipped", {}):
        return "is left as it is until its file is right: see archipel_report"
    return f"names no space and no group of spaces.{did_you_mean(word, known)}"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"only": only}
