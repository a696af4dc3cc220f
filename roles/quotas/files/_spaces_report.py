# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the reports about spaces share: which spaces there are, and how a report is written."""

from __future__ import annotations

import pwd
import re
import tempfile
import typing as t
from pathlib import Path

SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,25}")


def projects(root: Path) -> dict[str, int]:
    """Return slug → project of the spaces that are on this machine."""
    users = {user.pw_name: user.pw_uid for user in pwd.getpwall()}
    slugs = [entry.name for entry in root.iterdir()] if root.is_dir() else []
    return {
        slug: users[f"space-{slug}"]
        for slug in sorted(slugs)
        if SLUG.fullmatch(slug) and f"space-{slug}" in users
    }


def family(name: str, text: str, samples: t.Iterable[tuple[str, float]]) -> str:
    """Return one metric in Prometheus' text format; labels are slugs and numbers. Pure."""
    rows = [f"{name}{labels} {value}" for labels, value in samples]
    return "\n".join([f"# HELP {name} {text}", f"# TYPE {name} gauge", *rows]) + "\n"


def write(path: Path, text: str) -> None:
    """Put a file in place, whole or not at all: others read it at any moment."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
        Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
