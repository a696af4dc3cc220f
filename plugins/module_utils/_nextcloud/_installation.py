# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Install Nextcloud in new spaces and apply what only Nextcloud itself can set.

A space is installed once. A journal beside it says that an installation is under way:
only with that journal may the remains of an interrupted one be cleared away, so that
a live space whose configuration went missing is never taken for a new one.
"""

from __future__ import annotations

import math
import os
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _apply,
    _install,
    _logo,
    _node,
    _seed_image,
    _settings,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

LOCK = "installations"
# Seconds to wait for who holds it.
PATIENCE = 300


@dataclass(frozen=True)
class State:
    """What is there of one space."""

    linked: bool
    installed: bool
    interrupted: bool
    applied: str
    # Keys of config.php that are the operator's: copies Nextcloud made of ours.
    copied: tuple[str, ...] = ()
    # What the space no longer has of its desired state.
    drift: tuple[str, ...] = ()
    # SHA-256 of the logo that lies there; empty: none.
    logo: str = ""


def read_state(root: str, item: _node.Item) -> State:
    """Read what is there of one space: four small files at most."""
    layout = _layout.under(root, item["space"])
    config = _files.read_text(layout.config_file)
    return State(
        linked=os.path.lexists(layout.release),
        installed=_config.is_installed(config),
        copied=tuple(sorted(_config.keys(config) & set(item["managed"]))),
        interrupted=os.path.exists(f"{layout.home}/{_install.JOURNAL}"),
        applied=_files.read_text(layout.applied).strip(),
        logo=_logo.read(layout.logo),
    )


def plan(item: _node.Item, state: State) -> list[str]:
    """Return the steps one space needs, in order. Pure."""
    if not item["running"]:
        return []
    steps = [] if state.linked else ["link"]
    steps += ["logo"] if state.logo != _logo.digest_of(item) else []
    if state.interrupted:
        steps += ["clear", "install", "apply"]
    elif not state.installed:
        steps += ["install", "apply"]
    elif state.applied != _apply.digest(item) or state.drift:
        steps += ["apply"]
    if state.copied and "install" not in steps:
        steps += ["tidy"]
    return steps


def link(item: _node.Item, node: _node.Node) -> None:
    """Point a new space at its release; a space that has one is moved by an upgrade only.

    Raises:
        InstallationError: the release is not built on this node.

    """
    target = f"{node.releases}/{item['release']}"
    if not os.path.isdir(target):
        raise _node.InstallationError(f"release {item['release']} is not built on this node")
    layout = _node.layout_of(item, node)
    os.symlink(os.path.relpath(target, layout.home), layout.release)


STEPS: dict[str, t.Callable[[_node.Item, _node.Node], t.Any]] = {
    "link": link,
    "logo": _logo.put,
    "clear": _install.clear,
    "install": _install.install,
    "apply": _apply.apply,
    "tidy": _install.tidy,
}
WORDS = {
    "link": "release {release}",
    "logo": "logo",
    "clear": "remains of an interrupted installation cleared",
    "install": "Nextcloud installed",
    "apply": "Nextcloud's settings applied",
    "tidy": "copies of managed keys taken out of config.php",
}


def words(step: str, item: _node.Item, state: State) -> str:
    """Return what a step is called in the report. Pure."""
    why = f" ({', '.join(state.drift)})" if step == "apply" and state.drift else ""
    return WORDS[step].format(**item) + why


def carry_out(
    item: _node.Item, steps: t.Mapping[str, str], node: _node.Node
) -> tuple[list[str], str]:
    """Do the steps of one space; return what was done, in words, and, if it failed, why."""
    done: list[str] = []
    for step, what in steps.items():
        try:
            STEPS[step](item, node)
        except _node.expected_errors(node) as error:
            return done, str(error)
        done.append(what)
    return done, ""


def plans(
    wanted: t.Sequence[_node.Item], node: _node.Node, report: Report
) -> list[tuple[_node.Item, dict[str, str]]]:
    """Read what is there of all spaces; return each with its steps, and those in words."""
    states = read_states(wanted, node, report)
    known = [item for item in wanted if item["space"] in states]
    settled = [
        item
        for item in known
        if item["running"] and plan(item, states[item["space"]]) in ([], ["tidy"])
    ]
    for space, found in _settings.read_drift(settled, node).items():
        states[space] = replace(states[space], drift=found)
    return [
        (item, {step: words(step, item, state) for step in plan(item, state)})
        for item, state in ((item, states[item["space"]]) for item in known)
    ]


def read_states(
    wanted: t.Sequence[_node.Item], node: _node.Node, report: Report
) -> dict[str, State]:
    """Read what is there of all spaces; one whose files cannot be read fails alone."""
    states = {}
    for item in wanted:
        try:
            states[item["space"]] = read_state(node.root, item)
        except OSError as error:
            report.fail(item["space"], f"{error.filename}: {error.strerror}")
    return states


def carry_out_all(
    todo: t.Sequence[tuple[_node.Item, dict[str, str]]],
    node: _node.Node,
    parallel: int,
    seconds: float,
) -> list[tuple[list[str], str] | None]:
    """Do the steps of spaces side by side; None for those not begun before the time was up.

    Args:
        todo: spaces with their steps, step → what it is called in words.
        node: theirs.
        parallel: how many spaces at the same time.
        seconds: after them none is begun.

    """
    start = time.monotonic()

    def one(pair: tuple[_node.Item, dict[str, str]]) -> tuple[list[str], str] | None:
        return None if time.monotonic() - start > seconds else carry_out(*pair, node)

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return list(pool.map(one, todo))


def set_aside(
    todo: list[tuple[_node.Item, dict[str, str]]], node: _node.Node, report: Report
) -> list[tuple[_node.Item, dict[str, str]]]:
    """Set spaces aside whose new logo this call does not bring, and name them.

    Logos travel only when they are needed: the controller then calls again with those.
    """
    lacking = [
        item["space"]
        for item, steps in todo
        if "logo" in steps and item["logo"] and item["space"] not in node.logos
    ]
    report.facts["wanted_logos"] = [*report.facts.get("wanted_logos", ()), *lacking]
    return [(item, steps) for item, steps in todo if item["space"] not in lacking]


def is_pending(item: _node.Item, report: Report) -> bool:
    """Tell whether a space is being restored or purged: then it is left alone."""
    if pending := _journal.under_way(item["space"]):
        report.fail(item["space"], pending)
    return bool(pending)


def converge(
    wanted: t.Sequence[_node.Item],
    node: _node.Node,
    parallel: int,
    *,
    check: bool,
    seconds: float = math.inf,
) -> Report:
    """Install and configure the spaces that need it, a bounded number at a time.

    After so many seconds no further space is begun. The fact `remaining` names those left.

    Args:
        wanted: the spaces, as the action plugin renders them.
        node: theirs.
        parallel: how many spaces at the same time.
        check: whether nothing is done.
        seconds: after them none is begun.

    """
    report = Report()
    report.facts |= {"begun": 0, "remaining": [], "uninvited": {}}
    todo = find_work(wanted, node, report)
    if todo:
        # Units that changed in this run are needed below, not only when the sockets open.
        _systemd.reload_daemon(report, check=check)
    if check:
        for item, steps in todo:
            for what in steps.values():
                report.change(item["space"], what)
        return report
    todo = set_aside(todo, node, report)
    if not todo:
        return report
    # The repair of a space after a new major takes seconds.
    with _journal.exclusive(LOCK, patience=PATIENCE):
        # What was seen before is what another run was doing: of an installation that has ended
        # meanwhile nothing must be cleared away.
        left = {item["space"] for item, _ in todo}
        again = [item for item in wanted if item["space"] in left]
        todo = set_aside(find_work(again, node, report), node, report)
        _seed_image.adopt(node.seed_images)
        results = carry_out_all(todo, node, parallel, seconds)
    note_results(todo, results, report)
    report.facts["uninvited"] = {slug: node.uninvited[slug] for slug in sorted(node.uninvited)}
    return report


def find_work(
    wanted: t.Sequence[_node.Item], node: _node.Node, report: Report
) -> list[tuple[_node.Item, dict[str, str]]]:
    """Return the spaces that need something, each with its steps, and those in words."""
    free = [_apply.resolve(item, node) for item in wanted if not is_pending(item, report)]
    return [(item, steps) for item, steps in plans(free, node, report) if steps]


def note_results(
    todo: t.Sequence[tuple[_node.Item, dict[str, str]]],
    results: t.Sequence[tuple[list[str], str] | None],
    report: Report,
) -> None:
    """Write down what was done, what failed, and what was not begun."""
    for (item, _steps), outcome in zip(todo, results, strict=True):
        if outcome is None:
            report.facts["remaining"].append(item["space"])
            continue
        report.facts["begun"] += 1
        done, why = outcome
        for what in done:
            report.change(item["space"], what)
        if why:
            report.fail(item["space"], why)
