# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Move one space to another release and, if anything fails, back.

A journal names the step that comes next, so that whoever finds one goes on there. From the
first step that people could notice to the last, the space's door is closed by a file that
nginx looks for: nobody can store anything that a way back would lose. The same file keeps
its jobs from starting. Both outlive a reboot.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import time
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _application_set,
    _apply,
    _backup,
    _config,
    _database,
    _files,
    _install,
    _journal,
    _mariadb,
    _node,
    _occ,
    _probe,
    _probe_requests,
    _repair,
    _seed_image,
    _status,
    _systemd,
    _upgrade_account,
    _upgrade_plan,
    _upgrade_schema,
)

VERB = _upgrade_plan.VERB
# What is kept of upgrades, the files that close doors, what occ said.
WORK, CLOSED = _repair.WORK, _repair.CLOSED
LOGS = "/var/log/archipel/upgrade"
REDIS = "/run/archipel/redis"
FORWARD = ("prepare", "close", "dump", "point", "upgrade", "apply", "check", "open")
# After a failure.
BACK = ("shut", "load", "files", "return", "verify", "reopen")
# On demand: the present state is written down before it goes.
UNDO = ("prepare", "close", "keep", *BACK)
WAYS = {"forward": FORWARD, "back": BACK, "undo": UNDO}
DATABASE_SECONDS, REDIS_SECONDS = 120, 10
TAIL_LINES = 12
RUNNING = {"active", "activating", "deactivating", "reloading"}
POINT, STAGED, LAST, RATE = "point", "point.new", "last.json", "rate.json"
UNDONE = "undone.sql"
# What Nextcloud reads beside its config.php. A request that was on its way when the door closed
# (an upload that takes minutes) is refused by Nextcloud itself, as in maintenance mode.
BARRIER = "closed.config.php"
BARRIER_TEXT = """\
<?php
// Closed for the time of an upgrade: written by Archipel, and taken away when the door opens.
$CONFIG = PHP_SAPI === 'cli' || hash_equals('{key}', $_SERVER['HTTP_X_ARCHIPEL_PROBE'] ?? '')
    ? [] : ['maintenance' => true];
"""

# How the space answered before, in its journal and its restore point.
SEEN_BEFORE = ("pages", "requests", "things")
# Files that a newer release made or removed, and the restored database knows nothing of.
RESCAN = ("files:scan-app-data", "--no-interaction")

Journal = dict[str, t.Any]


class UpgradeError(Exception):
    """A step failed; the space goes back to where it was."""


@dataclass(frozen=True)
class Settings:
    """Where things are on this node, and what the run wants."""

    node: _node.Node
    # Names the run in what is written down.
    run: str = ""
    work: str = WORK
    closed: str = CLOSED
    logs: str = LOGS
    redis: str = REDIS
    database_ca: str = ""
    port: int = 443
    # Seconds that jobs which are running may go on.
    jobs_seconds: int = 300
    occ_seconds: int = 7200
    # Applications the policy wants off: their being off after an upgrade is no loss.
    disabled: frozenset[str] = frozenset()
    # Pages that the check opens beside those of the account's menu.
    pages: Sequence[str] = ()
    # What it asks for beside them, by the names of _probe_requests.KINDS.
    requests: Sequence[str] = ()
    # Application → settings of an account that tell it of a first visit, as they are afterwards.
    first_visits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass
