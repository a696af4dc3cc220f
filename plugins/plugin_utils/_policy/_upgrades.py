# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""An upgrade as the controller sees it: its waves, its budget, how people hear of it."""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._progress import duration
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Draft,
    Unchecked,
)

REST = "rest"
RINGS = ("canary", "early", "stable")
SIZE = re.compile(r"([1-9][0-9]*)(%?)")
SHARE = re.compile(r"([0-9]+)(%?)")
DONE, REFUSED, NONE = "done", "refused", "none"
STAYING = (DONE, NONE)
# Seconds between two lines about how far it is. At the end of a batch a worker waits for the
# others: it is not to be shorter than so many spaces take, one after the other.
BATCH, LONGEST, SPACES = 60, 600, 10
Spaces = Sequence[Unchecked]


class UpgradeError(Exception):
    """What was asked for cannot be done; the message names everything wrong with it."""


# --- what is asked ---------------------------------------------------------------------


def words(value: t.Any) -> list[str]:
    """Return the words of a list, or of text with commas. Pure."""
    listed = value.split(",") if isinstance(value, str) else value
    listed = listed if isinstance(listed, list) else [listed]
    return [str(word).strip() for word in listed if str(word).strip()]


def ring_problems(rings: t.Any) -> list[str]:
    """Return what is wrong with the sizes of the waves. Pure."""
    found, listed = [], words(rings)
    if not listed:
        found.append(f"rings: {_found('', allowed_rings())}")
    for word in listed:
        match = SIZE.fullmatch(word)
        if word in (*RINGS, REST):
            continue
        if not match:
            hint = did_you_mean(word, RINGS)
            found.append(f"rings: {_found(word, allowed_rings())}.{hint}")
        elif match[2] and int(match[1]) > 100:
            found.append(f"rings: {_found(word, _('1% to 100%'))}")
    twice = [word for word in (*RINGS, REST) if listed.count(word) > 1]
    found += [_('rings: "{word}" stands there twice', word=word) for word in twice]
    if REST in listed[:-1] and not twice:
        text = _(
            'rings: "{rest}" takes all that are left; found "{word}" after it',
            rest=REST,
            word=listed[-1],
        )
        found.append(text)
    return found


def _found(word: object, allowed: str) -> str:
    if not word:
        return _("found nothing; allowed: {allowed}", allowed=allowed)
    return _("found {found}; allowed: {allowed}", found=quoted(word), allowed=allowed)


def allowed_rings() -> str:
    """Return what the sizes of waves may be, in words."""
    return _(
        "{rings}, a number such as 3, a share such as 10%, or {rest}, separated by commas",
        rings=", ".join(RINGS),
        rest=REST,
    )


def budget_problems(budget: t.Any) -> list[str]:
    """Return what is wrong with a failure budget. Pure."""
    match = SHARE.fullmatch(str(budget))
    if match and not (match[2] and int(match[1]) > 100):
        return []
    return [f"budget: {_found(str(budget), _('a number such as 0, or a share such as 5%'))}"]


def parallel_problems(parallel: t.Any) -> list[str]:
    """Return what is wrong with the number of spaces at a time. Pure."""
    if re.fullmatch(r"[1-9][0-9]?", str(parallel)):
        return []
    allowed = _("1 to 99, spaces of a node at the same time")
    return [f"parallel: {_found(str(parallel), allowed)}"]


def problems(
    release: t.Any, releases: Unchecked, rings: t.Any, budget: t.Any, parallel: t.Any
) -> list[str]:
    """Return everything that is wrong with what was asked for. Pure."""
    found = []
    known = ", ".join(releases) or "none"
    if not release:
        found.append(f"release: say which, with -e release=…; archipel_releases has {known}")
    elif release not in releases:
        hint = did_you_mean(str(release), releases)
        found.append(f'release: unknown release "{release}"; archipel_releases has {known}.{hint}')
    return found + ring_problems(rings) + budget_problems(budget) + parallel_problems(parallel)


