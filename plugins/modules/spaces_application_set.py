#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_application_set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_application_set
short_description: Refuse to touch a space before its release holds the application set
version_added: 0.1.0
description:
  - Checks the application set of the policy, then whether each release that spaces of this node
    run or are to run holds all of it. An application that a release is to go without must be named
    in the catalogue.
  - Everything that is wrong is said at once, and the run ends before any space was touched.
  - Returns the release of the node's distribution, which the version of PHP follows from. Asking
    M(ansible.builtin.setup) for it costs as much as converging a thousand spaces.
  - Changes nothing.
extends_documentation_fragment:
  - archipel.spaces.spaces
attributes:
  diff_mode:
    support: none
    description: Nothing is ever changed.
    details: There is nothing to show.
"""

EXAMPLES = r"""
- name: Check the application set
  archipel.spaces.spaces_application_set:
    spaces: "{{ archipel_spaces }}"
    settings: "{{ __spaces_settings_of_releases }}"
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
without:
  description: Applications of the set that a release goes without, by release.
  returned: success
  type: dict
  sample: {"33.0.9": ["calendar"]}
open:
  description:
    - Applications that a release brings and the policy turns neither on nor off, by release.
    - Releases of the catalogue that no space uses yet are looked at as well. A warning names them.
  returned: success
  type: dict
  sample: {"34.0.1": ["new_application"]}
ansible_facts:
  description: Facts of M(ansible.builtin.setup), under the same names.
  returned: success
  type: dict
  contains:
    distribution_release:
      description: Code name of the distribution's release.
      type: str
      sample: trixie
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    distribution,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _application_set


def main() -> None:
    """Compare the application set with the releases of this node."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    order = unpack(module.params["payload"])
    problems, without, left_open = _application_set.check(**order)
    for release, applications in left_open.items():
        module.warn(
            f"Release {release} brings {', '.join(applications)}, and the policy says neither on "
            "nor off: they follow Nextcloud's defaults. Name them in archipel_applications"
        )
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False, without=without, open=left_open, ansible_facts=distribution())


if __name__ == "__main__":
    main()
