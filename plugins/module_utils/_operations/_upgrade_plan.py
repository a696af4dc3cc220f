# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which spaces of a node an upgrade moves, which cannot be moved, and why.

Decided by what the node says (`_upgrade_facts`), never by what an earlier run did or what the
policy wants.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _release_code
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_facts,
    _upgrade_job,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_facts import (
    Asked,
    Found,
    Target,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Brief,
    )

# Which application a page belongs to.
PAGE = re.compile(r"^(?:/index\.php)?/apps/([a-z0-9_]+)(?:[/?]|$)")
# Room that a node keeps beside the dumps.
ROOM = 64 << 20
# What a space is found to need.
DONE, UPGRADE, RESUME, REFUSED, NONE = "done", "upgrade", "resume", "refused", "none"


@dataclass(frozen=True)
class Decision:
    """What is to be done about a space."""

    kind: str
    reason: str = ""
    release: str = ""
    version: str = ""
    size: int = 0
    enabled: frozenset[str] = field(default=frozenset(), repr=False)


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version such as 34.0.4.1. Pure."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def is_upgraded(found: Found, target: Target) -> bool:
    """Tell whether a space runs the target, code and data. Pure."""
    depth = len(numbers(target.version))
    return found.release == target.id and numbers(found.version)[:depth] == numbers(target.version)


def path_problem(found: Found, target: Target) -> str:
    """Return why a space's version does not upgrade to the target's; empty if it does. Pure."""
    now, then = numbers(found.version), numbers(target.version)
    depth = min(len(now), len(then))
    if now[:depth] > then[:depth]:
        return (
            f"it is on {found.version}, release {target.id} is {target.version}: going back is "
            "not an upgrade. playbooks/rollback.yml does it, while a restore point is kept"
        )
    allowed = target.from_versions
    before = ".".join(map(str, now[:2]))
    if (allowed and before not in allowed) or then[0] - now[0] > 1:
        steps = ", ".join(allowed) or f"{then[0] - 1}, {then[0]}"
        return (
            f"it is on {found.version}, and {target.version} upgrades from {steps} only: majors "
            f"are not skipped. Upgrade it to a release of {now[0] + 1} first"
        )
    return ""


def applications_problem(asked: Asked, target: Target) -> str:
    """Return which applications of a space the target does not have; empty if none. Pure."""
    if target.holds is None:
        return ""
    lost = sorted(asked.enabled - target.holds - target.without)
    if not lost:
        return ""
    return (
        f"{', '.join(lost)}: on in this space, and not in release {target.id}. Add what is missing "
        f"to archipel_releases['{target.id}'].applications under a new id, or name it under its "
        "`without`"
    )


def factors_problem(asked: Asked, target: Target) -> str:
    """Return which second factors of people the target does not have; empty if none. Pure.

    Nextcloud lets nobody in whose second factor it cannot load.
    """
    lost = sorted(asked.factors & asked.enabled & target.without - (target.holds or frozenset()))
    if not lost:
        return ""
    return (
        f"{', '.join(lost)}: somebody logs in with it, and release {target.id} goes without: they "
        "would be locked out. Take a release that holds it, or have them choose another second "
        "factor first (`occ twofactorauth:disable <account> <provider>` takes one off)"
    )


def server_problem(asked: Asked, target: Target) -> str:
    """Return why the database server cannot run the target; empty if it can. Pure."""
    low, high = target.mariadb
    if _release_code.within(asked.mariadb, low, high):
        return ""
    return (
        f"MariaDB {asked.mariadb} is outside {low or '…'} to {high or '…'}, which release "
        f"{target.id} runs on (archipel_releases). docs/upgrades.md says how a server is moved"
    )


def judge_journal(journal: Json, target: Target) -> tuple[str, str]:
    """Decide about a space with which something was begun and not finished. Pure."""
    verb, goes = journal["verb"], journal.get("to")
    if verb != _upgrade_job.VERB:
        return REFUSED, f"a {verb} of it was begun and not finished"
    if journal["direction"] == "undo":
        return REFUSED, "its rollback was interrupted: playbooks/rollback.yml finishes it"
    if journal["direction"] == "forward" and goes != target.id:
        return REFUSED, (
            f"its upgrade to {goes} was interrupted: finish that one first, with "
            f"playbooks/upgrade.yml -e release={goes}"
        )
    return RESUME, f"interrupted at the step {journal['step']!r}"