# --- waves -----------------------------------------------------------------------------


def allowed(budget: t.Any, number: int) -> int:
    """Return how many of so many spaces may fail. Pure.

    Raises:
        UpgradeError: it is no budget.

    """
    match = SHARE.fullmatch(str(budget))
    if match is None:
        raise UpgradeError("; ".join(budget_problems(budget)))
    return number * int(match[1]) // 100 if match[2] else int(match[1])


def waves(
    spaces: Spaces, plans: Mapping[str, Unchecked], rings: t.Any, budget: t.Any
) -> list[Draft]:
    """Return the waves of a run: name, slugs in their order, failures allowed. Pure.

    Args:
        spaces: those chosen, of all nodes.
        plans: slug → what its node says is to be done; what is done already is in no wave.
        rings: names of rings, numbers, shares of all that are to move, or the rest.
        budget: failures allowed in each wave, as a number or a share of it.

    Raises:
        UpgradeError: spaces would be left out.

    """
    moving = [s for s in spaces if plans.get(s["slug"], {}).get("kind", DONE) not in STAYING]
    left = sorted(moving, key=lambda s: (RINGS.index(s["ring"]), s["slug"]))
    result = []
    for word in words(rings):
        taken = take(word, left, len(moving))
        left = [space for space in left if space not in taken]
        if taken:
            slugs = [str(space["slug"]) for space in taken]
            result.append({"name": word, "slugs": slugs, "budget": allowed(budget, len(slugs))})
    if left:
        raise UpgradeError(
            f"rings: {', '.join(words(rings))} leave {len(left)} of {len(moving)} spaces out "
            f"({some(s['slug'] for s in left)}): end with {REST}"
        )
    return result


def take(word: str, left: Spaces, moving: int) -> Spaces:
    """Return the spaces of the next wave. Pure."""
    if word == REST:
        return left
    match = SIZE.fullmatch(word)
    if not match:
        return [space for space in left if space["ring"] == word]
    number = int(match[1])
    return left[: math.ceil(moving * number / 100) if match[2] else number]


def batch_seconds(took: float, number: int, parallel: int) -> float:
    """Return how long the next batch is to go on, from what the last one did. Pure.

    Args:
        took: seconds of the last batch.
        number: of spaces that it began.
        parallel: how many at the same time.

    """
    each = took * parallel / number
    return min(LONGEST, max(BATCH, SPACES * each))


def some(slugs: Iterable[str], most: int = 5) -> str:
    """Return a few names, and how many there are beside them. Pure."""
    listed = list(slugs)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


# --- what people read ------------------------------------------------------------------


def preview(found: Sequence[Unchecked], nodes: Mapping[str, Unchecked], parallel: int) -> list[str]:
    """Return what a run would do, line by line. Pure.

    Args:
        found: the waves.
        nodes: node → what its plan says.
        parallel: spaces of a node at the same time.

    """
    plans = {slug: one for node in nodes.values() for slug, one in node["plan"].items()}
    lines = []
    for number, wave in enumerate(found, 1):
        go = [slug for slug in wave["slugs"] if plans[slug]["kind"] != REFUSED]
        lines.append(
            f"{number}. {wave['name']}: {count(len(go))}, stops after more than "
            f"{wave['budget']} failures: {', '.join(go) or 'none that can'}"
        )
        cannot = [slug for slug in wave["slugs"] if plans[slug]["kind"] == REFUSED]
        lines += [f"   cannot: {slug}: {plans[slug]['reason']}" for slug in cannot]
        if len(cannot) > wave["budget"]:
            lines.append("   more than may fail: mend them, leave them out or raise the budget")
    done = sum(one["kind"] == DONE for one in plans.values())
    lines.append(f"there already: {count(done)}")
    if new := sum(one["kind"] == NONE for one in plans.values()):
        lines.append(f"not installed yet, so nothing to move: {count(new)}")
    for name, node in sorted(nodes.items()):
        lines.append(f"{name}: {need(node, parallel)}")
        if not node.get("built", True):
            lines.append(
                f"{name}: the release is not built here yet; whether it holds the applications of "
                "each space, and upgrades from its version, is looked at once it is"
            )
    return lines


