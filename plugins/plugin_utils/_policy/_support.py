# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""When the support of the catalogue's releases ends, and what comes next. Pure."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

Releases = t.Mapping[str, Unchecked]

# From so many days before it ends.
WARN_DAYS = 60


def problems(releases: t.Any) -> list[str]:
    """Return the ends of support that are no days of any calendar."""
    if not isinstance(releases, t.Mapping):
        return []
    return [
        f"{release}.end_of_life: found {quoted(entry['end_of_life'])}; allowed: a day of the "
        'calendar in quotes such as "2027-06-08"'
        for release, entry in releases.items()
        if isinstance(entry, t.Mapping) and "end_of_life" in entry and end_of(entry) is None
    ]


def end_of(entry: Unchecked) -> datetime.date | None:
    """Return the last day of a release's support; None: the catalogue does not say."""
    try:
        return datetime.date.fromisoformat(str(entry.get("end_of_life", "")))
    except ValueError:
        return None


def ends(releases: Releases, used: t.Iterable[str], today: datetime.date) -> list[str]:
    """Return a sentence for each release in use whose support ends soon, or has ended.

    Args:
        releases: the catalogue.
        used: ids of releases; those that the catalogue does not know are passed over.
        today: the day it is asked.

    """
    found = []
    for release in sorted(set(used) & set(releases)):
        end = end_of(releases[release])
        if end is None or (end - today).days > WARN_DAYS:
            continue
        left = (end - today).days
        when = f"ends on {end}, in {left} days" if left >= 0 else f"ended on {end}"
        found.append(f"Support of release {release} {when}. {_advice(releases, release, today)}")
    return found


def following(releases: Releases, release: str, today: datetime.date) -> str | None:
    """Return the next release of the catalogue: of the nearest later major, its newest version."""
    now = _numbers(releases[release])
    later = [
        (_numbers(entry)[:1], [-one for one in _numbers(entry)], name)
        for name, entry in releases.items()
        if _numbers(entry)[:1] > now[:1] and (end_of(entry) or today) >= today
    ]
    return min(later)[2] if later else None


def _advice(releases: Releases, release: str, today: datetime.date) -> str:
    after = following(releases, release, today)
    if after is None:
        return (
            "The catalogue has nothing newer: add a release of the next major to archipel_releases."
        )
    end = end_of(releases[after])
    until = f" (until {end})" if end else ""
    return (
        f"Next in the catalogue: {after}{until}; playbooks/upgrade.yml -e release={after} "
        "moves spaces to it"
    )


def _numbers(entry: Unchecked) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", str(entry.get("version", "")))]
