# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filter purgeable: the named spaces, if all of them may be purged."""

from __future__ import annotations

DOCUMENTATION = r"""
name: purgeable
short_description: Return the named spaces, if all of them may be purged
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Refuses names that are no space, spaces that are not closed or not past their grace, and spaces
    on hold; with every reason in one message.
positional: report, only, grace_days
options:
  _input:
    description: The spaces of all nodes.
    type: list
    elements: dict
    required: true
  report:
    description: The variable C(archipel_report).
    type: dict
    required: true
  only:
    description: Comma-separated slugs. Groups are not taken.
    type: str
    required: true
  grace_days:
    description: Days that a closed space is kept.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Refuse what may not be purged
  ansible.builtin.set_fact:
    purged: "{{ archipel_spaces | archipel.spaces.purgeable(archipel_report, 'cine', 30) }}"
"""

RETURN = r"""
_value:
  description: Slug, id, date of closing and node of each space.
  type: list
  elements: dict
"""

import datetime
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._eligible import (
    purgeable as check,
)

KEYS = ("slug", "id", "web", "closed_on")


def purgeable(
    spaces: list[dict[str, t.Any]], report: dict[str, t.Any], only: str, grace_days: int
) -> list[dict[str, t.Any]]:
    """Return the named spaces, or fail with every reason against it.

    Args:
        spaces: the spaces of all nodes.
        report: archipel_report.
        only: comma-separated slugs.
        grace_days: whole days that a closed space is kept.

    Raises:
        AnsibleFilterError: a space may not be purged, with every reason.

    """
    today = datetime.datetime.now(tz=datetime.UTC).date()
    chosen, problems = check(spaces, report, only, int(grace_days), today)
    if problems:
        raise AnsibleFilterError("nothing was purged. " + "\n".join(problems))
    return [
        {**{key: entry[key] for key in KEYS}, "is_copy": "copy_of" in entry} for entry in chosen
    ]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"purgeable": purgeable}