def count(number: int) -> str:
    """Return a number of spaces in words. Pure."""
    return "1 space" if number == 1 else f"{number} spaces"


def need(node: Unchecked, parallel: int) -> str:
    """Return what a run costs a node: disk, time. Pure."""
    number = sum(one["kind"] not in (*STAYING, REFUSED) for one in node["plan"].values())
    disk = f"{node['bytes_needed'] >> 20} MB for dumps, {node['bytes_free'] >> 20} MB are free"
    if not number:
        return "nothing to do"
    if not node["seconds_each"]:
        return f"{count(number)}, {parallel} at a time; {disk}; how long is not known yet"
    return (
        f"{count(number)}, {parallel} at a time; {disk}; about "
        f"{duration(number * node['seconds_each'])} at the rate of the last run"
    )


def share(budget: int, here: int, wave: int) -> int:
    """Return how many of a node's spaces may fail: its part of the wave's budget. Pure.

    Args:
        budget: of the whole wave.
        here: spaces of the wave on this node.
        wave: all its spaces.

    """
    return math.ceil(budget * here / wave) if wave else budget


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that so much of a list is not above. Pure."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def summary(
    outcomes: Mapping[str, Unchecked],
    failed: Mapping[str, str],
    release: str,
    moved: Iterable[str] = (),
) -> Draft:
    """Return how a run went, for people and programs. Pure.

    Args:
        outcomes: slug → what its node wrote down of it.
        failed: slug → why, of all that did not reach the release.
        release: the one wanted.
        moved: all that reached it; of those on a node that was lost, nothing else is known.

    """
    good = {slug: one for slug, one in outcomes.items() if one["result"] == "upgraded"}
    lost = sorted(set(moved) - set(outcomes))
    times = [float(one["downtime"]) for one in good.values()]
    ways: dict[str, int] = {}
    for one in good.values():
        way = f"{one['version_before']} → {one['version']}"
        ways[way] = ways.get(way, 0) + 1
    return {
        "release": release,
        "upgraded": len(good) + len(lost),
        "versions": ways,
        "on_lost_nodes": lost,
        "downtime": {
            "p50": percentile(times, 0.5),
            "p95": percentile(times, 0.95),
            "max": max(times, default=0.0),
        },
        # Of each space that this run closed, those included that came back.
        "closed_for": {slug: float(one["downtime"]) for slug, one in sorted(outcomes.items())},
        "failed": {
            slug: {
                "reason": reason,
                "result": outcomes.get(slug, {}).get("result", "not begun"),
                "downtime": float(outcomes.get(slug, {}).get("downtime", 0.0)),
                "log": outcomes.get(slug, {}).get("log", ""),
                "tail": list(outcomes.get(slug, {}).get("tail", ())),
            }
            for slug, reason in sorted(failed.items())
        },
    }


def report(said: Unchecked) -> list[str]:
    """Return a summary as lines for people. Pure."""
    times = said["downtime"]
    lines = [f"now on release {said['release']}: {count(said['upgraded'])}"]
    lines += [f"{way}: {count(number)}" for way, number in said["versions"].items()]
    if lost := said["on_lost_nodes"]:
        lines.append(f"of these on a node that was lost later: {count(len(lost))}")
    if said["versions"]:
        lines.append(
            f"closed for {times['p50']:.1f} s (half of them at most), {times['p95']:.1f} s (95 %), "
            f"{times['max']:.1f} s (the longest)"
        )
    for slug, one in said["failed"].items():
        closed = f", closed for {one['downtime']:.1f} s" if one["downtime"] else ""
        lines.append(f"{slug}: {one['result']}{closed}: {one['reason']}")
        lines += [f"    {line}" for line in one["tail"]]
        lines += [f"    its log: {one['log']}"] if one["log"] else []
    return lines