class Job:
    """One space on its way."""

    settings: Settings
    item: Mapping[str, t.Any]
    journal: Journal
    # What will run the upgrade, begun while people still work.
    ready: _occ.Ready | None = None
    # Seconds of each step that this run did.
    took: dict[str, float] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The space."""
        return str(self.item["space"])

    @property
    def home(self) -> str:
        """Its folder."""
        return f"{self.settings.node.root}/{self.slug}"

    @property
    def folder(self) -> str:
        """What is written down about its upgrades."""
        return f"{self.settings.work}/{self.slug}"

    @property
    def point(self) -> str:
        """The restore point of this very upgrade; of the last one, where that is undone."""
        kept = self.journal["direction"] == "undo" or self.journal.get("kept", False)
        return f"{self.folder}/{POINT if kept else STAGED}"

    @property
    def barrier(self) -> str:
        """The file that lets Nextcloud refuse everybody who does not know the key."""
        return f"{self.home}/config/{BARRIER}"

    @property
    def log_path(self) -> str:
        """What occ said."""
        return f"{self.settings.logs}/{self.slug}.log"

    @property
    def database(self) -> str:
        """Its database."""
        return str(self.item["database"]["name"])

    @property
    def server(self) -> _database.Server:
        """How its database is reached."""
        account = self.item["database"]
        if _upgrade_plan.is_local(self.item):
            return _database.local(self.settings.node.database_socket)
        host, _, port = str(account["address"]).partition(":")
        # The account's own host is the one it calls from.
        values = {**account, "host": host, "port": port}
        ca = self.settings.database_ca
        return _database.distant(f"{self.settings.work}/clients/{self.slug}.cnf", values, ca)

    def log(self, text: str) -> None:
        """Write down what happens, if there is room: a full disk must not end the way back."""
        with contextlib.suppress(OSError):
            os.makedirs(self.settings.logs, mode=0o750, exist_ok=True)
            with open(self.log_path, "a", encoding="utf-8") as file:
                for line in text.splitlines() or [""]:
                    file.write(f"{_backup.now()} {line}\n")

    def save(self, **changes: t.Any) -> None:
        """Write the journal, with changes; what could not be written is not believed either."""
        _journal.write(self.slug, {**self.journal, **changes})
        self.journal |= changes


def is_web(item: Mapping[str, t.Any]) -> bool:
    """Tell whether people reach the space: a suspended one is upgraded behind closed doors."""
    return bool(item["running"])


# --- doors -----------------------------------------------------------------------------


def gate(settings: Settings, slug: str) -> str:
    """Return the file that keeps people and jobs out while it is there."""
    return f"{settings.closed}/{slug}"


def shut_gate(job: Job) -> None:
    """Close the door for everybody who does not know the key. Can be repeated."""
    os.makedirs(job.settings.closed, exist_ok=True)
    # nginx looks for names it is told, and must not be able to list the keys.
    os.chmod(job.settings.closed, 0o711)
    place = gate(job.settings, job.slug)
    for path in (f"{place}.{job.journal['key']}", place):
        Path(path).touch(mode=0o644)
    content = BARRIER_TEXT.replace("{key}", job.journal["key"])
    group = int(job.item["id"])
    _files.write_file(
        {"path": job.barrier, "content": content, "uid": _files.ROOT, "gid": group, "mode": 0o640}
    )


def is_open(job: Job) -> bool:
    """Tell whether people get in: from the moment a door opened, nothing may lead back."""
    return not os.path.exists(gate(job.settings, job.slug))


def open_gate(job: Job) -> None:
    """Open the door. Can be repeated."""
    Path(job.barrier).unlink(missing_ok=True)
    place = Path(gate(job.settings, job.slug))
    place.unlink(missing_ok=True)
    # It is open now: a key that stays behind opens nothing.
    with contextlib.suppress(OSError):
        for path in place.parent.glob(f"{job.slug}.*"):
            path.unlink(missing_ok=True)


def wait_for_jobs(job: Job) -> None:
    """Let jobs that are running come to their end.

    Raises:
        UpgradeError: they do not.

    """
    unit = f"space-cron@{job.slug}.service"
    end = time.monotonic() + job.settings.jobs_seconds
    while True:
        shown = _systemd.properties([unit], "ActiveState")
        if shown.get(unit, {}).get("ActiveState") not in RUNNING:
            return
        if time.monotonic() > end:
            raise UpgradeError(
                f"its jobs have been running for over {job.settings.jobs_seconds} seconds ({unit})"
                ": run again later, or raise archipel_upgrade_jobs_seconds"
            )
        time.sleep(1)


def stop_php(job: Job) -> None:
    """Let running requests end, and forget what PHP and Redis keep in memory."""
    _systemd.systemctl("stop", f"space-php@{job.slug}.service")
    empty_redis(job)


def empty_redis(job: Job) -> None:
    """Let Redis forget everything; it does not stop with PHP, for occ's target keeps it."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(f"{job.settings.redis}/{job.slug}/redis.sock")
        except (FileNotFoundError, ConnectionRefusedError):
            # None runs: there is nothing to forget.
            return
        connection.settimeout(REDIS_SECONDS)
        connection.sendall(b"FLUSHDB\r\n")
        answer = connection.recv(64)
    if not answer.startswith(b"+OK"):
        raise UpgradeError(f"its Redis does not forget what it holds: {answer.decode()!r}")


def start_php(job: Job) -> None:
    """Let PHP start meanwhile: the door is closed, nobody asks before the check does."""
    if is_web(job.item):
        _systemd.systemctl("start", "--no-block", f"space-php@{job.slug}.service")


# --- occ -------------------------------------------------------------------------------


def unit_of(slug: str) -> str:
    """Return the name under which a space's occ runs meanwhile."""
    return f"archipel-upgrade-{slug}.service"


def occ(
    job: Job,
    *arguments: str,
    more: Sequence[Sequence[str]] = (),
    stdin: str | None = None,
) -> str:
    """Run occ, and further commands after it, write down what it says, and return that.

    Args:
        job: the space.
        arguments: of the first command.
        more: further commands, each if the one before it has succeeded.
        stdin: what a command reads as `{input}`.

    Raises:
        UpgradeError: one of them failed.

    """
    outcome = run_occ(job, *arguments, more=more, stdin=stdin)
    if outcome.code != 0:
        failed = outcome.failed((arguments, *more)[-1][0])
        raise UpgradeError(f"occ {failed} ended with {outcome.code}: {outcome.why()}")
    return outcome.stdout


