# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A moment as letters write it, worked out here once more."""

from __future__ import annotations

import datetime
import zoneinfo

FRENCH_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
FRENCH_MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
    *("août", "septembre", "octobre", "novembre", "décembre"),
)


def in_words(moment: int, zone: str, language: str) -> str:
    """Return a unix time in French or English: vendredi 4 décembre 2026 à 13 h 05 (Zone)."""
    at = datetime.datetime.fromtimestamp(moment, tz=zoneinfo.ZoneInfo(zone))
    if language != "fr":
        return f"{at:%A} {at.day} {at:%B} {at.year} at {at:%H:%M} ({zone})"
    day = "1er" if at.day == 1 else str(at.day)
    date = f"{FRENCH_DAYS[at.weekday()]} {day} {FRENCH_MONTHS[at.month - 1]} {at.year}"
    return f"{date} à {at:%H}\u00a0h\u00a0{at:%M} ({zone})"
