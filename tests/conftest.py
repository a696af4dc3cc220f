# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Make the collection importable in every test."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Before anything of Ansible is imported: it reads its settings once.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
# Tests compare English, whoever runs them; the programs that they start speak it too.
os.environ["LANGUAGE"] = "en"

from ansible.plugins.loader import init_plugin_loader  # noqa: E402

init_plugin_loader([str(ROOT / "collections")])
