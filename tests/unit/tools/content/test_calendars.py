# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What CalDAV is sent."""

from __future__ import annotations

import datetime
from xml.etree import ElementTree

import pytest

from tools.content import calendars
from tools.content.association import Event

# A Wednesday.
TODAY = datetime.date(2026, 9, 2)


@pytest.mark.parametrize(
    ("day", "week", "expected"),
    [
        ("wednesday", 0, TODAY),
        ("monday", 0, datetime.date(2026, 8, 31)),
        ("sunday", 0, datetime.date(2026, 9, 6)),
        ("monday", 1, datetime.date(2026, 9, 7)),
        ("saturday", 17, datetime.date(2027, 1, 2)),
    ],
)
def test_days_are_counted_from_this_week(day: str, week: int, expected: datetime.date):
    event = Event(id="a", title="A", day=day, week=week)
    assert calendars.first_day(event, TODAY) == expected


def test_an_event_with_a_time():
    event = Event(
        id="cours", title="Cours; avec, tout", where="Ici\nou là", day="saturday", week=0,
        at="10:00", minutes=120, weeks=10,
    )  # fmt: skip
    assert calendars.write_event(event, TODAY, "velo.example").split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//archipel//demo//EN",
        "BEGIN:VEVENT",
        "UID:cours@velo.example",
        "DTSTAMP:20260902T000000Z",
        "DTSTART;TZID=Europe/Paris:20260905T100000",
        "DURATION:PT120M",
        "RRULE:FREQ=WEEKLY;COUNT=10",
        r"SUMMARY:Cours\; avec\, tout",
        r"LOCATION:Ici\nou là",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_an_event_of_a_whole_day_ends_with_it():
    text = calendars.write_event(Event(id="a", title="A", day="sunday", week=0), TODAY, "x.example")
    assert "DTSTART;VALUE=DATE:20260906\r\nDTEND;VALUE=DATE:20260907\r\nSUMMARY:A\r\n" in text


@pytest.mark.parametrize("name", ["Cours & <ateliers>", "Répétitions 🎺"])
def test_names_are_text_in_xml(name: str):
    described = ElementTree.fromstring(calendars.describe(name, "#00679e"))
    assert described.findtext(".//{DAV:}displayname") == name
    shared = ElementTree.fromstring(calendars.share_with(name))
    assert shared.findtext(".//{DAV:}href") == f"principal:principals/groups/{name}"
