# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter open_applications: what releases bring and the policy says nothing of."""

from __future__ import annotations

DOCUMENTATION = r"""
name: open_applications
short_description: Applications that a release brings and the policy turns neither on nor off
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Compares the release catalogue with the application set. What is in neither of its lists follows
    Nextcloud's own defaults, which differ by release.
  - Knows what the archives of Nextcloud 32 and 33 bring. Of others the nodes that have built
    them say so, in each run.
positional: policy, suites, registration
options:
  _input:
    description: The release catalogue, archipel_releases.
    type: dict
    required: true
  policy:
    description: The application set, archipel_applications.
    type: dict
    required: true
  suites:
    description: The office suites, archipel_office_suites.
    type: dict
    required: true
  registration:
    description: How visitors ask for an account, archipel_registration.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Name what the policy leaves open
  ansible.builtin.debug:
    msg: >-
      {{ archipel_releases | archipel.spaces.open_applications(
           archipel_applications, archipel_office_suites, archipel_registration) }}
"""

RETURN = r"""
_value:
  description: A sentence for each release that brings such an application.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications


def open_applications(releases: t.Any, policy: t.Any, suites: t.Any, registration: t.Any) -> t.Any:
    """Say what is open in each release."""
    found = _applications.left_open(releases, policy, suites, registration)
    return [
        _(
            "release {release} brings {applications}, and archipel_applications says neither "
            "enabled nor disabled: name them in one of the two",
            release=release,
            applications=", ".join(names),
        )
        for release, names in found.items()
    ]


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Any]:
        """Return the filters of this file."""
        return {"open_applications": open_applications}
