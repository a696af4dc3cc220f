# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

r"""Look for what is not accessible on a page (WCAG 2.2 AA), with axe in a headless Chromium.

    npm install axe-core
    python -m tools.axe node_modules/axe-core/axe.min.js page.html …

Pages are files with what they load beside them (form.css, form.js). Each is looked at on a phone
and on a screen, in the light and in the dark. Ends with 1 where anything is found.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIEWS = [("390,844", False), ("1280,900", False), ("390,844", True), ("1280,900", True)]
SCRIPT = """
addEventListener('load', async () => {{
  const found = await axe.run(document, {{ runOnly: {rules} }});
  const said = found.violations.map((one) => ({{
    rule: one.id, help: one.help, where: one.nodes.map((node) => node.target.join(' ')),
  }}));
  const open = found.incomplete.map((one) => ({{ rule: one.id, where: one.nodes.length }}));
  const result = document.createElement('pre');
  result.id = 'axe-result';
  result.textContent = JSON.stringify({{ passes: found.passes.length, said, open }});
  document.body.append(result);
}});
"""
RESULT = re.compile(r'<pre id="axe-result">(.*?)</pre>', re.DOTALL)


def look(page: Path, axe: Path, size: str, *, dark: bool) -> dict[str, object]:
    """Return what axe finds on one page, as one browser shows it."""
    text = page.read_text(encoding="utf-8")
    for name in ("form.css", "form.js"):
        text = text.replace(f'"/{name}"', f'"{name}"')
    script = SCRIPT.format(rules=json.dumps(RULES))
    head = f"<script>{axe.read_text(encoding='utf-8')}</script><script>{script}</script></head>"
    with tempfile.TemporaryDirectory() as folder:
        for beside in page.parent.iterdir():
            if beside.suffix in {".css", ".js"}:
                Path(folder, beside.name).write_bytes(beside.read_bytes())
        copy = Path(folder, "page.html")
        copy.write_text(text.replace("</head>", head, 1), encoding="utf-8")
        command = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--window-size={size}",
        ]
        command += [
            "--virtual-time-budget=10000",
            f"--user-data-dir={folder}/profile",
            "--dump-dom",
        ]
        command += ["--blink-settings=preferredColorScheme=0"] if dark else []
        done = subprocess.run(
            [*command, copy.as_uri()], capture_output=True, text=True, check=True, timeout=120
        )
    match = RESULT.search(done.stdout)
    if match is None:
        raise RuntimeError(f"{page}: axe said nothing")
    return dict(json.loads(html.unescape(match[1])))


def main() -> None:
    """Look at all pages, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("axe", type=Path)
    parser.add_argument("pages", type=Path, nargs="+")
    given = parser.parse_args()
    wrong = False
    for page in given.pages:
        for size, dark in VIEWS:
            found = look(page, given.axe, size, dark=dark)
            wrong = wrong or bool(found["said"])
            print(
                f"{page} {size}{' dark' if dark else ''}: {json.dumps(found, ensure_ascii=False)}"
            )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
