#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Repair the spaces that an upgrade took to a new major, those that are due.

Their upgrade left a note. A space is taken while it sleeps; one that people use without a pause,
after the patience. A few at a time, and no further one once this look has lasted its seconds.
"""

from __future__ import annotations

import argparse
import os
import sys

sys.path.insert(0, "/usr/local/lib/archipel")

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _repair


def main() -> int:
    """Look once; a space that could not be repaired fails the unit, which alerts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="folder of the spaces")
    parser.add_argument("--php", required=True, help="the PHP interpreter")
    parser.add_argument("--parallel", type=int, required=True, help="spaces at the same time")
    parser.add_argument("--seconds", type=float, required=True, help="of a look")
    parser.add_argument("--patience", type=float, required=True, help="seconds to wait for sleep")
    options = parser.parse_args()
    os.umask(0o077)
    try:
        came = _repair.run(_repair.Settings(**vars(options)))
    except _journal.JournalError as error:
        # Whoever is at work is not disturbed.
        print(f"not now: {error}")
        return 0
    for slug, what in came.items():
        # systemd reads the priority in front of a line.
        print(f"{'<3>' if what.startswith('failed') else ''}{slug}: {what}", flush=True)
    return 1 if any(what.startswith("failed") for what in came.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
