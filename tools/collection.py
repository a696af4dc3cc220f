# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The collection's own code, for programs that no Ansible runs."""

from __future__ import annotations

import os
import sys

from tools import ROOT


def importable() -> None:
    """Make ``ansible_collections.archipel`` importable: to be called before anything of it is."""
    os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    # Only now: it reads its settings once.
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415

    # A test that imports this has done it already.
    if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
        init_plugin_loader([str(ROOT / "collections")])
