# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What moderators decide, as changes of files: who, when and why stand in the file itself. Pure."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)

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
    "approve": ("requested", "refused", "suspended"),
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


class Decision(t.NamedTuple):
    """What is decided, on which day (YYYY-MM-DD), by whom and why."""

    kind: str
    by: str
    on: str
    # A key of the catalogue, or a sentence of one's own.
    reason: str = ""


def check(decision: Decision, catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a decision itself, in sentences."""
    if decision.kind not in DECISIONS:
        hint = did_you_mean(decision.kind, DECISIONS)
        allowed = ", ".join(DECISIONS)
        return [f"decision: found {quoted(decision.kind)}; allowed: {allowed}.{hint}"]
    found = []
    if not decision.by.strip():
        found.append("by: missing; allowed: who decides, such as -e by=nadia")
    if not decision.reason:
        if decision.kind in _NEED_REASON:
            keys = ", ".join(_list_reasons(decision.kind, catalogue))
            found.append(f"reason: missing; allowed: {keys}, or a sentence of your own in quotes")
    elif fault := _check_reason(decision, catalogue):
        found.append(fault)
    return found


def _list_reasons(kind: str, catalogue: Catalogue) -> list[str]:
    return [key for key, one in catalogue.items() if kind in one["for"]]


def _check_reason(decision: Decision, catalogue: Catalogue) -> str:
    """A word is a key: a mistyped one would be sent to people as it is."""
    if any(char.isspace() for char in decision.reason.strip()):
        return ""
    known = _list_reasons(decision.kind, catalogue)
    if decision.reason in known:
        return ""
    text = f"reason: found {quoted(decision.reason)}; allowed: {', '.join(known)}"
    return f"{text}, or a sentence of your own in quotes.{did_you_mean(decision.reason, known)}"


def against(record: Record, decision: Decision, placed: Iterable[str]) -> str:
    """Return why a decision cannot be taken on a file; nothing, if it can."""
    status, allowed = record.data["status"], DECISIONS[decision.kind]
    if status not in allowed:
        return f"is {status}; allowed to {decision.kind}: {' or '.join(allowed)}"
    if decision.kind == "close" and record.slug not in set(placed):
        return "was never made: there is nothing to close"
    return ""


def changes(record: Record, decision: Decision) -> Changes:
    """Return what a decision changes in a file."""
    if decision.kind == "ask":
        return {
            ("request", "on"): record.data.get("request", {}).get("on", decision.on),
            ("request", "asked", "by"): decision.by,
            ("request", "asked", "on"): decision.on,
            ("request", "asked", "reason"): decision.reason,
            # The days begin anew.
            ("request", "noticed_on"): None,
        }
    found: Changes = {
        ("status",): _BECOMES[decision.kind],
        ("decision", "by"): decision.by,
        ("decision", "on"): decision.on,
        ("decision", "reason"): decision.reason or None,
    }
    if decision.kind == "close":
        found["closed_on",] = decision.on
    return found


# --- requests that nobody goes on with --------------------------------------------------------


class Patience(t.NamedTuple):
    """How long a request waits, and how long before its end the association is told, in days."""

    days: int
    notice_days: int


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


def expire(record: Record, patience: Patience, today: datetime.date) -> Changes:
    """Return what time alone changes in a file: the notice first, and days later the end."""
    if record.data["status"] != "requested" or record.data.get("hold"):
        return {}
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