def run_occ(
    job: Job,
    *arguments: str,
    more: Sequence[Sequence[str]] = (),
    stdin: str | None = None,
) -> _occ.Outcome:
    """Run occ as `occ` does; return what came of it, a failure too."""
    node = job.settings.node
    if job.ready is not None:
        ready, job.ready = job.ready, None
        outcome = ready.run(_occ.request(arguments, stdin=stdin, more=more))
        _occ.take_back(job.home)
    else:
        outcome = _occ.run(
            job.slug,
            node.php,
            arguments,
            root=node.root,
            stdin=stdin,
            timeout=job.settings.occ_seconds,
            lines=node.sandbox,
            unit=unit_of(job.slug),
            more=more,
        )
    lines = [*outcome.stdout.strip().splitlines(), *outcome.stderr.strip().splitlines()]
    names = ", ".join(one[0] for one in (arguments, *more))
    job.log("\n".join([f"occ {names}: {outcome.code}", *lines]))
    return outcome


def get_ready(job: Job) -> None:
    """Start what will run the upgrade, on the new release; it waits until it is asked."""
    node, settings = job.settings.node, job.settings
    command = _occ.sandboxed(
        job.slug,
        node.php,
        f"{node.releases}/{job.journal['to']}",
        timeout=settings.jobs_seconds + settings.occ_seconds,
        lines=node.sandbox,
        unit=unit_of(job.slug),
    )
    job.ready = _occ.Ready(command)


def stand_down(job: Job) -> None:
    """Dismiss what was to run the upgrade, where it came to none."""
    if job.ready is not None:
        job.ready.dismiss()
        job.ready = None


def end_occ(job: Job) -> None:
    """End an occ that a run which was cut short left behind."""
    shown = _systemd.properties([unit_of(job.slug)], "ActiveState")
    if any(one.get("ActiveState") in RUNNING for one in shown.values()):
        _systemd.systemctl("stop", unit_of(job.slug))


# --- steps -----------------------------------------------------------------------------


def prepare(job: Job) -> None:
    """Make what the check at the end needs, while people still work.

    A space that does not serve beforehand is left alone: nobody could tell afterwards whether
    the way back has worked.
    """
    job.journal.setdefault("key", secrets.token_hex(16))
    if job.journal["direction"] == "undo":
        return
    probe(job, version_of(job, job.journal["from"]))
    if is_web(job.item):
        job.journal["probe"] = _upgrade_account.choose(executes(job))
        look_before(job)
    get_ready(job)


def look_before(job: Job) -> None:
    """Open and ask for what the check is to, and note how each answers while people work."""
    if not job.journal["probe"]:
        return
    place, enabled = place_of(job), job.journal.get("enabled", ())
    kinds = _probe_requests.possible(job.settings.requests, enabled)
    things = _probe_requests.things_of(executes(job), job.journal["probe"][0], kinds)
    with borrowed(job) as account:
        pages = [*job.settings.pages, *_probe.menu(place, account)]
        opened = _probe.open_pages(place, pages, account)
        asked = _probe_requests.ask(_probe_requests.Visit(place, account, things), kinds)
    job.journal |= {"pages": opened, "requests": asked, "things": things}
    for what, status in {**opened, **{name: found[0] for name, found in asked.items()}}.items():
        if not _probe.is_well(status):
            job.log(f"{what} answers {_probe.words(status)} before the upgrade: not its doing")


@contextlib.contextmanager
def borrowed(job: Job) -> Iterator[tuple[str, str]]:
    """Have a password of the account meanwhile; nothing is left of it, nor of what it was told.

    Of a space that is closed everything later is the check's own doing. It is written down first,
    so that a run which goes on after this one takes it back.
    """
    name, execute = job.journal["probe"][0], executes(job)
    if job.journal.get("visits"):
        # Of a run that was cut short: what it set must not be taken for the account's own.
        forget(job)
    if not is_open(job):
        job.save(remembered=_upgrade_account.remember(execute, job.database, name))
    known = _upgrade_account.preferences(execute, name)
    visits = _upgrade_account.not_visited(known, job.settings.first_visits)
    job.save(visits=visits)
    _upgrade_account.mark_visited(execute, name, visits)
    secret = _config.text_of(_files.read_text(f"{job.home}/config/config.php"), "secret")
    password = _upgrade_account.lend(execute, name, secret, time.time())
    try:
        yield name, password
    finally:
        forget(job)
        # Set by somebody later, they are that somebody's.
        job.save(visits=[])


def executes(job: Job) -> _upgrade_account.Execute:
    """Return what runs statements on a space's database."""
    return functools.partial(execute, job)


def execute(job: Job, *statements: _upgrade_account.Statement) -> list[t.Any]:
    """Run statements on a space's database, `{0}`; return the rows of the last one."""
    name, connection = _mariadb.quote(job.database), job.settings.node.connect(job.item["database"])
    try:
        with connection.cursor() as cursor:
            for sql, values in statements:
                cursor.execute(sql.format(name), values)
            return list(cursor.fetchall())
    finally:
        connection.close()


def close(job: Job) -> None:
    """Close the door, and wait until nobody and nothing works in the space."""
    wait_for_jobs(job)
    job.journal.setdefault("closed_at", time.time())
    shut_gate(job)
    # One that began in between.
    wait_for_jobs(job)
    stop_php(job)
    start_php(job)


