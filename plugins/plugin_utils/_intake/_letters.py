# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters to associations: which are due, and what they say. Pure.

A letter belongs to an event that stands in a file with its day. Its key names the event: one that
was written about is never written about again, one that nobody wrote about in time is left alone.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import typing as t
from html import escape

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _placeholders
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _change

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

    Templates = Mapping[str, Mapping[str, Mapping[str, str]]]

# The invitation, with its link, is the space's own letter: playbooks/spaces.yml.
STEPS = (
    *("received", "question", "ending", "approved", "refused"),
    *("dormant", "dormant-last", "suspended", "reopened", "closing", "closed", "purged"),
    *("granted", "declined"),
)
WORDS = frozenset(
    {"greeting", "name", "slug", "url", "reason", "date", "ends_on", "kept_until", "since", "asked"}
    | {"operator", "operator_url", "operator_email", "help_url"}
)
LANGUAGES = ("fr", "en")
_MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}
_URL = re.compile(r"https?://[^\s<>]+[^\s<>.,;:!?)»”]")


class Event(t.NamedTuple):
    """What a letter is about, on which day, and why in the words of the file."""

    slug: str
    step: str
    day: str
    reason: str = ""

    @property
    def key(self) -> str:
        """What names the event for ever. Two questions of one day are two."""
        digest = hashlib.sha256(self.reason.encode()).hexdigest()[:8]
        return f"{self.slug}/{self.step}/{self.day}/{digest}"


class Letter(t.TypedDict):
    """A letter as a node sends it."""

    key: str
    slug: str
    step: str
    to: str
    name: str
    subject: str
    text: str
    html: str


class House(t.NamedTuple):
    """What all letters have in common."""

    # {name, url, email, help_url}
    operator: Mapping[str, str]
    # What a space's address is made of: https://{slug}.example.org
    url: str
    templates: Templates
    reasons: Mapping[str, Unchecked]
    # Language of files that name none.
    locale: str
    grace_days: int


def find_events(
    record: Record, purged: Mapping[str, str], told: frozenset[str] = frozenset()
) -> Iterator[Event]:
    """Yield what the state of a file is worth a letter.

    Args:
        record: the file.
        purged: slug → when, of spaces that are gone.
        told: slugs of those who were told of a suspension or an end; they are told that it is over.

    """
    data, slug = record.data, record.slug
    if "copy_of" in data:
        # It is not the association's: nobody is written to about it.
        return
    request, decision = data.get("request", {}), data.get("decision", {})
    status, closing = data["status"], data.get("closing")
    yield from _find_of_change(slug, data.get("change", {}))
    if status == "requested":
        yield from _find_of_request(slug, request)
    elif closing:
        yield Event(slug, "closing", closing["noticed_on"], closing.get("reason", ""))
    elif status == "approved" and "first" in data.get("dormancy", {}):
        yield _find_dormant(slug, data["dormancy"])
    elif status == "approved":
        if slug in told or request.get("via"):
            yield Event(slug, "reopened" if slug in told else "approved", decision["on"])
    elif status in {"refused", "suspended"}:
        yield Event(slug, status, decision["on"], decision["reason"])
    elif slug in purged:
        yield Event(slug, "purged", purged[slug][:10])
    else:
        yield Event(slug, "closed", data["closed_on"], decision.get("reason", ""))


def _find_of_request(slug: str, request: Unchecked) -> Iterator[Event]:
    asked = request.get("asked")
    if request.get("noticed_on"):
        yield Event(slug, "ending", request["noticed_on"])
    elif asked:
        yield Event(slug, "question", asked["on"], asked["reason"])
    elif request.get("on") and request.get("via"):
        yield Event(slug, "received", request["on"])


def _find_of_change(slug: str, change: Unchecked) -> Iterator[Event]:
    """Yield what was decided on a request from within a space; an end has a letter of its own."""
    decided = change.get("decided")
    if decided and (
        decided["decision"] == "declined" or change["what"] not in {"suspend", "close"}
    ):
        yield Event(slug, decided["decision"], decided["on"], decided.get("reason", ""))


def _find_dormant(slug: str, noted: Unchecked) -> Event:
    """Return the last letter that was decided on to a space that nobody uses."""
    if "third" in noted:
        return Event(slug, "dormant-last", noted["third"])
    return Event(slug, "dormant", noted.get("second", noted["first"]))


def list_told(sent: Iterable[str]) -> frozenset[str]:
    """Return who was told of a suspension or an end, by the keys of letters that were sent.

    Not who was told of the purge since then: a space of that name is another one.
    """
    told: dict[str, str] = {}
    gone: dict[str, str] = {}
    for slug, step, day, *_digest in (one for key in sent if len(one := key.split("/")) > 2):
        if step in {"suspended", "closed"}:
            told[slug] = max(day, told.get(slug, ""))
        elif step == "purged":
            gone[slug] = max(day, gone.get(slug, ""))
    return frozenset(slug for slug, day in told.items() if day > gone.get(slug, ""))


