# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Spaces that nobody uses any more: the next step of each, as a change of its file. Pure.

Three letters, a suspension, an end: one step in a run, none before its days, and none that follows
a letter which was not sent. Somebody who logs in ends it, and the file says so.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _letters, _moderation

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._intake._moderation import Changes
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

KEY, LETTERS = _moderation.DORMANCY, _moderation.DORMANT_LETTERS
REASON = "dormant"
# What associations are written about it.
STEPS = frozenset({"dormant", "dormant-last", "suspended"})
# A report that is older says nothing: whoever came since then would be overlooked.
FRESH_SECONDS = 3 * 24 * 3600


class Patience(t.NamedTuple):
    """Days: without use, between two letters, and from the suspension to the end."""

    days: int
    notice_days: int
    closing_days: int
    # Older events are not written about.
    letters_days: int


class Use(t.NamedTuple):
    """What a node says of a space: seconds since 1970."""

    # 0: nobody ever used it.
    last_use: int
    measured: float


class Step(t.NamedTuple):
    """What is next for a space: its file's changes, none where it only waits; and a sentence."""

    changes: Changes
    said: str


def plan(
    record: Record,
    use: Use | None,
    patience: Patience,
    sent: frozenset[str],
    now: datetime.datetime,
) -> Step | None:
    """Return the next step of a space; None: it is none of those that nobody uses.

    Args:
        record: its file.
        use: what its node says; None: nothing.
        patience: the policy.
        sent: keys of letters that were sent.
        now: the moment, with its time zone.

    """
    data, today = record.data, now.date()
    # What is to be closed on a day is somebody's decision already.
    if not patience.days or data.get("hold") or _is_exempt(data) or "closing" in data:
        return None
    if data["status"] == "suspended":
        return _close(record, patience, sent, today)
    if data["status"] != "approved":
        return None
    if use is None or now.timestamp() - use.measured > FRESH_SECONDS:
        return Step({}, _("when it was used is not known: its node has no new report"))
    since = find_since(data, use)
    if (today - since).days < patience.days:
        said = _("in use again")
        return Step(_moderation.forget_dormancy(data), said) if _told(data) else None
    return _go_on(record, since, patience, sent, today)


def _is_exempt(data: Unchecked) -> bool:
    return bool(data.get(KEY, {}).get("exempt"))


def find_since(data: Unchecked, use: Use) -> datetime.date:
    """The day since when nobody used a space: at the earliest the day on which it was allowed."""
    decided = datetime.date.fromisoformat(data["decision"]["on"])
    used = datetime.datetime.fromtimestamp(use.last_use, tz=datetime.UTC).date()
    return max(decided, used)


def _told(data: Unchecked) -> dict[str, str]:
    """The letters that were decided on: which → day."""
    found = data.get(KEY, {})
    return {letter: found[letter] for letter in LETTERS if letter in found}


def _go_on(
    record: Record,
    since: datetime.date,
    patience: Patience,
    sent: frozenset[str],
    today: datetime.date,
) -> Step:
    data = record.data
    told = _told(data)
    if told and data[KEY].get("since") != since.isoformat():
        # Somebody came in between, and stayed away long enough once more.
        told = {}
    if not told:
        return Step(
            _begin(data, since, today), _("unused since {day}: to be written to", day=since)
        )
    day = datetime.date.fromisoformat(list(told.values())[-1])
    if not _is_sent(record, sent):
        return _wait_for_letter((KEY, list(told)[-1]), day, patience, today)
    following = day + datetime.timedelta(days=patience.notice_days)
    is_last = len(told) == len(LETTERS)
    if today < following:
        days = {"day": since, "following": following}
        if is_last:
            return Step({}, _("unused since {day}: to be suspended on {following}", **days))
        return Step({}, _("unused since {day}: to be written to again on {following}", **days))
    if not is_last:
        said = _("unused since {day}: to be written to again", day=since)
        return Step({(KEY, LETTERS[len(told)]): today.isoformat()}, said)
    decision = _moderation.Decision("suspend", _moderation.BY_ITSELF, today.isoformat(), REASON)
    return Step(
        _moderation.changes(record, decision), _("unused since {day}: suspended", day=since)
    )


def _begin(data: Unchecked, since: datetime.date, today: datetime.date) -> Changes:
    """The first letter; later ones of an earlier time go."""
    noted = {"since": since.isoformat(), "first": today.isoformat()}
    if KEY not in data:
        return {(KEY,): dict(noted)}
    gone: Changes = {(KEY, key): None for key in LETTERS[1:] if key in data[KEY]}
    return {**{(KEY, key): value for key, value in noted.items()}, **gone}


def _is_sent(record: Record, sent: frozenset[str]) -> bool:
    """Whether the last letter about it was."""
    events = _letters.find_events(record, {})
    return all(event.key in sent for event in events if event.step in STEPS)


def _close(
    record: Record, patience: Patience, sent: frozenset[str], today: datetime.date
) -> Step | None:
    """Close what was suspended for this; a suspension of anybody's is theirs to end."""
    decision = record.data["decision"]
    if (decision.get("by"), decision.get("reason")) != (_moderation.BY_ITSELF, REASON):
        return None
    day = datetime.date.fromisoformat(decision["on"])
    if not _is_sent(record, sent):
        return _wait_for_letter(("decision", "on"), day, patience, today)
    end = day + datetime.timedelta(days=patience.closing_days)
    if today < end:
        return Step({}, _("suspended, unused; to be closed on {day}", day=end))
    changes: Changes = {
        ("status",): "closed",
        ("decision", "on"): today.isoformat(),
        ("closed_on",): today.isoformat(),
    }
    return Step(changes, _("closed; a copy of its data is offered"))


def _wait_for_letter(
    place: tuple[str, ...], day: datetime.date, patience: Patience, today: datetime.date
) -> Step:
    """Nothing follows a letter that was not sent; one that is too old for it gets another day."""
    if (today - day).days > patience.letters_days:
        changes: Changes = {place: today.isoformat()}
        said = _("the letter of {day} was never sent: to be written to anew", day=day)
        return Step(changes, said)
    return Step({}, _("waits for the letter of {day} to be sent; run letters.yml", day=day))


def suspends_on(data: Unchecked, notice_days: int) -> str:
    """The day, YYYY-MM-DD, on which a space is suspended at the earliest; empty: none."""
    told = list(_told(data).values())
    if data["status"] != "approved" or not told:
        return ""
    left = 1 + len(LETTERS) - len(told)
    end = datetime.date.fromisoformat(told[-1]) + datetime.timedelta(days=left * notice_days)
    return end.isoformat()


def list_unused(steps: dict[str, Step]) -> Iterator[str]:
    """Yield what is next, in sentences, by slug."""
    for slug, step in sorted(steps.items()):
        yield f"{slug}: {step.said}"