def dump(job: Job) -> None:
    """Write down all that a way back needs."""
    shutil.rmtree(job.point, ignore_errors=True)
    os.makedirs(job.point, mode=0o700)
    try:
        write_down(job, job.point)
    except Exception:
        # Half of it is of no use, and may be what fills the disk for all the others.
        shutil.rmtree(job.point, ignore_errors=True)
        raise


def write_down(job: Job, folder: str) -> None:
    """Write a space's database and state into a folder; the description comes last."""
    counted = _database.dump(job.server, job.database, f"{folder}/{_backup.DUMP}")
    if not counted.tables:
        raise UpgradeError(f"its database {job.database} has no table: there is nothing to keep")
    for name in ("config/config.php", _apply.APPLIED):
        if os.path.exists(f"{job.home}/{name}"):
            shutil.copy2(f"{job.home}/{name}", f"{folder}/{os.path.basename(name)}")
    for name in os.listdir(folder):
        flush(f"{folder}/{name}")
    described = {
        "release": job.journal["from"],
        "version": job.journal["version"],
        "to": job.journal["to"],
        "at": time.time(),
        "tables": counted.tables,
        "sha256": counted.digest.hexdigest(),
        "bytes": counted.length,
        "probe": job.journal["probe"],
        **{key: job.journal.get(key, {}) for key in SEEN_BEFORE},
    }
    _journal.save(f"{folder}/point.json", described)


