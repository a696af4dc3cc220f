#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module nextcloud_opcache."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nextcloud_opcache
short_description: Keep the compiled code of releases, for spaces to wake quickly
version_added: 0.1.0
description:
  - Compiles the PHP files of all releases that are built on the node into O(folder), in the form
    PHP's own file cache has, and makes the result readable by all and writable by root alone.
    Nothing of a release is run.
  - A cache belongs to one build of PHP with its extensions, and C(php) and C(php-fpm) have one
    each. After an update of PHP the next run compiles anew and removes what was there for the
    earlier build. Whether there was one is seen by the change times of its files.
  - It is compiled beside its place and renamed, so that it is whole or absent.
  - O(dropins) show it to what runs as a space, below C(/run/opcache), and make PHP use it.
author: The Archipel contributors
options:
  folder:
    description: Where the cache is. Empty means none; O(dropins) are removed then.
    type: str
    default: /srv/nextcloud/opcache
  releases_folder:
    description: Where releases are, each with its manifest beside it.
    type: path
    default: /srv/nextcloud/releases
  php_version:
    description: The version of PHP that will run them, as Debian names its programs.
    type: str
    required: true
  dropins:
    description:
      - Files that systemd reads beside the units of spaces; all get the same text.
      - Their folders are made. The units are read again by M(archipel.spaces.spaces_services).
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Can run in check mode and report what a real run would change.
    support: full
  diff_mode:
    description: Shows what would change.
    support: none
    details: A release is compiled or it is not.
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Have the releases compiled
  archipel.spaces.nextcloud_opcache:
    php_version: "8.4"
    dropins: [/etc/systemd/system/space-php@.service.d/20-opcache.conf]
"""

RETURN = r"""
system_ids:
  description:
    - Names of the caches' folders below O(folder), by program.
    - A program for which nothing is compiled is left out.
  returned: success
  type: dict
  sample: {"fpm": "b9653cf5b0e8f4529ef95f9b41181428", "cli": "8eb4ae17292dc2972c4f3426e77c4206"}
compiled:
  description: Number of files compiled, by program and release; 0 in check mode.
  returned: success
  type: dict
  sample: {"fpm": {"33.0.9": 9782}, "cli": {}}
removed:
  description: What was removed, caches of earlier builds of PHP and of releases that are gone.
  returned: success
  type: list
  elements: str
dropins:
  description: The drop-ins that were changed. In check mode none before the code is compiled.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._web import _compilation, _opcache

SPEC = {
    "folder": {"type": "str", "default": "/srv/nextcloud/opcache"},
    "releases_folder": {"type": "path", "default": "/srv/nextcloud/releases"},
    "php_version": {"type": "str", "required": True},
    "dropins": {"type": "list", "elements": "path", "default": []},
}


def main() -> None:
    """Compile the releases that are not."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    options = module.params
    try:
        result = _opcache.converge(
            options["php_version"],
            options["folder"],
            options["releases_folder"],
            options["dropins"],
            check=module.check_mode,
        )
    except (_compilation.CompilationError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
