# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Install Nextcloud in new spaces and apply what only Nextcloud itself can be told.

A space is installed once. A journal beside it says that an installation is under way:
only with that journal may the remains of an interrupted one be cleared away, so that
a live space whose configuration went missing is never taken for a new one.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import math
import os
import secrets
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _application_set,
    _config,
    _database,
    _files,
    _golden,
    _journal,
    _letter,
    _mariadb,
    _occ,
    _repair,
    _systemd,
)
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report

# Created by installations that cannot do without a first administrator; removed at once.
SETUP_ACCOUNT = "archipel-setup"
LOCK = "installations"
# Seconds to wait for who holds it.
PATIENCE = 300
# Two spaces installed side by side must not both write the template.
SAVING = threading.Lock()
# What a release, or an application that is turned on, leaves out of a database.
MISSING = tuple(
    (f"db:add-missing-{what}", "--no-interaction")
    for what in ("columns", "indices", "primary-keys")
)
# How the application reports that it turned another one on.
TURNED_ON = "enable application "
# And that it could not invite somebody.
INVITING = "invite "
# `{input}` stands for a private file with the wanted state.
APPLY = ("archipel:apply", "--input={input}")
# Reads what the same document imposes, as applications do.
CHECK = ("archipel:check", "--input={input}")
# Private files that keep passwords off command lines, in memory, while a client runs.
CLIENTS = "/run/archipel/clients"
JOURNAL, APPLIED, LOGO = ".installing", ".applied", "logo"

Item = t.Mapping[str, t.Any]


class InstallationError(Exception):
    """One space could not be installed or configured."""


class OccError(InstallationError):
    """A command of occ failed; it may have said something all the same."""

    def __init__(self, why: str, said: str) -> None:
        super().__init__(why)
        self.said = said


@dataclass(frozen=True)
class State:
    """What is there of one space."""

    linked: bool
    installed: bool
    interrupted: bool
    applied: str
    # Keys of config.php that are the operator's: copies Nextcloud made of ours.
    copied: tuple[str, ...] = ()
    # What the space was told and is no longer so.
    drift: tuple[str, ...] = ()
    # SHA-256 of the logo that lies there; empty: none.
    logo: str = ""


@dataclass(frozen=True)
class Node:
    """Where things are on this node, and how to reach its database."""

    root: str
    releases: str
    php: str
    spool: str
    sandbox: list[str]
    # Folder of the releases' templates; empty: every space is installed on its own.
    golden: str
    database_socket: str
    # Authorities that the certificate of a database on another machine must come from.
    database_ca: str
    # From the wanted database to a connection that may make and drop it.
    connect: t.Callable[[t.Mapping[str, t.Any]], t.Any]
    # What the database driver raises.
    database_error: type[Exception]
    # Release -> applications of the set that it goes without, as the catalogue says.
    without: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    # Space -> its logo in base64, where this run brings one.
    logos: t.Mapping[str, str] = field(default_factory=dict)
    # Space -> why nobody took its invitation: filled by this run.
    uninvited: dict[str, str] = field(default_factory=dict)