def flush(path: str) -> None:
    """Make sure that a file outlives a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point_at(job: Job, release: str) -> None:
    """Point the space at a release: beside, then over the old link."""
    target = f"{job.settings.node.releases}/{release}"
    if not os.path.isdir(target):
        raise UpgradeError(f"release {release} is not on this node")
    beside = f"{job.home}/.release.new"
    Path(beside).unlink(missing_ok=True)
    os.symlink(os.path.relpath(target, job.home), beside)
    os.rename(beside, f"{job.home}/release")


def point(job: Job) -> None:
    """Point the space at the new release."""
    point_at(job, job.journal["to"])


def upgrade(job: Job) -> None:
    """Let Nextcloud upgrade its database; legal also after one that was cut short.

    What the step `apply` is to do follows in the same sandbox, where the release can do so:
    each further start of Nextcloud is time in which nobody can work.
    """
    end_maintenance(job)
    answer, wanted = None, _apply.resolve(job.item, job.settings.node)
    try:
        if follows := following(job):
            order = _apply.make_request(wanted, job.settings.node)
            answer = upgrade_and_tell(job, follows, order)
        else:
            occ(job, "upgrade", "--no-interaction")
    except UpgradeError as error:
        if not is_only_compared(job, error):
            raise
        job.log("the upgrade has succeeded; what its comparison found is judged by the check")
    make_sure_of_upgrade(job)
    if answer is not None:
        note_answer(job, wanted, answer)


def end_maintenance(job: Job) -> None:
    """Take back the maintenance mode of an upgrade that was cut short.

    A space in which somebody else turned it on is not upgraded. Nextcloud would leave it on.
    """
    path, own = f"{job.home}/config/config.php", job.item["id"]
    text = _files.read_text(path)
    if _status.MAINTENANCE.search(text):
        content = _config.without(text, {"maintenance"})
        _files.write_file({"path": path, "content": content, "uid": own, "gid": own, "mode": 0o640})


def following(job: Job) -> list[str]:
    """Return the command that does the rest in one process; none where the release has none."""
    releases = job.settings.node.releases
    version = _node.own_version(releases, job.journal["to"])
    if _application_set.numbers_of(version) < _application_set.AROUND_SINCE:
        return []
    before = (f"--before={json.dumps(command)}" for command in _apply.MISSING)
    return [*_apply.APPLY, *before]


def upgrade_and_tell(job: Job, follows: Sequence[str], order: str) -> dict[str, t.Any] | None:
    """Run the upgrade and what follows; return the answer, None if that is to be done alone."""
    try:
        said = occ(job, "upgrade", "--no-interaction", more=[follows], stdin=order)
    except UpgradeError as error:
        alone = f"occ {follows[0]} ended" in str(error) and _apply.is_turned_off(str(error))
        if not alone:
            raise
        return None
    return _node.read_answer(said)


def is_only_compared(job: Job, error: UpgradeError) -> bool:
    """Tell whether a command failed that had done its work, for what it found in the end.

    The version is written last of all, and maintenance mode is left on if anything failed.
    """
    release = f"{job.settings.node.releases}/{job.journal['to']}"
    if "occ upgrade ended" not in str(error) or not _upgrade_schema.is_there(release):
        return False
    try:
        make_sure_of_upgrade(job)
    except UpgradeError:
        return False
    return True


def make_sure_of_upgrade(job: Job) -> None:
    """Look at what the upgrade left.

    Raises:
        UpgradeError: it said nothing of a failure, and failed.

    """
    config = _files.read_text(f"{job.home}/config/config.php")
    found = _status.VERSION.search(config)
    wanted = version_of(job, job.journal["to"])
    if not found or found[1] != wanted:
        raise UpgradeError(
            f"occ upgrade said nothing of a failure, yet config.php is at "
            f"{found[1] if found else 'no version'}, not at {wanted}"
        )
    if _status.MAINTENANCE.search(config):
        raise UpgradeError("occ upgrade left maintenance mode on")


def note_answer(job: Job, wanted: Mapping[str, t.Any], answer: Mapping[str, t.Any]) -> None:
    """Write down what followed the upgrade: the step `apply` finds it done."""
    for what in _apply.mark_applied(wanted, job.settings.node, answer):
        job.log(f"applied: {what}")
    for one in answer["commands"]:
        job.log(f"{one['command']}: {one['output']}")
    if _apply.turned_on(answer):
        # Their part of the database is named only where they were on from the start.
        add_missing(job)
    job.journal["told"] = True


def add_missing(job: Job) -> None:
    """Add the columns, indices and primary keys that Nextcloud leaves to the operator."""
    first, *others = _apply.MISSING
    occ(job, *first, more=others)


def version_of(job: Job, release: str) -> str:
    """Return the full version of a release of this node."""
    manifest = _files.read_text(f"{job.settings.node.releases}/{release}.json")
    return str(json.loads(manifest)["version_full"])


def apply(job: Job) -> None:
    """Tell Nextcloud its application set, and look for what the upgrade switched off."""
    node = job.settings.node
    told = _apply.resolve(job.item, node)
    if not job.journal.get("told"):
        tell(job, told)
    _install.tidy(told, node)
    enabled = _upgrade_plan.enabled_now(job.item, node.connect)
    without = set(node.without.get(job.journal["to"], ()))
    before = frozenset(job.journal["enabled"])
    lost = sorted(
        before - enabled - job.settings.disabled - without - switched_off(told["applied"])
    )
    if lost:
        raise UpgradeError(
            f"the upgrade switched off {', '.join(lost)}, and they do not go on again"
        )


def switched_off(applied: Mapping[str, t.Any]) -> set[str]:
    """Return the applications that being told its state may turn off in a space. Pure."""
    suites = (applied.get("office") or {}).get("suites", {}).values()
    return {
        *(applied.get("apps") or {}).get("disable", ()),
        # Which of them is on follows from the space's file and its administrators' choice.
        *(suite["application"] for suite in suites),
    }


def tell(job: Job, told: Mapping[str, t.Any]) -> None:
    """Do what could not follow the upgrade in its sandbox.

    What Nextcloud leaves to the operator: columns, indices, primary keys. Then its application set.
    """
    add_missing(job)
    for what in _apply.apply(told, job.settings.node):
        job.log(f"applied: {what}")


def check(job: Job) -> None:
    """Ask the space whether it serves as before on the new release, and reads what it was told."""
    probe(job, version_of(job, job.journal["to"]))
    read_back(job)
    compare_schema(job)


def compare_schema(job: Job) -> None:
    """Let a release that can do so compare the database with what its code expects.

    Raises:
        UpgradeError: a table or a column is missing that an application which is on needs.

    """
    node, to = job.settings.node, job.journal["to"]
    if not _upgrade_schema.is_there(f"{node.releases}/{to}"):
        return
    outcome = run_occ(job, *_upgrade_schema.COMMAND)
    try:
        findings = json.loads((outcome.stdout.strip().splitlines() or [""])[-1])
    except ValueError as error:
        why = f"occ {_upgrade_schema.COMMAND[0]} ended with {outcome.code}: {outcome.why()}"
        raise UpgradeError(why) from error
    seed = _upgrade_schema.tables_of(Path(node.seed_images or "/nowhere", to, _seed_image.DUMP))
    if missing := _upgrade_schema.faults(findings, seed):
        raise UpgradeError(f"its database is not what the release expects: {'; '.join(missing)}")


def read_back(job: Job) -> None:
    """Read every imposed setting as the release's own applications do.

    What else cannot be read may have been so for long: it is written down.

    Raises:
        UpgradeError: an imposed setting cannot be read, or is another.

    """
    node = job.settings.node
    version = _node.own_version(node.releases, job.journal["to"])
    if _application_set.numbers_of(version) < _application_set.CHECK_SINCE:
        return
    told = _apply.resolve(job.item, node)["applied"]
    outcome = run_occ(job, *_apply.CHECK, stdin=json.dumps(told))
    if outcome.code == 0:
        return
    try:
        problems = [str(one) for one in _node.read_answer(outcome.stdout)["problems"]]
    except (_node.InstallationError, LookupError, TypeError) as error:
        why = f"occ {_apply.CHECK[0]} ended with {outcome.code}: {outcome.why()}"
        raise UpgradeError(why) from error
    imposed = {f"{app}/{key}" for app, keys in told.get("app_config", {}).items() for key in keys}
    if wrong := [one for one in problems if one.partition(":")[0] in imposed]:
        raise UpgradeError(f"imposed settings: {'; '.join(wrong)}")


def probe(job: Job, version: str) -> None:
    """Ask a space at its own address; a suspended one through occ alone.

    Raises:
        ProbeError: it does not serve, or pages that answered well before no longer do.

    """
    told = json.loads(occ(job, "status", "--output=json")) if not is_web(job.item) else None
    if told is not None:
        _probe.check_status(json.dumps(told).encode(), version)
        return
    if not job.journal["probe"]:
        _probe.check(place_of(job), version, None)
        return
    with borrowed(job) as account:
        _probe.check(place_of(job), version, account)
        compare(job, account)


def compare(job: Job, account: tuple[str, str]) -> None:
    """Open the pages that were opened before the upgrade, and ask for what was asked for.

    Raises:
        ProbeError: something no longer answers as it did.

    """
    place, pages = place_of(job), job.journal.get("pages", {})
    enabled = _upgrade_plan.enabled_now(job.item, job.settings.node.connect)
    paths = _upgrade_plan.pages_left(pages, frozenset(job.journal.get("enabled", ())), enabled)
    _probe.compare(place, pages, paths, account)
    if asked := job.journal.get("requests", {}):
        known = dict.fromkeys(name.partition(":")[0] for name in asked)
        kinds = _probe_requests.possible(known, enabled)
        things = job.journal.get("things", {})
        left = _probe_requests.things_left(executes(job), account[0], things)
        _probe_requests.compare(_probe_requests.Visit(place, account, left), asked, kinds)


def place_of(job: Job) -> _probe.Place:
    """Return where a space is asked."""
    return _probe.Place(job.item["host"], job.settings.port, job.journal["key"])


def forget(job: Job) -> None:
    """Take back the password that the check used, and all that came of it."""
    remembered = job.journal.get("remembered") if not is_open(job) else None
    visits = job.journal.get("visits", ())
    _upgrade_account.forget(executes(job), job.journal["probe"], remembered, visits)


def open_up(job: Job) -> None:
    """Keep the restore point and open the door, as the very last: nothing leads back from there.

    Can be repeated: where it is open already, all is done.
    """
    if is_open(job):
        return
    forget(job)
    write_last(job, "upgraded")
    staged, kept = f"{job.folder}/{STAGED}", f"{job.folder}/{POINT}"
    if os.path.isdir(staged):
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(staged, kept)
    version = version_of(job, job.journal["to"])
    _repair.note(job.slug, job.journal["version"], version, job.settings.work)
    open_gate(job)


def write_last(job: Job, result: str) -> None:
    """Write down how it went."""
    now, journal = time.time(), job.journal
    closed_at = journal.get("closed_at", now)
    os.makedirs(job.folder, mode=0o700, exist_ok=True)
    last = {
        "run": job.settings.run,
        "result": result,
        "from": journal["from"],
        "to": journal["to"],
        "version_before": journal["version"],
        "version": journal["version"] if result != "upgraded" else version_of(job, journal["to"]),
        "began": journal["began"],
        "ended": now,
        "downtime": round(now - closed_at, 2),
        "steps": job.took,
        "why": journal.get("why", ""),
        "log": job.log_path,
    }
    _journal.save(f"{job.folder}/{LAST}", last)


# --- steps back ------------------------------------------------------------------------


def shut(job: Job) -> None:
    """Make sure that nothing runs; the database server may be coming back."""
    end_occ(job)
    wait_for_database(job)
    if is_touched(job):
        shut_gate(job)
        stop_php(job)


def wait_for_database(job: Job) -> None:
    """Wait until the server answers.

    Raises:
        DatabaseError: it does not.

    """
    end = time.monotonic() + DATABASE_SECONDS
    while True:
        try:
            _database.run(job.server, "SELECT 1")
        except _database.DatabaseError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


def is_touched(job: Job) -> bool:
    """Tell whether anything but the door was changed, and can be brought back."""
    if job.journal["direction"] == "undo":
        return True
    failed = job.journal.get("failed_at", FORWARD[0])
    return FORWARD.index(failed) > FORWARD.index("dump")


def keep(job: Job) -> None:
    """Write down the present state before an older one takes its place."""
    path = Path(job.folder, UNDONE)
    beside = path.with_suffix(".new")
    try:
        _database.dump(job.server, job.database, str(beside))
    except Exception:
        beside.unlink(missing_ok=True)
        raise
    beside.rename(path)


def load(job: Job) -> None:
    """Bring the database back, and count what has arrived."""
    if not is_touched(job):
        return
    make_sure_of_dump(job)
    # From here on there is no other way than through.
    job.save(loading=True)
    with open(f"{job.point}/{_backup.DUMP}", "rb") as file:
        counted = _database.load(job.server, job.database, file)
    if counted.tables != (found := _database.counts(job.server, job.database)):
        wrong = sorted(
            n for n in {*counted.tables, *found} if counted.tables.get(n) != found.get(n)
        )
        raise UpgradeError(f"the loaded database has other rows in: {', '.join(wrong[:5])}")


def make_sure_of_dump(job: Job) -> None:
    """Read the dump before the database makes room for it.

    Raises:
        UpgradeError: it is not what was written.

    """
    path = f"{job.point}/{_backup.DUMP}"
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != read_point(job.point)["sha256"]:
        raise UpgradeError(
            f"{path} is not what was written: it is damaged. The database was not touched"
        )


def read_point(folder: str) -> dict[str, t.Any]:
    """Return what a restore point says of itself."""
    with open(f"{folder}/point.json", encoding="utf-8") as file:
        return dict(json.load(file))


def files(job: Job) -> None:
    """Bring the state file back, and the mark of what Nextcloud was told."""
    if not is_touched(job):
        return
    put_back(f"{job.point}/config.php", f"{job.home}/config/config.php", job.item["id"])
    put_back(f"{job.point}/{_apply.APPLIED}", f"{job.home}/{_apply.APPLIED}", 0)


def put_back(source: str, target: str, owner: int) -> None:
    """Put a kept file back, whole or not at all; nothing kept means that there was none."""
    if not os.path.exists(source):
        Path(target).unlink(missing_ok=True)
        return
    mode = 0o640 if owner else 0o600
    content = Path(source).read_text(encoding="utf-8")
    _files.write_file(
        {"path": target, "content": content, "uid": owner, "gid": owner, "mode": mode}
    )


def come_back(job: Job) -> None:
    """Point the space at its old release."""
    if is_touched(job):
        point_at(job, job.journal["from"])


def verify(job: Job) -> None:
    """Ask the space whether it serves again, on the old release; tell sync clients if need be.

    What a newer release removed from its own folder on the disk, the restored database still lists,
    and every page after the login fails for it.
    """
    if not is_touched(job):
        return
    told = [("maintenance:data-fingerprint",)] if job.journal["direction"] == "undo" else []
    first, *others = [*told, RESCAN]
    occ(job, *first, more=others)
    probe(job, version_of(job, job.journal["from"]))


def reopen(job: Job) -> None:
    """Open the door, and forget what only the way back needed. Can be repeated."""
    # It closed the door of every space it touched: one that is open had come to its end.
    if not (is_touched(job) and is_open(job)):
        forget(job)
        write_last(job, "undone" if job.journal["direction"] == "undo" else back_word(job))
        open_gate(job)
    shutil.rmtree(job.point, ignore_errors=True)


def back_word(job: Job) -> str:
    """Return what came of a space whose upgrade failed."""
    return "rolled back" if is_touched(job) else "left as it was"


STEPS: dict[str, Callable[[Job], None]] = {
    "prepare": prepare,
    "close": close,
    "dump": dump,
    "point": point,
    "upgrade": upgrade,
    "apply": apply,
    "check": check,
    "open": open_up,
    "shut": shut,
    "keep": keep,
    "load": load,
    "files": files,
    "return": come_back,
    "verify": verify,
    "reopen": reopen,
}


# --- one space -------------------------------------------------------------------------


def errors(settings: Settings) -> tuple[type[Exception], ...]:
    """Return what may go wrong in a step."""
    return (
        *(UpgradeError, _probe.ProbeError, _database.DatabaseError, _systemd.SystemdError),
        *(_node.InstallationError, OSError, ValueError, LookupError),
        settings.node.database_error,
    )


def begin(settings: Settings, item: Mapping[str, t.Any], verdict: Mapping[str, t.Any]) -> Journal:
    """Return the journal of a space's upgrade: the one that was interrupted, or a new one."""
    return _journal.read(item["space"]) or {
        "verb": VERB,
        "direction": "forward",
        "step": FORWARD[0],
        "from": verdict["release"],
        "to": item["target"],
        "version": verdict["version"],
        "enabled": sorted(verdict["enabled"]),
        "began": time.time(),
        "run": settings.run,
        "probe": None,
    }


