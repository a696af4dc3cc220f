# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filter edge_names: where an edge leads each host name to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: edge_names
short_description: Where an edge leads each host name of the spaces to
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Returns a line for each host name, as a map of HAProxy has it, with the web node, the slug and
    the language of its space.
  - A space of a node that is lost stays with that node until it is restored on another one.
  - A space whose file is wrong keeps the names that are known of it.
positional: skipped, services
options:
  _input:
    description: The spaces of all web nodes, C(archipel_spaces).
    type: list
    elements: dict
    required: true
  skipped:
    description: The spaces whose file is wrong, C(archipel_skipped) of all web nodes.
    type: list
    elements: dict
    default: []
  services:
    description: Further host names, each with the web node that answers to it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Converge the edge
  ansible.builtin.include_role:
    name: archipel.spaces.edge
  vars:
    edge_names: "{{ spaces | archipel.spaces.edge_names(skipped) }}"
"""

RETURN = r"""
_value:
  description: Lines such as V(velo-ecole.example.org web1/velo-ecole/fr), sorted.
  type: str
"""

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        Skipped,
        SpaceEntry,
    )

# Of a space of which nothing but its names is known.
LANGUAGE = "en"
# In place of a space, where a name is of the platform.
NOBODY = "-"


def edge_names(
    spaces: Iterable[SpaceEntry],
    skipped: Iterable[Skipped] = (),
    services: Mapping[str, str] | None = None,
) -> str:
    """Return where each host name leads to, a line each."""
    served = {f"{name} {node}/{NOBODY}/{LANGUAGE}" for name, node in (services or {}).items()}
    lines = {*_lines(spaces), *_skipped(skipped), *served}
    return "".join(f"{line}\n" for line in sorted(lines))


def _lines(spaces: Iterable[SpaceEntry]) -> Iterator[str]:
    for space in spaces:
        language = space["locale"].partition("_")[0]
        for name in space["domains"]:
            # One that is not restored yet: who comes is told that its node is down.
            node = space.get("lost") or space["web"]
            yield f"{name} {node}/{space['slug']}/{language}"


def _skipped(skipped: Iterable[Skipped]) -> Iterator[str]:
    for space in skipped:
        for name in space["domains"]:
            yield f"{name} {space['web']}/{space['slug']}/{LANGUAGE}"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"edge_names": edge_names}
