# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""nginx's whole configuration, as it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from testinfra.host import Host

# No fault: it asks for a cache of open files, which would go on serving a release that was left.
SKIPPED = "try_files_is_evil_too"


def examine(text: str, folder: Path) -> list[str]:
    """Return what gixy finds in a dump of a configuration."""
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [f"{sys.prefix}/bin/gixy", "--format", "json", "--skips", SKIPPED, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return [f"{one['plugin']}: {one['reason']}" for one in json.loads(done.stdout)]


def test_gixy_finds_nothing(node: Host, tmp_path: Path):
    dump = node.check_output("nginx -T 2>/dev/null")
    assert "# configuration file /etc/nginx/snippets/archipel-space.conf:" in dump
    assert examine(dump, tmp_path) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("return 302 https://x.example$uri;", "http_splitting"),
        ("location /x { add_header X-Y z; }", "add_header_redefinition"),
        ("location /i { alias /srv/; }", "alias_traversal"),
    ],
)
def test_what_it_would_find(node: Host, tmp_path: Path, line: str, found: str):
    """Or nothing could be found at all."""
    dump = node.check_output("nginx -T 2>/dev/null")
    head = "    include /etc/nginx/snippets/archipel-space.conf;"
    assert head in dump
    said = examine(dump.replace(head, f"    {line}\n{head}"), tmp_path)
    assert any(one.startswith(f"{found}: ") for one in said), said