def digest(item: Item) -> str:
    """Return what identifies the state that Nextcloud is told to have.

    Another release may know things the last one did not: it is told everything anew.
    """
    told_by = {"applied": item["applied"], "release": item["release"]}
    text = json.dumps(told_by, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_logo(path: str) -> str:
    """Return the SHA-256 of a logo that lies on the node; empty if there is none."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def logo_of(item: Item) -> str:
    """Return the SHA-256 of the logo a space is to have; empty: none. Pure."""
    return str((item["logo"] or {}).get("sha256", ""))


def put_logo(item: Item, node: Node) -> None:
    """Put a space's logo where its Nextcloud is told to find it, or take it away."""
    path = Path(f"{node.root}/{item['space']}/{LOGO}")
    if not item["logo"]:
        path.unlink()
        return
    data = base64.b64decode(node.logos[item["space"]])
    if hashlib.sha256(data).hexdigest() != logo_of(item):
        raise InstallationError(f"its {path.name} changed while it was read: run again")
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.chmod(0o644)
    beside.replace(path)


def read_state(root: str, item: Item) -> State:
    """Read what is there of one space: four small files at most."""
    base = f"{root}/{item['space']}"
    config = _files.read_text(f"{base}/config/config.php")
    return State(
        linked=os.path.lexists(f"{base}/release"),
        installed=_config.is_installed(config),
        copied=tuple(sorted(_config.keys(config) & set(item["managed"]))),
        interrupted=os.path.exists(f"{base}/{JOURNAL}"),
        applied=_files.read_text(f"{base}/{APPLIED}").strip(),
        logo=read_logo(f"{base}/{LOGO}"),
    )


@functools.cache
def own_version(releases: str, release: str) -> str:
    """Return the version of our application in a release, asked once in a run."""
    return _application_set.own_version(releases, release)


def told(item: Item, node: Node) -> dict[str, t.Any]:
    """Return a space with the release it runs, and what it is told less what that goes without.

    A space that an upgrade has not reached yet runs another release than the policy wants.
    """
    release = _application_set.release_of(f"{node.root}/{item['space']}", item["release"])
    without = node.without.get(release, ())
    applied = _application_set.for_release(item["applied"], without)
    applied = _application_set.understood(applied, own_version(node.releases, release))
    template = _application_set.for_release(item["template"], without)
    return {**item, "release": release, "applied": applied, "template": template}


def read_drift(items: t.Sequence[Item], node: Node) -> dict[str, tuple[str, ...]]:
    """Return what is no longer as these installed spaces were told.

    Spaces whose database is on this node are read together, others one by one.
    """
    local = [item for item in items if item["database"]["password"] is None]
    distant = [[item] for item in items if item["database"]["password"] is not None]
    found: dict[str, tuple[str, ...]] = {}
    for group in [local, *distant]:
        try:
            found |= drift_of(group, node) if group else {}
        except node.database_error:
            # One that cannot be read must not hide the others.
            found |= {item["space"]: drift_alone(item, node) for item in group}
    return found


def drift_of(items: t.Sequence[Item], node: Node) -> dict[str, tuple[str, ...]]:
    """Return the drift of spaces on one database server."""
    return {
        item["space"]: tuple(_application_set.drift(item["applied"], rows))
        for item, rows in zip(items, read_settings(items, node), strict=True)
    }


def drift_alone(item: Item, node: Node) -> tuple[str, ...]:
    """Return the drift of one space; one that cannot be read is told again, and says why."""
    try:
        return drift_of([item], node)[item["space"]]
    except node.database_error as error:
        return (f"its database cannot be read: {error}",)


def read_settings(items: t.Sequence[Item], node: Node) -> list[_application_set.Rows]:
    """Read the settings of spaces on one database server."""
    keys = {key for item in items for key in _application_set.keys_of(item["applied"])}
    connection = node.connect(items[0]["database"])
    try:
        names = [item["database"]["name"] for item in items]
        return _application_set.read(connection, names, keys)
    finally:
        connection.close()


def plan(item: Item, state: State) -> list[str]:
    """Return the steps one space needs, in order. Pure."""
    if not item["running"]:
        return []
    steps = [] if state.linked else ["link"]
    steps += ["logo"] if state.logo != logo_of(item) else []
    if state.interrupted:
        steps += ["clear", "install", "apply"]
    elif not state.installed:
        steps += ["install", "apply"]
    elif state.applied != digest(item) or state.drift:
        steps += ["apply"]
    if state.copied and "install" not in steps:
        steps += ["tidy"]
    return steps


def link(item: Item, node: Node) -> None:
    """Point a new space at its release; a space that has one is moved by an upgrade only."""
    target = f"{node.releases}/{item['release']}"
    if not os.path.isdir(target):
        raise InstallationError(f"release {item['release']} is not built on this node")
    base = f"{node.root}/{item['space']}"
    os.symlink(os.path.relpath(target, base), f"{base}/release")


def tables(item: Item, node: Node) -> int:
    """Return how many tables the space's database holds."""
    connection = node.connect(item["database"])
    try:
        with connection.cursor() as cursor:
            sql = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
            cursor.execute(sql, (item["database"]["name"],))
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def clear(item: Item, node: Node) -> None:
    """Remove what an interrupted installation left: its tables and its state file."""
    name = _mariadb.quote(item["database"]["name"])
    connection = node.connect(item["database"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
            cursor.execute(_mariadb.create_database(item["database"]["name"]))
    finally:
        connection.close()
    Path(f"{node.root}/{item['space']}/config/config.php").unlink(missing_ok=True)


def occ(
    item: Item,
    node: Node,
    arguments: t.Sequence[str],
    stdin: str | None = None,
    more: t.Sequence[t.Sequence[str]] = (),
) -> str:
    """Run occ for a space, and further commands after it; return what was printed.

    Raises:
        OccError: it failed.

    """
    outcome = _occ.run(
        item["space"],
        node.php,
        arguments,
        root=node.root,
        stdin=stdin,
        lines=node.sandbox,
        more=more,
    )
    if outcome.code != 0:
        failed = outcome.failed((arguments, *more)[-1][0])
        raise OccError(f"occ {failed}: {outcome.why()}", outcome.stdout)
    return outcome.stdout


def install(item: Item, node: Node) -> None:
    """Give an empty space its Nextcloud: from the release's template, or by its installer."""
    base = f"{node.root}/{item['space']}"
    journal = Path(f"{base}/{JOURNAL}")
    if not journal.exists():
        if count := tables(item, node):
            raise InstallationError(
                f"{base}/config/config.php says nothing is installed, "
                f"yet the database has {count} tables: "
                "restore config.php from a backup, or empty the database if it is not needed"
            )
        journal.touch(mode=0o600)
    golden = golden_of(item, node)
    if golden and golden.ready:
        with server_of(item, node) as server:
            config = _golden.load(golden, server, item["database"]["name"])
        seed(f"{base}/config/config.php", config, item["id"])
    else:
        run_installer(item, node)
        if golden and not golden.ready:
            # Enabling two dozen applications is most of the work: the template has it done.
            occ(item, node, APPLY, stdin=json.dumps(item["template"]))
        complete(item, node)
        # A new Nextcloud takes itself for one that was never repaired, and warns of it.
        occ(item, node, _repair.COMMAND)
        if golden and not golden.ready:
            keep(golden, item, node)
    # The repair leaves its key behind, which a copy of the template lacks.
    tidy(item, node, {"maintenance"})
    mark_data(f"{base}/data", item["id"])
    journal.unlink()


def complete(item: Item, node: Node) -> None:
    """Add what Nextcloud leaves to the operator: columns, indices, primary keys.

    In processes of their own: an application names its part only where it was on from the start.
    """
    first, *others = MISSING
    occ(item, node, first, more=others)


def golden_of(item: Item, node: Node) -> _golden.Golden | None:
    """Return where a space's template is; None where there can be none.

    A release whose installer insists on an account has none: a template must be empty.
    """
    release = os.path.realpath(f"{node.root}/{item['space']}/release")
    manifest = _files.read_text(f"{release}.json")
    can = json.loads(manifest or "{}").get("capabilities", {}).get("install_without_admin")
    if not node.golden or not can:
        return None
    # Another application set is another template: what it no longer names must not come along.
    made_of = [manifest, item["template"], MISSING, _repair.COMMAND]
    build = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return _golden.Golden(Path(node.golden, os.path.basename(release)), build)


@contextmanager
def server_of(item: Item, node: Node) -> t.Iterator[_database.Server]:
    """Say how MariaDB's own programs reach a space's database, as long as that is needed."""
    account = item["database"]
    if account["password"] is None:
        yield _database.local(node.database_socket)
        return
    host, _, port = str(account["address"]).partition(":")
    path = Path(f"{CLIENTS}/{item['space']}.cnf")
    try:
        values = {**account, "host": host, "port": port}
        yield _database.distant(str(path), values, node.database_ca)
    finally:
        path.unlink(missing_ok=True)


def keep(golden: _golden.Golden, item: Item, node: Node) -> None:
    """Make a space that was just installed the template of its release, if there is none yet."""
    with SAVING:
        if not golden.ready:
            config = _files.read_text(f"{node.root}/{item['space']}/config/config.php")
            with server_of(item, node) as server:
                _golden.save(golden, server, item["database"]["name"], config)


def run_installer(item: Item, node: Node) -> None:
    """Run Nextcloud's own installer, and enable the application that the rest goes through."""
    base, database = f"{node.root}/{item['space']}", item["database"]
    # occ runs only as the user who owns the state file. It has an instance id: the installer makes
    # none, and what makes one later writes the operator's keys into the file as well.
    start = f"<?php\n$CONFIG = array (\n  'instanceid' => '{_golden.instance_id()}',\n);\n"
    seed(f"{base}/config/config.php", start, item["id"])
    arguments = [
        *("maintenance:install", "--no-interaction", "--database=mysql"),
        f"--database-host={database['address']}",
        f"--database-name={database['name']}",
        f"--database-user={database['user']}",
        f"--database-pass={database['password'] or ''}",
        f"--data-dir={base}/data",
        *first_account(os.path.realpath(f"{base}/release")),
    ]
    occ(item, node, arguments)
    occ(item, node, ["app:enable", "archipel"])


def tidy(item: Item, node: Node, others: t.AbstractSet[str] = frozenset()) -> None:
    """Take the operator's keys, and others, out of a space's state file.

    Nextcloud writes all it has read back into config.php. A name that later leaves our
    list would live on in that copy: newer releases merge the two lists.
    """
    path = f"{node.root}/{item['space']}/config/config.php"
    text = _config.without(_files.read_text(path), {*item["managed"], *others})
    own = item["id"]
    _files.write_file({"path": path, "content": text, "uid": own, "gid": own, "mode": 0o640})


def seed(path: str, content: str, owner: int) -> None:
    """Put a file of the space's own user in place, unless there is one."""
    if not os.path.lexists(path):
        item = {"path": path, "content": content, "uid": owner, "gid": owner, "mode": 0o640}
        _files.write_file(item)


def first_account(release: str) -> list[str]:
    """Return the installer's arguments about the first account: none, where it can do without.

    What a release can do stands in the manifest beside it, written when it was built.
    """
    manifest = json.loads(_files.read_text(f"{release}.json") or "{}")
    if manifest.get("capabilities", {}).get("install_without_admin"):
        return ["--disable-admin-user"]
    return [f"--admin-user={SETUP_ACCOUNT}", f"--admin-pass={secrets.token_urlsafe(32)}"]


def mark_data(directory: str, owner: int) -> None:
    """Put the marks that any release looks for in a data directory."""
    for name in (".ncdata", ".ocdata"):
        seed(f"{directory}/{name}", "# Nextcloud data directory\n", owner)


def order(item: Item, node: Node) -> str:
    """Return what Nextcloud is told, as the application `archipel` reads it.

    Until it has succeeded once, an administrator who is there already is invited again: an
    invitation that is printed is lost with an interrupted run. One that goes by mail is noted in
    the space as soon as the relay has it, and not sent again.
    """
    known = os.path.exists(f"{node.root}/{item['space']}/{APPLIED}")
    once = known or item["applied"].get("invite_by_mail", False)
    wanted = {**item["applied"], "remove_users": [SETUP_ACCOUNT]}
    return json.dumps({**wanted, "invite": True if once else "again"})


def is_turned_off(said: str) -> bool:
    """Tell whether a failure is that somebody turned the application off. Pure."""
    return "archipel" in said and "defined" in said


def apply(item: Item, node: Node) -> list[str]:
    """Tell Nextcloud its wanted state through the application `archipel`; return what changed."""
    wanted = order(item, node)
    try:
        printed = occ_apply(item, node, wanted)
    except OccError as error:
        if not is_turned_off(str(error)):
            raise
        # Without it there is no such command.
        occ(item, node, ["app:enable", "archipel"])
        printed = occ_apply(item, node, wanted)
    answer = read_answer(printed)
    loosen(item, node)
    if turned_on(answer):
        complete(item, node)
    return mark_applied(item, node, answer)


def occ_apply(item: Item, node: Node, wanted: str) -> str:
    """Tell Nextcloud its wanted state; a letter that no relay took keeps no space closed."""
    try:
        return occ(item, node, APPLY, stdin=wanted)
    except OccError as error:
        if not (why := uninvited(error.said)):
            raise
        node.uninvited[item["space"]] = why
        return error.said


def uninvited(said: str) -> str:
    """Return why nobody was invited, if that is all that went wrong; else nothing. Pure."""
    try:
        errors = [str(error) for error in read_answer(said).get("errors", [])]
    except InstallationError:
        return ""
    return "; ".join(errors) if all(error.startswith(INVITING) for error in errors) else ""


def turned_on(answer: t.Mapping[str, t.Any]) -> bool:
    """Tell whether applications were turned on. Pure."""
    return any(str(change).startswith(TURNED_ON) for change in answer.get("changes", []))


def loosen(item: Item, node: Node) -> None:
    """Let readers of any type have what a space was told, where its own application does not.

    A release keeps the application that it was built with.
    """
    version = own_version(node.releases, item["release"])
    keys = _application_set.keys_of(item["applied"])
    if not keys or _application_set.numbers_of(version) >= _application_set.MIXED_SINCE:
        return
    connection = node.connect(item["database"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(*_application_set.loosening(item["database"]["name"], keys))
    finally:
        connection.close()


def read_answer(printed: str) -> dict[str, t.Any]:
    """Return what the application answered: the last line of what was printed. Pure.

    Raises:
        InstallationError: it is no answer.

    """
    try:
        return dict(json.loads((printed.strip().splitlines() or [""])[-1]))
    except (TypeError, ValueError) as error:
        raise InstallationError(
            f"occ archipel:apply printed no JSON: {printed[-300:]!r}"
        ) from error


def mark_applied(item: Item, node: Node, answer: t.Mapping[str, t.Any]) -> list[str]:
    """Write down that Nextcloud was told its wanted state; return what changed.

    Without its invitation it was not told all of it: the next run tells it again.
    """
    changes = [str(change) for change in answer.get("changes", [])]
    if item["space"] in node.uninvited:
        return changes
    if invitation := answer.get("invitation"):
        _letter.spool(invitation, _letter.path_of(node.spool, item["space"]))
    path = f"{node.root}/{item['space']}/{APPLIED}"
    _files.write_file(
        {"path": path, "content": digest(item) + "\n", "uid": 0, "gid": 0, "mode": 0o600}
    )
    return changes


STEPS: dict[str, t.Callable[[t.Mapping[str, t.Any], Node], t.Any]] = {
    "link": link,
    "logo": put_logo,
    "clear": clear,
    "install": install,
    "apply": apply,
    "tidy": tidy,
}
WORDS = {
    "link": "release {release}",
    "logo": "logo",
    "clear": "remains of an interrupted installation cleared",
    "install": "Nextcloud installed",
    "apply": "Nextcloud's settings applied",
    "tidy": "copies of managed keys taken out of config.php",
}


def words(step: str, item: Item, state: State) -> str:
    """Return what a step is called in the report. Pure."""
    why = f" ({', '.join(state.drift)})" if step == "apply" and state.drift else ""
    return WORDS[step].format(**item) + why


def carry_out(item: Item, steps: t.Mapping[str, str], node: Node) -> tuple[list[str], str]:
    """Do the steps of one space; return what was done, in words, and, if it failed, why."""
    done: list[str] = []
    for step, what in steps.items():
        try:
            STEPS[step](item, node)
        except wrong_in(node) as error:
            return done, str(error)
        done.append(what)
    return done, ""


def wrong_in(node: Node) -> tuple[type[Exception], ...]:
    """Return what may go wrong in a step: a damaged file must cost one space, not all of them."""
    return (InstallationError, _golden.GoldenError, OSError, ValueError, node.database_error)


def plans(
    wanted: t.Sequence[Item], node: Node, report: Report
) -> list[tuple[Item, dict[str, str]]]:
    """Read what is there of all spaces; return each with its steps, and those in words."""
    states = read_states(wanted, node, report)
    known = [item for item in wanted if item["space"] in states]
    settled = [
        item
        for item in known
        if item["running"] and plan(item, states[item["space"]]) in ([], ["tidy"])
    ]
    for space, found in read_drift(settled, node).items():
        states[space] = replace(states[space], drift=found)
    return [
        (item, {step: words(step, item, state) for step in plan(item, state)})
        for item, state in ((item, states[item["space"]]) for item in known)
    ]


def read_states(wanted: t.Sequence[Item], node: Node, report: Report) -> dict[str, State]:
    """Read what is there of all spaces; one whose files cannot be read fails alone."""
    states = {}
    for item in wanted:
        try:
            states[item["space"]] = read_state(node.root, item)
        except OSError as error:
            report.fail(item["space"], f"{error.filename}: {error.strerror}")
    return states


def carry_out_all(
    todo: t.Sequence[tuple[Item, dict[str, str]]], node: Node, parallel: int, seconds: float
) -> list[tuple[list[str], str] | None]:
    """Do the steps of spaces side by side; None for those not begun before the time was up."""
    start = time.monotonic()

    def one(pair: tuple[Item, dict[str, str]]) -> tuple[list[str], str] | None:
        return None if time.monotonic() - start > seconds else carry_out(*pair, node)

    # The repair of a space after a new major takes seconds.
    lock = _journal.exclusive(LOCK, patience=PATIENCE)
    with lock, ThreadPoolExecutor(max_workers=parallel) as pool:
        return list(pool.map(one, todo))


def set_aside(
    todo: list[tuple[Item, dict[str, str]]], node: Node, report: Report
) -> list[tuple[Item, dict[str, str]]]:
    """Set spaces aside whose new logo this call does not bring, and name them.

    Logos travel only when they are needed: the controller then calls again with those.
    """
    lacking = [
        item["space"]
        for item, steps in todo
        if "logo" in steps and item["logo"] and item["space"] not in node.logos
    ]
    report.facts["wanted_logos"] = lacking
    return [(item, steps) for item, steps in todo if item["space"] not in lacking]


def is_pending(item: Item, report: Report) -> bool:
    """Tell whether a space is being restored or purged: then it is left alone."""
    if pending := _journal.under_way(item["space"]):
        report.fail(item["space"], pending)
    return bool(pending)


def converge(
    wanted: t.Sequence[Item], node: Node, parallel: int, *, check: bool, seconds: float = math.inf
) -> Report:
    """Install and configure the spaces that need it, a bounded number at a time.

    After so many seconds no further space is begun. The fact `remaining` names those left.
    """
    report = Report()
    report.facts |= {"begun": 0, "remaining": [], "uninvited": {}}
    free = [told(item, node) for item in wanted if not is_pending(item, report)]
    todo = [(item, steps) for item, steps in plans(free, node, report) if steps]
    if todo:
        # Units that changed in this run are needed below, not only when the doors open.
        _systemd.daemon_reload(report, check=check)
    if check:
        for item, steps in todo:
            for what in steps.values():
                report.change(item["space"], what)
        return report
    todo = set_aside(todo, node, report)
    if not todo:
        return report
    results = carry_out_all(todo, node, parallel, seconds)
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
    report.facts["uninvited"] = {slug: node.uninvited[slug] for slug in sorted(node.uninvited)}
    return report
