# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filter invitable: the named spaces, if somebody may be invited into all of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: invitable
short_description: Return the named spaces, if somebody may be invited into all of them
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Refuses names that are no space, and spaces that are not approved or on hold; with every reason
    in one message.
positional: report, only
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
"""

EXAMPLES = r"""
- name: Refuse where nobody may be invited
  ansible.builtin.set_fact:
    invited: "{{ archipel_spaces | archipel.spaces.invitable(archipel_report, 'cine') }}"
"""

RETURN = r"""
_value:
  description: The slugs, each once.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._invitable import (
    invitable as check,
)


def invitable(spaces: list[dict[str, t.Any]], report: dict[str, t.Any], only: str) -> list[str]:
    """Return the named slugs, or fail with every reason against them.

    Raises:
        AnsibleFilterError: somebody may not be invited, with every reason.

    """
    chosen, problems = check(spaces, report, str(only))
    if problems:
        raise AnsibleFilterError("nobody was invited. " + "\n".join(problems))
    return chosen


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"invitable": invitable}
