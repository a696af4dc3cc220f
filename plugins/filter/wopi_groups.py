# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter wopi_groups: the list of spaces that Collabora Online reads each minute."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wopi_groups
short_description: The remote configuration of Collabora Online, one group for each space
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - One exact group for each space; the names a space has beside its first are aliases of it, so
    that a document opened under both is one document.
  - A group nobody answers to comes first. Without any group coolwsd would let the first space in
    that asks.
positional: sentinel
options:
  _input:
    description: The spaces, C(archipel_office_spaces) of the inventory plugin, or some of them.
    type: list
    elements: dict
    required: true
  sentinel:
    description: The group nobody answers to, with its scheme.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write the list
  ansible.builtin.copy:
    content: "{{ collabora_spaces | archipel.spaces.wopi_groups('https://none.invalid:443') }}"
    dest: /var/lib/archipel/collabora/spaces.json
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The document.
  type: str
"""

import json
import typing as t

from ansible.errors import AnsibleFilterError


def wopi_groups(spaces: list[dict[str, t.Any]], sentinel: str) -> str:
    """Return the document coolwsd polls.

    Raises:
        AnsibleFilterError: an entry lacks something.

    """
    groups = [{"host": str(sentinel), "allow": True, "aliases": []}]
    try:
        for space in sorted(spaces, key=lambda space: str(space["slug"])):
            first, *others = [f"https://{host}:443" for host in space["hosts"]]
            groups.append({"host": first, "allow": True, "aliases": others})
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"wopi_groups: {type(error).__name__}: {error}") from error
    wopi = {"alias_groups": {"mode": "groups", "groups": groups}}
    return json.dumps({"kind": "configuration", "storage": {"wopi": wopi}}, indent=1) + "\n"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"wopi_groups": wopi_groups}