def walk(job: Job) -> None:
    """Do the steps from the one the journal names to the last of its way."""
    way = WAYS[job.journal["direction"]]
    if job.journal["step"] != way[0]:
        end_occ(job)
    # One start of its Redis for all commands.
    with _occ.awake(job.slug):
        try:
            for step in way[way.index(job.journal["step"]) :]:
                job.save(step=step)
                job.log(f"step {step}")
                began = time.monotonic()
                STEPS[step](job)
                job.took[step] = round(time.monotonic() - began, 2)
        finally:
            stand_down(job)
    _journal.remove(job.slug)


def turn_back(job: Job, error: Exception) -> None:
    """Send a space whose way forward ended back to where it was."""
    journal = job.journal
    why = f"{journal['step']}: {error}"
    job.log(f"failed at {why}")
    key = journal.get("key") or secrets.token_hex(16)
    # The last step keeps the restore point before it opens the door, and may fail in between.
    kept = journal["step"] == FORWARD[-1] and not os.path.isdir(job.point)
    changes = {"direction": "back", "failed_at": journal["step"], "why": why, "key": key}
    job.save(step=BACK[0], kept=kept, **changes)


def move(settings: Settings, item: Mapping[str, t.Any], verdict: Mapping[str, t.Any]) -> str:
    """Bring one space to its target or back to where it was; return why it is not there.

    Raises:
        JournalError: somebody else is at work on it.

    """
    # A backup may be at work on it: it takes as long as jobs do.
    with _journal.exclusive(f"life-{item['space']}", patience=settings.jobs_seconds):
        job = Job(settings, item, begin(settings, item, verdict))
        job.log(f"from {job.journal['from']} to {job.journal['to']}, run {settings.run}")
        wrong = errors(settings)
        try:
            try:
                walk(job)
            except wrong as error:
                if job.journal["direction"] != "forward" or has_arrived(job):
                    raise
                turn_back(job, error)
                walk(job)
        except wrong as error:
            return stuck(job, error)
        return str(job.journal.get("why", ""))


