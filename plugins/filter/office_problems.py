# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter office_problems: which office nodes a run did not converge, and why."""

from __future__ import annotations

DOCUMENTATION = r"""
name: office_problems
short_description: Office nodes that a run did not converge
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Spaces do not wait for office servers. At the end of a run this says which nodes were left
    out, because they did not answer or because something failed on them.
positional: hostvars, facts
options:
  _input:
    description: The office servers, as C(archipel_report) has them.
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variables of all nodes.
    type: dict
    required: true
  facts:
    description: Names of facts that a node has where all went well.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Name the office servers that failed
  ansible.builtin.fail:
    msg: "{{ archipel_report['offices'] | archipel.spaces.office_problems(hostvars, ['done']) }}"
"""

RETURN = r"""
_value:
  description: A sentence for each node.
  type: list
  elements: str
"""

import typing as t


def office_problems(
    servers: list[dict[str, t.Any]], hostvars: t.Mapping[str, t.Any], facts: list[str]
) -> list[str]:
    """Return a sentence for each node that lacks one of the facts."""
    problems = []
    for node in sorted({str(server["node"]) for server in servers}):
        known = hostvars[node]
        if not all(known.get(fact) for fact in facts):
            names = ", ".join(str(one["name"]) for one in servers if one["node"] == node)
            reason = known.get("playbook_office_problem") or "The node does not answer."
            text = f"{node}: its office servers ({names}) were not converged; everything else was."
            problems.append(f"{text} {reason}")
    return problems


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"office_problems": office_problems}
