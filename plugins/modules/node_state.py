#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module node_state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_state
short_description: Bring packages, files and units of a node to their desired state in one task
version_added: 0.1.0
description:
  - What a role wants of a node, read, compared and done in one pass. A task per file, package or
    unit costs about half a second each, changed or not.
  - The order is that of the options, which is the one in which they need each other.
  - Only what is named is changed, and only O(absent) is removed.
options:
  groups:
    description: System groups that must exist.
    type: list
    elements: str
    default: []
  packages:
    description:
      - Packages of the distribution that must be installed, all in one transaction.
      - Those that are missing are installed by M(ansible.builtin.apt). Where none is, apt is not
        begun and no package index is read.
    type: list
    elements: str
    default: []
  services:
    description:
      - Whether services of O(packages) may start when they are installed.
      - Otherwise they start once they are configured, by O(units).
    type: bool
    default: false
  index_age:
    description:
      - Age in seconds from which on the package index is read again before packages are installed.
    type: int
    default: 86400
  absent:
    description: Files and links that must not be there.
    type: list
    elements: path
    default: []
  directories:
    description: Directories that must exist, parents first.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory.
        type: path
        required: true
      mode:
        description: Permission bits, octal.
        type: str
        default: "0755"
      owner:
        description: Its owner, who must exist.
        type: str
        default: root
      group:
        description: Its group, which must exist.
        type: str
        default: root
  files:
    description:
      - Files, which belong to root, each put in place whole. All are written before the first gets
        its place.
      - What nginx reads is tried by nginx before.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Where the file goes.
        type: path
        required: true
      src:
        description:
          - A template below the role's C(templates), or with O(files[].template=false) a file
            below its C(files).
          - Either this or O(files[].content).
        type: str
      content:
        description: The text of the file.
        type: str
      vars:
        description: Further variables for this template.
        type: dict
        default: {}
      mode:
        description: Permission bits, octal.
        type: str
        default: "0644"
      template:
        description: Whether O(files[].src) is a template.
        type: bool
        default: true
      secret:
        description: Whether no difference is shown of it.
        type: bool
        default: false
  links:
    description: Symbolic links. A file in the place of one is replaced.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The link.
        type: path
        required: true
      target:
        description: Where it leads.
        type: str
        required: true
  sysusers:
    description: Files of C(sysusers.d) whose users and groups must exist.
    type: list
    elements: path
    default: []
  sysctls:
    description:
      - Settings of the running kernel by their names. For the next boot write a file into
        C(/etc/sysctl.d).
      - A container may see a setting and not be allowed to write it. A privileged one could write
        those of its host, for all.
    type: dict
    default: {}
  manager:
    description:
      - What systemd itself must run with, by the names of C(systemctl show). Where it differs,
        systemd reads its files again.
    type: dict
    default: {}
  units:
    description: Units of systemd, in the order in which they are brought to their state.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit, with its suffix.
        type: str
        required: true
      enabled:
        description: Whether it starts at every boot. Left out, it stays as it is.
        type: bool
      masked:
        description: Whether nothing can start it. Left out, it stays as it is.
        type: bool
      state:
        description: Whether it runs now. Left out, it stays as it is.
        type: str
        choices: [started, stopped]
      newer:
        description:
          - Files that it has read, and folders of such. Where one was modified after the unit was
            started (with O(units[].then=reload), started or reloaded), O(units[].then) is done.
          - Compared by times rather than notified. What is notified is lost when a run dies.
        type: list
        elements: path
        default: []
      arrived:
        description:
          - The same for programs of packages, compared by when they came to their place.
            Their own time is that of their making.
        type: list
        elements: path
        default: []
      count_removed:
        description:
          - Whether a folder of O(units[].newer) counts too, since something in it may have gone.
        type: bool
        default: false
      then:
        description:
          - What is done to a unit that runs with older files.
          - V(report) changes nothing and returns RV(due).
        type: str
        choices: [restart, reload, stop, report]
        default: restart
      validate:
        description: A program that must succeed before the unit is started, restarted or reloaded.
        type: list
        elements: str
        default: []
  payload:
    description: All of it rendered and compressed by the action plugin. Not for playbooks.
    type: str
attributes:
  check_mode:
    support: full
    description:
      - Reports what a real run would change.
      - The package index is read all the same where packages are missing. Without one nothing can
        be said of them.
  diff_mode:
    support: full
    description: One entry per file, none of secret ones; what apt says of packages.
  idempotent:
    support: full
    description: A second run changes nothing.
requirements: [systemd >= 252]
seealso:
  - module: archipel.spaces.templates
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: Ensure Redis is installed, its shared instance off, and its configuration there
  archipel.spaces.node_state:
    packages: [redis-server]
    directories:
      - path: /etc/archipel
    files:
      - dest: /etc/archipel/common.conf
        src: etc/archipel/common.conf.j2
    units:
      - name: redis-server.service
        state: stopped
        enabled: false
        masked: true

- name: Ensure nginx runs with its configuration
  archipel.spaces.node_state:
    units:
      - name: nginx.service
        state: started
        enabled: true
        newer: [/etc/nginx]
        count_removed: true
        then: reload
        validate: [nginx, -t, -q]
"""

RETURN = r"""
changes:
  description: What was changed (in check mode, would be), by what it is.
  returned: always
  type: dict
  sample:
    "package redis-server": ["installed"]
    /etc/archipel/common.conf: ["content"]
    nginx.service: ["reloaded: /etc/nginx/nginx.conf is newer"]
groups:
  description: Numbers of O(groups). One that check mode would make has none.
  returned: always
  type: dict
  sample: {"archipel-proc": 987}
pending:
  description: Packages that check mode would have installed. What follows from them is a guess.
  returned: always
  type: list
  elements: str
unavailable:
  description: Settings of O(sysctls) that this node does not have, or does not let us set.
  returned: always
  type: list
  elements: str
loaded:
  description:
    - Those of O(units) that systemd knows. One without a state is asked for by its name alone.
  returned: always
  type: list
  elements: str
  sample: [nginx.service]
due:
  description: Files that are newer than a unit with O(units[].then=report), by unit.
  returned: always
  type: dict
  sample: {"mariadb.service": ["/etc/mysql/mariadb.conf.d/90-archipel.cnf"]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _node_state


def main() -> None:
    """Converge what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    wanted = unpack(module.params["payload"])
    try:
        result = _node_state.converge(wanted, check=module.check_mode, diff=module._diff)
    except _node_state.ERRORS as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
