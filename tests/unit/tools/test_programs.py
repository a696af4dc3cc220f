# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the programs that make calls say where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tools import ROOT


def test_a_host_without_php_is_told_what_to_install(tmp_path: Path):
    """Not Debian, for instance: there nothing installs it by itself."""
    for program in ("bash", "dirname"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    done = subprocess.run(
        ["bash", ROOT / "tools/check-php"],
        env={**os.environ, "PATH": str(tmp_path)},
        executable=str(tmp_path / "bash"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing on this host: php." in done.stderr
    assert "make php" in done.stderr
