# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the reports about spaces share: which spaces there are, and how a report is written.

A report says of each space how much of a limit it uses, in `percent`.
"""

from __future__ import annotations

import argparse
import json
import pwd
import re
import tempfile
import time
import typing as t
from dataclasses import asdict
from pathlib import Path

SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,25}")


def projects(root: Path) -> dict[str, int]:
    """Return slug → project of the spaces that are on this node."""
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


def report(
    spaces: t.Mapping[str, t.Any], percents: t.Sequence[int], now: float, **more: t.Any
) -> dict[str, t.Any]:
    """Return a report as programs read it. Pure.

    Args:
        spaces: slug → what was found, a dataclass with the property `percent`.
        percents: from which on a space is reported as above.
        now: seconds since 1970.
        more: what there is to say of the node.

    """
    return {
        "version": 1,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        **more,
        "spaces": {
            slug: {
                **asdict(found),
                "percent": found.percent,
                "above": [percent for percent in percents if found.percent >= percent],
            }
            for slug, found in spaces.items()
        },
    }


def above(name: str, spaces: t.Mapping[str, t.Any], percents: t.Sequence[int]) -> str:
    """Return the metric that says which spaces use how much of a limit. Pure."""
    samples = [
        (f'{{space="{slug}",percent="{percent}"}}', int(found.percent >= percent))
        for slug, found in spaces.items()
        for percent in percents
    ]
    return family(name, "Whether a share of a limit is used.", samples)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all reports have."""
    options = argparse.ArgumentParser(description=description)
    root = Path("/srv/spaces")
    options.add_argument("--root", type=Path, default=root, help="the spaces' folder")
    options.add_argument("--report", type=Path, help="folder for the JSON")
    options.add_argument("--metrics", type=Path, help="folder for Prometheus' node exporter")
    options.add_argument(
        "--percent", type=int, action="append", default=[], help="warn from here on"
    )
    return options


def deliver(
    name: str,
    arguments: argparse.Namespace,
    document: t.Mapping[str, t.Any],
    metrics: str,
    table: str,
) -> None:
    """Write what was asked for, NAME.json and archipel_NAME.prom, or print the table."""
    if arguments.report is None and arguments.metrics is None:
        print(table)
    if arguments.report is not None:
        write(arguments.report / f"{name}.json", f"{json.dumps(document, indent=1)}\n")
    if arguments.metrics is not None:
        write(arguments.metrics / f"archipel_{name}.prom", metrics)
