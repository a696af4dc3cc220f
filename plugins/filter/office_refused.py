# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter office_refused: spaces that must stay as they are, for their office servers' sake."""

from __future__ import annotations

DOCUMENTATION = r"""
name: office_refused
short_description: Spaces that an office server asks to leave as they are
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - The role of a suite may hold back a change to a space, such as a new secret while
    people edit. It then says so in a fact named after itself, C(<role>_refused). The space must not
    be changed either, or the two would not know each other any more.
positional: suites, nodes
options:
  _input:
    description: The variables of all nodes.
    type: dict
    required: true
  suites:
    description: The office suites, as C(archipel_office_suites) has them.
    type: dict
    required: true
  nodes:
    description: The nodes of office servers.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say who stays as they are
  ansible.builtin.debug:
    msg: "{{ hostvars | archipel.spaces.office_refused(archipel_office_suites, groups['office']) }}"
"""

RETURN = r"""
_value:
  description: Slug and reason.
  type: dict
"""

import typing as t


def office_refused(
    hostvars: t.Mapping[str, t.Any], suites: t.Mapping[str, t.Any], nodes: t.Iterable[str]
) -> dict[str, str]:
    """Return what the roles of the suites have refused, on all nodes."""
    roles = [str(suite["role"]).rpartition(".")[2] for suite in suites.values() if "role" in suite]
    return {
        slug: reason
        for node in nodes
        for role in roles
        for slug, reason in hostvars[node].get(f"{role}_refused", {}).items()
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"office_refused": office_refused}
