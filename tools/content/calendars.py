# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What CalDAV is sent: a calendar, with whom it is shared, its events. Pure."""

from __future__ import annotations

import datetime
from xml.sax.saxutils import escape

from tools.content.association import Event

ZONE = "Europe/Paris"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CALENDAR = """<?xml version="1.0"?>
<c:mkcalendar xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:d="DAV:"
 xmlns:i="http://apple.com/ns/ical/"><d:set><d:prop><d:displayname>{name}</d:displayname>
<i:calendar-color>{color}</i:calendar-color></d:prop></d:set></c:mkcalendar>"""
SHARE = """<?xml version="1.0"?>
<o:share xmlns:o="http://owncloud.org/ns" xmlns:d="DAV:"><o:set>
<d:href>principal:principals/groups/{group}</d:href><o:read-write/></o:set></o:share>"""


def describe(name: str, color: str) -> str:
    """Return what MKCALENDAR is sent; color: #rrggbb."""
    return CALENDAR.format(name=escape(name), color=color)


def share_with(group: str) -> str:
    """Return what shares a calendar with a group, whose members may change it."""
    return SHARE.format(group=escape(group))


def first_day(event: Event, today: datetime.date) -> datetime.date:
    """Return the first day of an event: so many weeks after the week of today."""
    monday = today - datetime.timedelta(days=today.weekday())
    return monday + datetime.timedelta(weeks=event["week"], days=DAYS.index(event["day"]))


def write_event(event: Event, today: datetime.date, host: str) -> str:
    """Return an event as a file of iCalendar (RFC 5545).

    Args:
        event: what it is.
        today: the day from which it is counted.
        host: where it is made: its identifier is unique in the world.

    """
    day = first_day(event, today)
    if "at" in event:
        start = f"{day:%Y%m%d}T{event['at'].replace(':', '')}00"
        times = [f"DTSTART;TZID={ZONE}:{start}", f"DURATION:PT{event['minutes']}M"]
    else:
        after = day + datetime.timedelta(days=1)
        times = [f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DTEND;VALUE=DATE:{after:%Y%m%d}"]
    if "weeks" in event:
        times.append(f"RRULE:FREQ=WEEKLY;COUNT={event['weeks']}")
    where = [f"LOCATION:{_text(event['where'])}"] if "where" in event else []
    lines = (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//archipel//demo//EN", "BEGIN:VEVENT"),
        *(f"UID:{event['id']}@{host}", f"DTSTAMP:{today:%Y%m%d}T000000Z"),
        *times,
        f"SUMMARY:{_text(event['title'])}",
        *where,
        *("END:VEVENT", "END:VCALENDAR", ""),
    )
    return "\r\n".join(lines)


def _text(words: str) -> str:
    """Return words as a value of iCalendar."""
    for sign in ("\\", ";", ","):
        words = words.replace(sign, f"\\{sign}")
    return words.replace("\n", "\\n")
