# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What moderators decide, as changes of files: who, when and why stand in the file itself. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _change

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._edit import (
        Place,
        Value,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

    Changes = dict[Place, Value]
    Catalogue = Mapping[str, Unchecked]

# Decision → the statuses it is taken in.
DECISIONS: Mapping[str, tuple[str, ...]] = {
    "approve": ("requested", "refused", "suspended", "closed", "approved"),
    "refuse": ("requested",),
    "ask": ("requested",),
    "suspend": ("approved",),
    "close": ("approved", "suspended"),
}
_BECOMES = {"approve": "approved", "refuse": "refused", "suspend": "suspended", "close": "closed"}
# What needs a reason; where it is not needed it may be given all the same.
_NEED_REASON = frozenset({"refuse", "ask", "suspend"})
# The reason of a request that nobody went on with, and who is named as having decided.
STALE, BY_ITSELF = "stale", "archipel"
# Where a file says of a space that nobody uses when its letters were decided on.
DORMANCY, DORMANT_LETTERS = "dormancy", ("first", "second", "third")


class Decision(t.NamedTuple):
    """What is decided, on which day (YYYY-MM-DD), by whom and why."""

    kind: str
    by: str
    on: str
    # A key of the catalogue, or a sentence of one's own.
    reason: str = ""
    # The day on which a space is to be closed, YYYY-MM-DD; empty: at once.
    later: str = ""
    # Limits above which a file must name who allowed more.
    maximum: Mapping[str, int] = {}


def check(decision: Decision, catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a decision itself, in sentences."""
    if decision.kind not in DECISIONS:
        text = _(
            "found {found}; allowed: {allowed}.{hint}",
            found=quoted(decision.kind),
            allowed=", ".join(DECISIONS),
            hint=did_you_mean(decision.kind, DECISIONS),
        )
        return [f"decision: {text}"]
    found = _check_later(decision)
    if not decision.by.strip():
        found.append(_("by: missing; allowed: who decides, such as -e by=nadia"))
    if not decision.reason:
        if decision.kind in _NEED_REASON:
            text = _(
                "reason: missing; allowed: {keys}, or a sentence of your own in quotes",
                keys=", ".join(_list_reasons(decision.kind, catalogue)),
            )
            found.append(text)
    elif fault := _check_reason(decision, catalogue):
        found.append(fault)
    return found


def _check_later(decision: Decision) -> list[str]:
    """A closing is announced for a day that is still to come."""
    if not decision.later:
        return []
    try:
        right = datetime.date.fromisoformat(decision.later).isoformat() == decision.later
    except ValueError:
        right = False
    if right and decision.kind == "close" and decision.later > decision.on:
        return []
    text = _(
        "day: found {found}; allowed: a day after {day}, written YYYY-MM-DD, and with close alone",
        found=quoted(decision.later),
        day=decision.on,
    )
    return [text]


def _list_reasons(kind: str, catalogue: Catalogue) -> list[str]:
    return [key for key, one in catalogue.items() if kind in one["for"]]


def _check_reason(decision: Decision, catalogue: Catalogue) -> str:
    """A word is a key: a mistyped one would be sent to people as it is."""
    if any(char.isspace() for char in decision.reason.strip()):
        return ""
    known = _list_reasons(decision.kind, catalogue)
    if decision.reason in known:
        return ""
    return _(
        "reason: found {found}; allowed: {keys}, or a sentence of your own in quotes.{hint}",
        found=quoted(decision.reason),
        keys=", ".join(known),
        hint=did_you_mean(decision.reason, known),
    )


def against(record: Record, decision: Decision, placed: Iterable[str]) -> str:
    """Return why a decision cannot be taken on a file; nothing, if it can."""
    status, allowed = record.data["status"], DECISIONS[decision.kind]
    if _is_about_change(record, decision):
        return _grant(record, decision)[1] if decision.kind == "approve" else ""
    if status not in allowed:
        return _(
            "is {status}; allowed to {decision}: {statuses}",
            status=status,
            decision=decision.kind,
            statuses=_(" or ").join(allowed),
        )
    is_there = record.slug in set(placed)
    if decision.kind == "close" and not is_there:
        return _("was never made: there is nothing to close")
    if decision.kind == "approve" and status == "closed" and not is_there:
        return _("was purged: there is nothing to open again; a new space is a new request")
    if decision.kind == "approve" and status == "approved" and "closing" not in record.data:
        return _("is approved, and nobody is about to close it")
    return ""


def _is_about_change(record: Record, decision: Decision) -> bool:
    """Whether a decision is on what an association asks from within its space."""
    return decision.kind in {"approve", "refuse"} and _change.find_open(record.data) is not None


def _grant(record: Record, decision: Decision) -> tuple[Changes, str]:
    """Return what granting a request changes, and why it cannot be granted."""
    found, why = _change.grant(record, decision.by, decision.on, decision.maximum)
    end = _change.ENDS.get(record.data[_change.KEY]["what"])
    if end and not why:
        reason = decision.reason or _change.ON_REQUEST
        same = decision._replace(kind=end, reason=reason)
        if why := against(record, same, [record.slug]):
            return {}, why
        found |= changes(record, same)
    return found, why


def changes(record: Record, decision: Decision) -> Changes:
    """Return what a decision changes in a file."""
    if _is_about_change(record, decision):
        if decision.kind == "approve":
            return _grant(record, decision)[0]
        return _change.decline(decision.by, decision.on, decision.reason)
    if decision.kind == "ask":
        return {
            ("request", "on"): record.data.get("request", {}).get("on", decision.on),
            ("request", "asked", "by"): decision.by,
            ("request", "asked", "on"): decision.on,
            ("request", "asked", "reason"): decision.reason,
            # The days begin anew.
            ("request", "noticed_on"): None,
        }
    if decision.kind == "close" and decision.later:
        return {
            ("closing", "on"): decision.later,
            ("closing", "by"): decision.by,
            ("closing", "noticed_on"): decision.on,
            ("closing", "reason"): decision.reason or None,
        }
    if decision.kind == "approve" and record.data["status"] == "approved":
        # Whoever decided on the space stays who it was.
        return {("closing",): None}
    found: Changes = {
        ("status",): _BECOMES[decision.kind],
        ("decision", "by"): decision.by,
        ("decision", "on"): decision.on,
        ("decision", "reason"): decision.reason or None,
    }
    if decision.kind == "close":
        found["closed_on",] = decision.on
    if decision.kind == "approve" and "closed_on" in record.data:
        found["closed_on",] = None
    if decision.kind in {"close", "approve"} and "closing" in record.data:
        found["closing",] = None
    if decision.kind == "approve":
        # Its association would be written to as one that sleeps, instead of as one that is back.
        found |= forget_dormancy(record.data)
    return found


def forget_dormancy(data: Unchecked) -> Changes:
    """Take out what was noted of a space that nobody used; the mapping too, if that is all."""
    noted = [key for key in ("since", *DORMANT_LETTERS) if key in data.get(DORMANCY, {})]
    if noted and len(noted) == len(data[DORMANCY]):
        return {(DORMANCY,): None}
    return {(DORMANCY, key): None for key in noted}


# --- requests that nobody goes on with --------------------------------------------------------


class Patience(t.NamedTuple):
    """How long a request waits, and how long before its end the association is told, in days."""

    days: int
    notice_days: int
    # How long a request that was refused is kept; 0: for ever.
    refused_days: int = 0


def last_sign(record: Record) -> datetime.date | None:
    """The day of the request, or of the last question; None, where the file does not say."""
    request = record.data.get("request", {})
    found = [request.get("on"), request.get("asked", {}).get("on")]
    dates = [datetime.date.fromisoformat(day) for day in found if day]
    return max(dates) if dates else None


def ends_on(record: Record, patience: Patience) -> datetime.date | None:
    """The day on which a request closes itself: never before the notice was given its days."""
    since = last_sign(record)
    if since is None or not patience.days:
        return None
    end = since + datetime.timedelta(days=patience.days)
    noticed = record.data.get("request", {}).get("noticed_on")
    if noticed:
        told = datetime.date.fromisoformat(noticed)
        end = max(end, told + datetime.timedelta(days=patience.notice_days))
    return end


def is_forgotten(
    record: Record, patience: Patience, today: datetime.date, placed: frozenset[str]
) -> bool:
    """Whether nothing is left to do with a refused request but to erase it."""
    if record.data["status"] != "refused" or record.data.get("hold") or not patience.refused_days:
        return False
    refused = datetime.date.fromisoformat(record.data["decision"]["on"])
    old = today >= refused + datetime.timedelta(days=patience.refused_days)
    return old and record.slug not in placed


def expire(record: Record, patience: Patience, today: datetime.date) -> Changes:
    """Return what time alone changes in a file: notices, and days later ends."""
    if record.data.get("hold"):
        return {}
    if closing := record.data.get("closing"):
        by, reason = closing["by"], closing.get("reason", "")
        decision = Decision("close", by, today.isoformat(), reason)
        return changes(record, decision) if today.isoformat() >= closing["on"] else {}
    return _expire_request(record, patience, today) if record.data["status"] == "requested" else {}


def _expire_request(record: Record, patience: Patience, today: datetime.date) -> Changes:
    end = ends_on(record, patience)
    if end is None:
        return {}
    noticed = record.data.get("request", {}).get("noticed_on")
    if not noticed:
        begins = end - datetime.timedelta(days=patience.notice_days)
        return {("request", "noticed_on"): today.isoformat()} if today >= begins else {}
    if today < end:
        return {}
    return changes(record, Decision("refuse", BY_ITSELF, today.isoformat(), STALE))
