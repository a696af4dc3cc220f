# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter support_ends: releases whose support ends soon."""

from __future__ import annotations

DOCUMENTATION = r"""
name: support_ends
short_description: Releases in use whose support ends within 60 days, or has ended
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Reads C(end_of_life) of the release catalogue, and names the next release in it.
  - Says nothing of releases of which the catalogue does not know when their support ends.
positional: used, today
options:
  _input:
    description: The release catalogue, archipel_releases.
    type: dict
    required: true
  used:
    description: Ids of the releases that spaces run or are given.
    type: list
    elements: str
    required: true
  today:
    description: The day to reckon from, such as C(2027-01-31). Empty means today.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Warn of releases whose support ends
  ansible.builtin.debug:
    msg: "{{ archipel_releases | archipel.spaces.support_ends([archipel_release]) }}"
"""

RETURN = r"""
_value:
  description: A sentence for each such release.
  type: list
  elements: str
"""

import datetime
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _support


def support_ends(
    releases: t.Mapping[str, t.Any], used: t.Iterable[str], today: str = ""
) -> list[str]:
    """Say which support ends."""
    day = (
        datetime.date.fromisoformat(today) if today else datetime.datetime.now(datetime.UTC).date()
    )
    return _support.ends(releases, [str(one) for one in used], day)


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Any]:
        """Return the filters of this file."""
        return {"support_ends": support_ends}
