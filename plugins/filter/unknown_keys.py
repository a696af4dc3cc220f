# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter unknown_keys: keys of a configuration that its program does not know."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_keys
short_description: Keys of a configuration that the program's own defaults lack
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Compares a configuration with the complete defaults that its program ships. A key that is not
    there is one the program never reads, by a slip of the pen or since an upgrade.
  - A mapping that is empty in the defaults takes any key.
positional: defaults
options:
  _input:
    description: The configuration.
    type: dict
    required: true
  defaults:
    description: What the program ships.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse a configuration with unknown keys
  ansible.builtin.assert:
    that: (wanted | archipel.spaces.unknown_keys(shipped)) == []
"""

RETURN = r"""
_value:
  description: Keys with dots between their parts, sorted.
  type: list
  elements: str
"""

import typing as t


def unknown_keys(configuration: t.Any, defaults: t.Any, path: str = "") -> list[str]:
    """Return the keys that the defaults lack."""
    if not isinstance(configuration, dict):
        return []
    if not isinstance(defaults, dict):
        return [path]
    found: list[str] = []
    for key in sorted(configuration if defaults else ()):
        here = f"{path}.{key}" if path else key
        if key not in defaults:
            found.append(here)
        else:
            found += unknown_keys(configuration[key], defaults[key], here)
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"unknown_keys": unknown_keys}
