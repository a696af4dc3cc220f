# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an association asks for its space: it waits in the space's file, under `change`. Pure.

It came out of the space itself, written by one of its administrators. Which space that was is what
the node says, and not the request.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _schema

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._edit import (
        Place,
        Value,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

    Changes = dict[Place, Value]

SCHEMA = _schema.Schema(Path(__file__).with_name("change.schema.json"))
KEY = "change"
# What is asked for → the limit that it is.
LIMITS = {"storage": "storage_gb", "accounts": "accounts"}
NUMBERS = frozenset(LIMITS)
# What is asked for → the decision that it is the same as.
ENDS = {"suspend": "suspend", "close": "close"}
GRANTED, DECLINED = "granted", "declined"
# Of the catalogue: the association has asked for it.
ON_REQUEST = "on-request"
MOST_DOMAINS = 20
_WORDS = {
    "fr": {
        "storage": "{}\u00a0Go de stockage",
        "accounts": "{}\u00a0comptes",
        "domain": "le domaine {}",
        "suspend": "suspendre l’espace",
        "close": "fermer l’espace",
    },
    "en": {
        "storage": "{} GB of storage",
        "accounts": "{} accounts",
        "domain": "the domain {}",
        "suspend": "to suspend the space",
        "close": "to close the space",
    },
}


def find_open(data: Unchecked) -> Unchecked | None:
    """Return what waits for a decision in a file."""
    change: Unchecked | None = data.get(KEY)
    return None if change is None or "decided" in change else change


def note(values: Unchecked, *, vaulted: bool) -> Draft:
    """Return what a file says of a request."""
    found: Draft = {
        "id": values["id"],
        "on": values["received"][:10],
        "by": values["account"],
        "what": values["what"],
    }
    if "value" in values:
        found["value"] = values["value"]
    if values.get("text") and not vaulted:
        found["text"] = values["text"]
    return found


def find_fault(values: Unchecked) -> str:
    """Return what is wrong with a request in itself beyond the schema."""
    what, value = values["what"], values.get("value")
    if what in NUMBERS and type(value) is not int:
        return _(
            "value: found {found}; allowed for {what}: {allowed}",
            found=quoted(value),
            what=what,
            allowed=_("a whole number"),
        )
    if what == "domain" and not isinstance(value, str):
        return _(
            "value: found {found}; allowed for {what}: {allowed}",
            found=quoted(value),
            what=what,
            allowed=_("a host name"),
        )
    if what in ENDS and value is not None:
        return _(
            "value: found {found}; allowed for {what}: {allowed}",
            found=quoted(value),
            what=what,
            allowed=_("none"),
        )
    return ""


def grant(record: Record, by: str, on: str, maximum: Mapping[str, int]) -> tuple[Changes, str]:
    """Return what a file says once a request is granted, or why it cannot be.

    Args:
        record: a file with a request that waits.
        by: who decides.
        on: the day, YYYY-MM-DD.
        maximum: limits above which somebody must have allowed more.

    """
    change = record.data[KEY]
    what, value = change["what"], change.get("value")
    found: Changes = dict(_decided(GRANTED, by, on, ""))
    if what in LIMITS:
        kind = LIMITS[what]
        found["limits", kind] = value
        if value > maximum.get(kind, value):
            found["limits", "approved_by"] = by
    elif what == "domain":
        domains = list(record.data.get("domains", ()))
        if value in domains:
            return found, ""
        if len(domains) >= MOST_DOMAINS:
            return {}, _("has {number} domains, the most there can be", number=MOST_DOMAINS)
        found["domains",] = [*domains, value]
    return found, ""


def decline(by: str, on: str, reason: str) -> Changes:
    """Return what a file says once a request is declined."""
    return dict(_decided(DECLINED, by, on, reason))


def _decided(decision: str, by: str, on: str, reason: str) -> Changes:
    decided = {"decision": decision, "by": by, "on": on}
    return {(KEY, "decided"): {**decided, **({"reason": reason} if reason else {})}}


def describe(change: Unchecked, language: str = "en") -> str:
    """Return what is asked for, for people, in French or in English."""
    return _WORDS[language][change["what"]].format(change.get("value", ""))
