#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Make the exports that associations start themselves, one in a look, and remove old ones."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

sys.path.insert(0, "/usr/local/lib/archipel")

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _handover,
)


def main() -> None:
    """Look once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="folder of the spaces")
    parser.add_argument("--vhosts", required=True, help="folder of their vhosts")
    parser.add_argument("--socket", required=True, help="MariaDB's")
    parser.add_argument("--authorities", required=True, help="of database servers elsewhere")
    options = parser.parse_args()
    os.umask(0o077)
    # The password of a distant database is in memory alone, and for as long as this takes.
    with tempfile.TemporaryDirectory(dir="/run", prefix="archipel-export-") as work:
        node = _backup.Node(options.root, options.vhosts, work, options.socket, options.authorities)
        for line in _handover.look(node, time.time()):
            print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