def has_arrived(job: Job) -> bool:
    """Tell whether the last step of its way has opened the door."""
    way = WAYS[job.journal["direction"]]
    return job.journal["step"] == way[-1] and is_open(job)


def stuck(job: Job, error: Exception) -> str:
    """Write down, and return, where a space is that got neither to its end nor back."""
    step, why = job.journal["step"], job.journal.get("why", "")
    job.log(f"stuck at {step}: {error}")
    if has_arrived(job):
        return (
            f"{why} It is open, on release {_application_set.release_of(job.home, '?')}; what only "
            f"its way needed was not taken away: {error}. Run the same playbook again"
        ).strip()
    with contextlib.suppress(OSError):
        write_last(job, "stuck")
    return (
        f"{why} The way back ended at the step {step!r}: {error}. "
        f"{'It is open' if is_open(job) else 'IT IS CLOSED'} until this is mended and the same "
        "playbook is run again"
    ).strip()


def no_room(settings: Settings, item: Mapping[str, t.Any]) -> str:
    """Return why the present database could not be kept; empty if it can."""
    job = Job(settings, item, {})
    need = _database.size(job.server, job.database) + _upgrade_plan.ROOM
    free = _upgrade_plan.free_in(settings.work)
    if need <= free:
        return ""
    return (
        f"its present database needs up to {need >> 20} MB in {settings.work}, {free >> 20} MB are "
        "free: make room. The space was not touched"
    )


