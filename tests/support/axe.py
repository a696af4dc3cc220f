# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What is not accessible on a page (WCAG 2.2 AA), as axe-core sees it in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools import ROOT
from tools.chromium import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PINNED = Path(__file__).with_name("axe.txt")
KEPT = ROOT / "build/axe/axe.min.js"
# Phones and screens, in the light and in the dark.
VIEWS = [(width, dark) for width in (390, 1280) for dark in (False, True)]
RUN = """axe.run({within}, {{runOnly: {rules}}}).then((found) => JSON.stringify({{
  passes: found.passes.length,
  said: found.violations.map((one) => `${{one.id}}: ${{one.help}} (${{
    one.nodes.map((node) => node.target.join(' ')).join(', ')}})`),
}}))"""


def script() -> str:
    """Return axe; fetched once, and only as it was pinned."""
    if not KEPT.is_file():
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            # What it runs on is of no interest: one file is taken out of it.
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--require-hashes",
            ]
            pip += ["--only-binary=:all:", "--python-version=3.14", f"--dest={folder}"]
            subprocess.run([*pip, "--requirement", str(PINNED)], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (name,) = [one for one in archive.namelist() if one.endswith("/axe.min.js")]
                KEPT.write_bytes(archive.read(name))
    return KEPT.read_text(encoding="utf-8")


def complaints(page: Page, within: str = "") -> list[str]:
    """Return what is wrong with a page as it is shown now, in all views.

    Args:
        page: an open page.
        within: CSS selector of the part that is looked at; empty: all of it.

    """
    place = f"document.querySelector({json.dumps(within)})" if within else "document"
    found: list[str] = []
    # It needs timers, which a page without scripts has not.
    page.run_scripts(True)
    page.ask(f"{script()}; true")
    for width, dark in VIEWS:
        page.view(width, dark=dark)
        result = json.loads(page.ask(RUN.format(within=place, rules=json.dumps(RULES))))
        assert result["passes"] > 10, "axe has hardly looked"
        found += [f"{width}{' dark' if dark else ''}: {one}" for one in result["said"]]
    page.view()
    page.run_scripts(page.scripts)
    return found
