# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""When the support of the catalogue's releases ends, and what comes next. Pure."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, ngettext
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
        _(
            "{release}.end_of_life: found {found}; allowed: a day of the calendar in quotes such "
            'as "2027-06-08"',
            release=release,
            found=quoted(entry["end_of_life"]),
        )
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
        words = {
            "release": release,
            "day": end,
            "advice": _advice(releases, release, today),
        }
        if (left := (end - today).days) < 0:
            found.append(_("Support of release {release} ended on {day}. {advice}", **words))
        else:
            text = ngettext(
                "Support of release {release} ends on {day}, in {n} day. {advice}",
                "Support of release {release} ends on {day}, in {n} days. {advice}",
                left,
                **words,
            )
            found.append(text)
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
        return _(
            "The catalogue has nothing newer: add a release of the next major to archipel_releases."
        )
    end = end_of(releases[after])
    return _(
        "Next in the catalogue: {release}{until}; playbooks/upgrade.yml -e release={release} "
        "moves spaces to it",
        release=after,
        until=_(" (until {day})", day=end) if end else "",
    )


def _numbers(entry: Unchecked) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", str(entry.get("version", "")))]