def undo(settings: Settings, item: Mapping[str, t.Any]) -> str:
    """Bring one space back to its restore point; return why it could not be.

    Raises:
        JournalError: somebody else is at work on it.

    """
    slug = item["space"]
    with _journal.exclusive(f"life-{slug}", patience=settings.jobs_seconds):
        journal = _journal.read(slug)
        if journal and (journal["verb"] != VERB or journal["direction"] != "undo"):
            return _journal.under_way(slug)
        if journal is None:
            try:
                why = no_room(settings, item)
            except errors(settings) as error:
                why = f"{error}. The space was not touched"
            if why:
                return why
            kept = read_point(f"{settings.work}/{slug}/{POINT}")
            journal = {
                "verb": VERB,
                "direction": "undo",
                "step": UNDO[0],
                "probe": kept["probe"],
                **{key: kept.get(key, {}) for key in SEEN_BEFORE},
                "from": kept["release"],
                "to": kept["to"],
                "version": kept["version"],
                "began": time.time(),
                "run": settings.run,
            }
        job = Job(settings, item, journal)
        try:
            walk(job)
        except errors(settings) as error:
            job.log(f"stuck at {job.journal['step']}: {error}")
            why = f"the step {job.journal['step']!r} failed: {error}"
            if job.journal.get("loading"):
                return f"{why}{half_way(job)}"
            return f"{why}{abandon(job)}"
    return ""


def half_way(job: Job) -> str:
    """Say what becomes of a space whose database was touched on its way back."""
    state = "The space is open" if is_open(job) else "IT IS CLOSED"
    return f". {state} until this is mended and playbooks/rollback.yml is run again"


def abandon(job: Job) -> str:
    """Leave a space that was to go back, and of which nothing was changed yet, as it is."""
    try:
        open_gate(job)
        _journal.remove(job.slug)
    except OSError as error:
        return f". IT IS CLOSED: {error}"
    return ". The space is open, and as it was"


def tail(path: str, lines: int = TAIL_LINES) -> list[str]:
    """Return the last lines of a log."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - (1 << 16)))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [re.sub(r"^\S+ ", "", line) for line in text.splitlines()[-lines:]]


def last_of(settings: Settings, slug: str) -> dict[str, t.Any]:
    """Return how a space's last upgrade went; nothing if there was none."""
    return _status.read_json(f"{settings.work}/{slug}/{LAST}")


def outcomes(settings: Settings, slugs: Iterable[str]) -> dict[str, dict[str, t.Any]]:
    """Return what this run did with spaces, with the end of the log where one failed."""
    found = {slug: last_of(settings, slug) for slug in slugs}
    mine = {slug: one for slug, one in found.items() if one.get("run") == settings.run}
    return {
        slug: {**one, **({"tail": tail(one["log"])} if one["why"] else {})}
        for slug, one in sorted(mine.items())
    }


def restorable(settings: Settings, slugs: Sequence[str]) -> dict[str, dict[str, t.Any]]:
    """Return the restore points of these spaces."""
    places = {slug: f"{settings.work}/{slug}/{POINT}" for slug in slugs}
    return {
        slug: read_point(place)
        for slug, place in places.items()
        if os.path.exists(f"{place}/point.json")
    }
