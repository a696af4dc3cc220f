#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Report what each space of this node uses of its storage, for people and for Prometheus.

The kernel knows both use and limit: nothing is searched, whatever the spaces hold. A
space is a folder of the spaces' root with a unix user of its name; its project has the
user's number.
"""

from __future__ import annotations

import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import _quotactl
from _spaces_report import above, deliver, family, parser, projects, report


@dataclass(frozen=True)
class Usage:
    """What one space uses and may use; a limit of 0 is none."""

    used_bytes: int
    limit_bytes: int
    files: int
    limit_files: int

    @property
    def percent(self) -> float:
        """How full the space is: of bytes or of files, whichever is more."""
        pairs = ((self.used_bytes, self.limit_bytes), (self.files, self.limit_files))
        return round(max((100 * used / most for used, most in pairs if most), default=0.0), 2)


def read(root: Path) -> tuple[bool, dict[str, Usage]]:
    """Return whether limits hold here, and each space's use and limit."""
    found: dict[str, Usage] = {}
    if not root.is_dir():
        return False, found
    with _quotactl.opened(str(root.resolve())) as descriptor:
        counted, enforced = _quotactl.state(descriptor)
        for slug, project in projects(root).items() if counted else ():
            quota = _quotactl.read(descriptor, project)
            found[slug] = Usage(quota.used_bytes, quota.limit_bytes, quota.files, quota.limit_files)
    return enforced, found


def metrics(
    enforced: bool, spaces: t.Mapping[str, Usage], percents: t.Sequence[int], now: float
) -> str:
    """Return the report as Prometheus reads it. Pure."""
    label = '{{space="{}"}}'.format
    each = [(label(slug), usage) for slug, usage in spaces.items()]
    name = "archipel_space_storage"
    return "".join(
        [
            family(
                "archipel_storage_limits_enforced", "Whether limits hold.", [("", int(enforced))]
            ),
            family("archipel_usage_timestamp_seconds", "When this was read.", [("", int(now))]),
            family(f"{name}_used_bytes", "Storage used.", [(n, u.used_bytes) for n, u in each]),
            family(
                f"{name}_limit_bytes",
                "Storage allowed; 0 is no limit.",
                [(n, u.limit_bytes) for n, u in each],
            ),
            family(f"{name}_files", "Files and folders.", [(n, u.files) for n, u in each]),
            family(
                f"{name}_limit_files",
                "Files and folders allowed; 0 is no limit.",
                [(n, u.limit_files) for n, u in each],
            ),
            above(f"{name}_above", spaces, percents),
        ]
    )


def table(spaces: t.Mapping[str, Usage]) -> str:
    """Return the report as people read it, the fullest space first. Pure."""
    rows = [f"{'space':26} {'used':>10} {'limit':>10} {'files':>10} {'full':>7}"]
    for slug, usage in sorted(spaces.items(), key=lambda pair: (-pair[1].percent, pair[0])):
        used, limit = (
            f"{number / 2**30:.2f} GB" for number in (usage.used_bytes, usage.limit_bytes)
        )
        rows.append(f"{slug:26} {used:>10} {limit:>10} {usage.files:>10} {usage.percent:>6.1f}%")
    return "\n".join(rows)


def main() -> int:
    """Read once; write what was asked for, or print a table."""
    arguments = parser(__doc__).parse_args()
    enforced, spaces = read(arguments.root)
    now, percents = time.time(), sorted(arguments.percent)
    document = report(spaces, percents, now, enforced=enforced)
    deliver("usage", arguments, document, metrics(enforced, spaces, percents, now), table(spaces))
    return 0


if __name__ == "__main__":
    sys.exit(main())