def find_due(
    events: Iterable[Event], sent: frozenset[str], today: datetime.date, days: int
) -> list[Event]:
    """Return the events that are to be written about.

    Args:
        events: of all files.
        sent: keys that were written about.
        today: the day.
        days: older events are nobody's news any more.

    """
    oldest = (today - datetime.timedelta(days=days)).isoformat()
    return [event for event in events if event.day >= oldest and event.key not in sent]


def compose(
    event: Event, record: Record, contact: Mapping[str, str], ends: str, house: House
) -> Letter:
    """Return a letter; what strangers wrote is words of it, and never read again.

    Args:
        event: what it is about.
        record: the file.
        contact: email and maybe name.
        ends: the day on which a request closes itself, YYYY-MM-DD; empty: none.
        house: what all letters have in common.

    """
    language = "fr" if record.data.get("locale", house.locale).startswith("fr") else "en"
    template = house.templates[event.step][language]
    words = _words(event, record, contact, ends, house, language)
    text = _paragraphs(_placeholders.fill(template["text"], words))
    # On one line; blanks that keep words together stay.
    subject = re.sub(r"[^\S\u00a0\u202f]+", " ", _placeholders.fill(template["subject"], words))
    return {
        "key": event.key,
        "slug": event.slug,
        "step": event.step,
        "to": contact["email"],
        "name": contact.get("name") or "",
        "subject": subject.strip(),
        "text": text,
        "html": _html(text, subject, language),
    }


def _words(
    event: Event,
    record: Record,
    contact: Mapping[str, str],
    ends: str,
    house: House,
    language: str,
) -> dict[str, str]:
    name, operator = contact.get("name") or "", house.operator
    hello = "Bonjour" if language == "fr" else "Hello"
    closed = record.data.get("closed_on", event.day)
    since, change = record.data.get("dormancy", {}).get("since", ""), record.data.get("change")
    kept = datetime.date.fromisoformat(closed) + datetime.timedelta(days=house.grace_days)
    return {
        "greeting": f"{hello} {name}," if name else f"{hello},",
        "name": record.data["name"],
        "slug": event.slug,
        "url": house.url.replace("{slug}", event.slug),
        "reason": house.reasons.get(event.reason, {}).get(language, event.reason),
        "date": in_words(event.day, language),
        "ends_on": in_words(ends, language) if ends else "",
        "asked": _change.describe(change, language) if change else "",
        "since": in_words(since, language) if since else "",
        "kept_until": in_words(kept.isoformat(), language),
        "operator": operator.get("name", ""),
        "operator_url": operator.get("url", ""),
        "operator_email": operator.get("email", ""),
        "help_url": operator.get("help_url", ""),
    }


def in_words(day: str, language: str) -> str:
    """Return a day as people write it: 1er juin 2026, 1 June 2026."""
    found = datetime.date.fromisoformat(day)
    first = "1er" if language == "fr" and found.day == 1 else str(found.day)
    glue = "\u00a0" if language == "fr" else " "
    return f"{first}{glue}{_MONTHS[language].split()[found.month - 1]} {found.year}"


def _paragraphs(text: str) -> str:
    """Return a text with its paragraphs; those of which nothing came are left out."""
    blocks = re.split(r"\n\s*\n", text.strip())
    lines = ("\n".join(line.strip() for line in one.split("\n") if line.strip()) for one in blocks)
    return "\n\n".join(block for block in lines if block) + "\n"


def _html(text: str, subject: str, language: str) -> str:
    """Return the same as a page that loads nothing."""
    blocks = (_linked(block).replace("\n", "<br>\n") for block in text.strip().split("\n\n"))
    body = "".join(f"<p>{block}</p>\n" for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head><meta charset="utf-8">'
        f"<title>{escape(subject)}</title></head>\n"
        '<body style="margin:0;padding:1em;background:#ffffff;color:#1a1a1a;'
        'font:16px/1.5 sans-serif">\n<div style="max-width:36em;margin:0 auto">\n'
        f"{body}</div>\n</body>\n</html>\n"
    )


def _linked(text: str) -> str:
    """Return a text for a page, its addresses as links: what one sees is where one goes."""
    found, end = [], 0
    for match in _URL.finditer(text):
        address = escape(match[0], quote=True)
        found += [escape(text[end : match.start()]), f'<a href="{address}">{address}</a>']
        end = match.end()
    return "".join([*found, escape(text[end:])])


def check(templates: t.Any) -> list[str]:
    """Return what is wrong with templates, in sentences."""
    return [
        problem
        for step in STEPS
        for language in LANGUAGES
        for part in ("subject", "text")
        for problem in _check_part(
            templates.get(step, {}).get(language, {}).get(part), f"{step}.{language}.{part}"
        )
    ]


def _check_part(text: t.Any, place: str) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip():
        yield _(
            "archipel_letters: {place}: missing; copy it from group_vars/all/letters.yml",
            place=place,
        )
        return
    for word in _placeholders.find_unknown(text, WORDS):
        yield _(
            "archipel_letters: {place}: nobody fills in {word}; allowed: {allowed}",
            place=place,
            word=f"{{{word}}}",
            allowed=", ".join(sorted(WORDS)),
        )