def judge(found: Found, target: Target) -> tuple[str, str]:
    """Decide about a space that nobody is at work on, as far as files tell. Pure."""
    if not found.installed or not found.release:
        return NONE, "there is no Nextcloud in it yet: playbooks/site.yml installs it"
    if is_upgraded(found, target):
        return DONE, ""
    if found.maintenance:
        return REFUSED, (
            "somebody left it in maintenance mode: look why, then `occ maintenance:mode --off`"
        )
    problem = path_problem(found, target)
    return (REFUSED, problem) if problem else (UPGRADE, "")


def judge_files(found: Found, target: Target) -> Decision:
    """Decide as far as files tell; UPGRADE means that its database must be asked. Pure."""
    kind, reason = judge_journal(found.journal, target) if found.journal else judge(found, target)
    return Decision(kind, reason, found.release, found.version)


def judge_space(root: str, slug: str, target: Target) -> Decision:
    """Decide about one space by its files; what is wrong with them is its own matter."""
    try:
        return judge_files(_upgrade_facts.read_space(root, slug), target)
    except OSError as error:
        return Decision(REFUSED, f"{error.filename}: {error.strerror}")
    except _journal.JournalError as error:
        return Decision(REFUSED, str(error))


def judge_answers(first: Decision, asked: Asked, target: Target) -> Decision:
    """Decide with what the database server says. Pure."""
    problem = (
        asked.error
        or server_problem(asked, target)
        or applications_problem(asked, target)
        or factors_problem(asked, target)
    )
    kind = REFUSED if problem else first.kind
    return Decision(kind, problem, first.release, first.version, asked.size, asked.enabled)


def without_room(
    order: Iterable[str], decisions: Mapping[str, Decision], free: int
) -> dict[str, Decision]:
    """Refuse the spaces whose dump does not fit beside those of the spaces before them. Pure.

    Args:
        order: slugs, the first of which gets room first.
        decisions: slug → what is to be done.
        free: bytes that are free for dumps.

    """
    left, result = free - ROOM, dict(decisions)
    for slug in order:
        one = result[slug]
        if one.kind != UPGRADE:
            continue
        if one.size > left:
            reason = (
                f"its dump needs up to {one.size >> 20} MB and {ROOM >> 20} MB must stay free: "
                f"{max(left, 0) >> 20} MB are left for it. Make room, or run with fewer spaces"
            )
            result[slug] = Decision(REFUSED, reason, one.release, one.version, one.size)
        else:
            left -= one.size
    return result


def pages_left(pages: Iterable[str], before: Set[str], now: Set[str]) -> list[str]:
    """Return the pages that are to be there still: not those of what is off for a reason. Pure.

    Args:
        pages: that were opened before.
        before: applications that were on then.
        now: applications that are on.

    """
    gone = before - now
    return [path for path in pages if (found := PAGE.match(path)) is None or found[1] not in gone]


def make(
    items: Sequence[Brief],
    target: Target,
    *,
    root: str,
    free: int,
    connect: t.Callable[[t.Any], t.Any],
    error: type[Exception],
) -> dict[str, Decision]:
    """Return what is to be done about each space, in the order of the items.

    Args:
        items: the spaces.
        target: the release.
        root: folder of the spaces.
        free: bytes that are free for dumps.
        connect: from a database to a connection.
        error: what the driver raises.

    """
    decisions = {item["space"]: judge_space(root, item["space"], target) for item in items}
    todo = [item for item in items if decisions[item["space"]].kind == UPGRADE]
    for slug, asked in _upgrade_facts.ask(todo, connect, error).items():
        decisions[slug] = judge_answers(decisions[slug], asked, target)
    return without_room([item["space"] for item in items], decisions, free)
