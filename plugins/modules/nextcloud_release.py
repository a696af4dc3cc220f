#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module nextcloud_release."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nextcloud_release
short_description: Build a Nextcloud release that many spaces share
version_added: 0.1.0
description:
  - Builds O(folder)/O(id) from a verified archive, owned by root, readable by all, writable by
    nobody. It is unpacked beside its place, checked, and renamed, so that it is whole or absent.
  - A manifest O(folder)/O(id).json says what it was built from and what it can do.
  - A release that is there is never modified. When the catalogue asks for another archive or
    version under the same id, the module refuses and says so.
  - The archive is looked for and verified on the controller, once for all nodes, and copied only
    to nodes that lack the release. First a file in O(sources.local_folders), then the address of
    the catalogue or of a mirror.
  - An archive is accepted when the vendor's OpenPGP signature is valid and comes from the key with
    O(sources.key_fingerprint). A local file without a signature is accepted when the catalogue
    pins its SHA-256, or when O(sources.allow_unsigned_local) says so; then with a warning.
  - Downloads are resumed, tried again after pauses, kept by their checksum, and honour the usual
    variables for proxies. Applications are fetched four at a time.
  - On a stand-in, applications that do not lie in O(sources.local_folders) are left out.
author: The Archipel contributors
options:
  id:
    description: The release's id in the catalogue, and the name of its folder.
    type: str
    required: true
  release:
    description: >-
      The release's entry in the catalogue, C(version), C(php) with C(min) and C(max), C(archive)
      with any of C(url), C(signature_url), C(checksum_url) and C(sha256), C(applications).
    type: dict
    required: true
  folder:
    description: Where releases are on the node.
    type: path
    default: /srv/nextcloud/releases
  php:
    description: The PHP that will run the release.
    type: path
    default: /usr/bin/php
  applications:
    description: >-
      Folders on the controller, each a Nextcloud application that goes into C(apps-extra) of the
      release.
    type: list
    elements: path
    default: []
  sources:
    description: Where archives and the vendor's key may come from.
    type: dict
    required: true
    suboptions:
      local_folders:
        description: Folders on the controller with C(nextcloud-VERSION.tar.bz2) and the like.
        type: list
        elements: path
        default: []
      allow_unsigned_local:
        description: Accept a local file that has neither a signature nor a pinned checksum.
        type: bool
        default: false
      standin_folder:
        description: >-
          Folder on the controller with stand-in releases, for demonstrations and tests, used only
          when no archive can be had otherwise. Empty means never.
        type: str
        default: ""
      leave_out_unavailable:
        description: >-
          Build the release without those of its applications that cannot be had or must not be
          trusted, with a warning for each, instead of failing. They are named under C(left_out) of
          the manifest. For demonstrations.
        type: bool
        default: false
        version_added: 0.1.0
      mirror_url:
        description: Address of a folder with the vendor's files, used instead of the vendor's.
        type: str
        default: ""
      cache_folder:
        description: Where the controller keeps what it downloaded.
        type: path
        required: true
      keyring:
        description: File on the controller with the vendor's public key, armored or not.
        type: str
        default: ""
      key_url:
        description: Where the key is fetched from when O(sources.keyring) is empty.
        type: str
        default: https://nextcloud.com/nextcloud.asc
      key_fingerprint:
        description: Fingerprint of the only key whose signatures count.
        type: str
        required: true
  payload:
    description: The release, checked and packed by the action plugin. Not for playbooks.
    type: str
attributes:
  check_mode:
    description: Can run in check mode and tell what a real run would change.
    support: full
  diff_mode:
    description: Shows what would change.
    support: none
    details: A release is built or it is not.
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Build the release of the policy
  archipel.spaces.nextcloud_release:
    id: "33.0.9"
    release:
      version: "33.0.9"
      php: {min: "8.2", max: "8.5"}
      archive:
        url: https://download.nextcloud.com/server/releases/nextcloud-33.0.9.tar.bz2
    sources:
      cache_folder: ~/.cache/archipel/releases
      key_fingerprint: 28806A878AE423A28372792ED75899B9A724937A
"""

RETURN = r"""
manifest:
  description: What the release was built from and what it can do; empty in check mode before it is.
  returned: success
  type: dict
  sample: {"id": "33.0.9", "version": "33.0.9", "standin": false}
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
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release,
    _release_manifest,
)


def main() -> None:
    """Build the release that the payload describes, unless it is there."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    order = unpack(module.params["payload"])
    try:
        result = _release.converge(**order, check=module.check_mode)
    except (_release_manifest.ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result, ansible_facts=distribution())


if __name__ == "__main__":
    main()
