# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Move one space to another release and, if anything fails, back.

A journal names the step that comes next, so that whoever finds one goes on there. From the
first step that people could notice to the last, the space's door is closed by a file that
nginx looks for: nobody can store anything that a way back would lose. The same file keeps
its jobs from starting. Both outlive a reboot.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote as quote_path

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _backup,
    _database,
    _files,
    _installation,
    _journal,
    _mariadb,
    _occ,
    _probe,
    _status,
    _systemd,
    _upgrade_plan,
)

VERB = _upgrade_plan.VERB
# What is kept of upgrades, the files that close doors, what occ said.
WORK, CLOSED = "/var/lib/archipel/upgrade", "/var/lib/archipel/closed"
LOGS = "/var/log/archipel/upgrade"
FORWARD = ("prepare", "close", "dump", "point", "upgrade", "missing", "apply", "check", "open")
# After a failure.
BACK = ("shut", "load", "files", "return", "verify", "reopen")
# On demand: the present state is written down before it goes.
UNDO = ("prepare", "close", "keep", *BACK)
WAYS = {"forward": FORWARD, "back": BACK, "undo": UNDO}
TOKEN = "archipel-upgrade"
DATABASE_SECONDS = 120
TAIL_LINES = 12
RUNNING = {"active", "activating", "deactivating", "reloading"}
POINT, STAGED, LAST, RATE = "point", "point.new", "last.json", "rate.json"
MISSING = tuple(
    (f"db:add-missing-{what}", "--no-interaction")
    for what in ("columns", "indices", "primary-keys")
)

SEEN = "appid = 'login' AND configkey = 'lastLogin'"
LOGIN = f"{SEEN} AND userid = {{1}}"

Journal = dict[str, t.Any]


class UpgradeError(Exception):
    """A step failed; the space goes back to where it was."""


@dataclass(frozen=True)
class Settings:
    """Where things are on this node, and what the run wants."""

    node: _installation.Node
    # Names the run in what is written down.
    run: str = ""
    work: str = WORK
    closed: str = CLOSED
    logs: str = LOGS
    database_ca: str = ""
    port: int = 443
    # Seconds that jobs which are running may go on.
    jobs_seconds: int = 300
    occ_seconds: int = 7200
    # Applications the policy wants off: their being off after an upgrade is no loss.
    disabled: frozenset[str] = frozenset()


@dataclass
class Job:
    """One space on its way."""

    settings: Settings
    item: Mapping[str, t.Any]
    journal: Journal

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
        return f"{self.folder}/{POINT if self.journal['direction'] == 'undo' else STAGED}"

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
        values = {"host": host, "port": port, **account}
        ca = self.settings.database_ca
        return _database.distant(f"{self.settings.work}/clients/{self.slug}.cnf", values, ca)

    def log(self, text: str) -> None:
        """Write down what happens."""
        os.makedirs(self.settings.logs, mode=0o750, exist_ok=True)
        with open(self.log_path, "a", encoding="utf-8") as file:
            for line in text.splitlines() or [""]:
                file.write(f"{_backup.now()} {line}\n")

    def save(self, **changes: t.Any) -> None:
        """Write the journal, with changes."""
        self.journal |= changes
        _journal.write(self.slug, self.journal)


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


def open_gate(job: Job) -> None:
    """Open the door. Can be repeated."""
    place = Path(gate(job.settings, job.slug))
    place.unlink(missing_ok=True)
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
    _systemd.systemctl("stop", f"space-php@{job.slug}.service", f"space-redis@{job.slug}.service")


# --- occ -------------------------------------------------------------------------------


def unit_of(slug: str) -> str:
    """Return the name under which a space's occ runs meanwhile."""
    return f"archipel-upgrade-{slug}.service"


def occ(job: Job, *arguments: str, more: Sequence[Sequence[str]] = ()) -> str:
    """Run occ, and further commands after it, write down what it says, and return that.

    Raises:
        UpgradeError: it failed.

    """
    node = job.settings.node
    outcome = _occ.run(
        job.slug,
        node.php,
        arguments,
        root=node.root,
        timeout=job.settings.occ_seconds,
        lines=node.sandbox,
        unit=unit_of(job.slug),
        more=more,
    )
    secret = "auth-tokens" in arguments[0] or "app-password" in arguments[0]
    said = "" if secret else f"\n{outcome.stdout.strip()}\n{outcome.stderr.strip()}"
    job.log(f"occ {arguments[0]}: {outcome.code}{said}".strip())
    if outcome.code != 0:
        raise UpgradeError(f"occ {arguments[0]} ended with {outcome.code}: {outcome.why()}")
    return outcome.stdout


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
    end_occ(job)
    probe(job, version_of(job, job.journal["from"]))
    account = account_of(job) if is_web(job.item) else ""
    if account:
        arguments = ("--no-interaction", f"--name={TOKEN}", account)
        token = occ(job, "user:add-app-password", *arguments).split()[-1]
        job.journal["probe"] = [account, token, login_of(job, account)]


def login_of(job: Job, account: str) -> str:
    """Return when an account was last logged in to: the check must not change that."""
    sql = f"SELECT configvalue FROM {{0}}.oc_preferences WHERE {LOGIN}"
    name, user = _mariadb.quote(job.database), _database.text(account)
    return _database.run(job.server, sql.format(name, user))[0][0]


def account_of(job: Job) -> str:
    """Return an account that somebody has logged in to; empty if there is none.

    A first login would copy example files into the account.
    """
    name = _mariadb.quote(job.database)
    off = "SELECT userid FROM {0}.oc_preferences WHERE appid = 'core' AND configkey = 'enabled'"
    seen = f"SELECT userid FROM {{0}}.oc_preferences WHERE {SEEN}"
    sql = (
        f"SELECT uid FROM {{0}}.oc_users WHERE uid IN ({seen} AND configvalue > '0') "
        f"AND uid NOT IN ({off} AND configvalue = 'false') ORDER BY uid LIMIT 1"
    )
    rows = _database.run(job.server, sql.format(name))
    return rows[0][0] if rows else ""


def close(job: Job) -> None:
    """Close the door, and wait until nobody and nothing works in the space."""
    wait_for_jobs(job)
    job.journal.setdefault("closed_at", time.time())
    shut_gate(job)
    # One that began in between.
    wait_for_jobs(job)
    stop_php(job)


def dump(job: Job) -> None:
    """Write down all that a way back needs."""
    shutil.rmtree(job.point, ignore_errors=True)
    os.makedirs(job.point, mode=0o700)
    write_down(job, job.point)


def write_down(job: Job, folder: str) -> None:
    """Write a space's database and state into a folder; the description comes last."""
    counted = _database.dump(job.server, job.database, f"{folder}/{_backup.DUMP}")
    if not counted.tables:
        raise UpgradeError(f"its database {job.database} has no table: there is nothing to keep")
    for name in ("config/config.php", _installation.APPLIED):
        if os.path.exists(f"{job.home}/{name}"):
            shutil.copy2(f"{job.home}/{name}", f"{folder}/{os.path.basename(name)}")
    os.sync()
    described = {
        "release": job.journal["from"],
        "version": job.journal["version"],
        "to": job.journal["to"],
        "at": time.time(),
        "tables": counted.tables,
        "sha256": counted.digest.hexdigest(),
        "bytes": counted.length,
        "probe": job.journal["probe"],
    }
    _journal.save(f"{folder}/point.json", described)


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
    """Let Nextcloud upgrade its database; legal also after one that was cut short."""
    end_occ(job)
    occ(job, "upgrade", "--no-interaction")
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


def version_of(job: Job, release: str) -> str:
    """Return the full version of a release of this node."""
    manifest = _files.read_text(f"{job.settings.node.releases}/{release}.json")
    return str(json.loads(manifest)["version_full"])


def missing(job: Job) -> None:
    """Add what Nextcloud leaves to the operator: columns, indices, primary keys."""
    first, *others = MISSING
    occ(job, *first, more=others)


def apply(job: Job) -> None:
    """Tell Nextcloud its application set, and look for what the upgrade switched off."""
    before = frozenset(job.journal["enabled"])
    node = job.settings.node
    told = _installation.told(job.item, node)
    for what in _installation.apply(told, node):
        job.log(f"applied: {what}")
    _installation.tidy(told, node)
    asked = _upgrade_plan.ask_alone(job.item, node.connect, node.database_error)
    if asked.error:
        raise UpgradeError(asked.error)
    without = set(node.without.get(job.journal["to"], ()))
    switched = set((told["applied"].get("apps") or {}).get("disable", ()))
    lost = sorted(before - asked.enabled - job.settings.disabled - without - switched)
    if lost:
        raise UpgradeError(
            f"the upgrade switched off {', '.join(lost)}, and they do not go on again"
        )


def check(job: Job) -> None:
    """Ask the space whether it serves, on the new release."""
    probe(job, version_of(job, job.journal["to"]))


def probe(job: Job, version: str) -> None:
    """Ask a space at its own address; a suspended one through occ alone."""
    told = json.loads(occ(job, "status", "--output=json")) if not is_web(job.item) else None
    if told is not None:
        _probe.check_status(json.dumps(told).encode(), version)
        return
    account = job.journal["probe"]
    place = _probe.Place(job.item["host"], job.settings.port, job.journal["key"])
    _probe.check(place, version, (quote_path(account[0]), account[1]) if account else None)


def forget_token(job: Job) -> None:
    """Take back the application password that the check used, and its trace."""
    name = _mariadb.quote(job.database)
    sql = f"DELETE FROM {name}.oc_authtoken WHERE name = '{TOKEN}'"
    if probe_of := job.journal["probe"]:
        user, value = (_database.text(str(probe_of[index])) for index in (0, 2))
        told = f"UPDATE {{0}}.oc_preferences SET configvalue = {value} WHERE {LOGIN}"
        sql = f"{sql}; {told.format(name, user)}"
    _database.run(job.server, sql)


def open_up(job: Job) -> None:
    """Keep the restore point and open the door. Can be repeated."""
    forget_token(job)
    staged, kept = f"{job.folder}/{STAGED}", f"{job.folder}/{POINT}"
    if os.path.isdir(staged):
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(staged, kept)
    open_gate(job)
    write_last(job, "upgraded")


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
    path = f"{job.folder}/undone.sql"
    _database.dump(job.server, job.database, f"{path}.new")
    os.rename(f"{path}.new", path)


def load(job: Job) -> None:
    """Bring the database back, and count what has arrived."""
    if not is_touched(job):
        return
    described = read_point(job.point)
    with open(f"{job.point}/{_backup.DUMP}", "rb") as file:
        counted = _database.load(job.server, job.database, file)
    if counted.digest.hexdigest() != described["sha256"]:
        raise UpgradeError(f"{job.point}/{_backup.DUMP} is not what was written: it is damaged")
    if counted.tables != (found := _database.counts(job.server, job.database)):
        wrong = sorted(
            n for n in {*counted.tables, *found} if counted.tables.get(n) != found.get(n)
        )
        raise UpgradeError(f"the loaded database has other rows in: {', '.join(wrong[:5])}")


def read_point(folder: str) -> dict[str, t.Any]:
    """Return what a restore point says of itself."""
    with open(f"{folder}/point.json", encoding="utf-8") as file:
        return dict(json.load(file))


def files(job: Job) -> None:
    """Bring the state file back, and the mark of what Nextcloud was told."""
    if not is_touched(job):
        return
    put_back(f"{job.point}/config.php", f"{job.home}/config/config.php", job.item["id"])
    put_back(f"{job.point}/{_installation.APPLIED}", f"{job.home}/{_installation.APPLIED}", 0)


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
    """Ask the space whether it serves again, on the old release; tell sync clients if need be."""
    if job.journal["direction"] == "undo":
        occ(job, "maintenance:data-fingerprint")
    if is_touched(job):
        probe(job, version_of(job, job.journal["from"]))


def reopen(job: Job) -> None:
    """Open the door, and forget what only the way back needed."""
    forget_token(job)
    open_gate(job)
    write_last(job, "undone" if job.journal["direction"] == "undo" else back_word(job))
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
    "missing": missing,
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
        *(_installation.InstallationError, OSError, ValueError, KeyError),
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
    # One start of its Redis for all commands.
    with _occ.awake(job.slug):
        for step in way[way.index(job.journal["step"]) :]:
            job.save(step=step)
            job.log(f"step {step}")
            STEPS[step](job)
    _journal.remove(job.slug)


def turn_back(job: Job, error: Exception) -> None:
    """Send a space whose way forward ended back to where it was."""
    journal = job.journal
    why = f"{journal['step']}: {error}"
    job.log(f"failed at {why}")
    key = journal.get("key") or secrets.token_hex(16)
    changes = {"direction": "back", "failed_at": journal["step"], "why": why, "key": key}
    job.save(step=BACK[0], **changes)


def move(settings: Settings, item: Mapping[str, t.Any], verdict: Mapping[str, t.Any]) -> str:
    """Bring one space to its target or back to where it was; return why it is not there.

    Raises:
        JournalError: somebody else is at work on it.

    """
    with _journal.exclusive(f"life-{item['space']}"):
        job = Job(settings, item, begin(settings, item, verdict))
        job.log(f"from {job.journal['from']} to {job.journal['to']}, run {settings.run}")
        wrong = errors(settings)
        try:
            try:
                walk(job)
            except wrong as error:
                if job.journal["direction"] != "forward":
                    raise
                turn_back(job, error)
                walk(job)
        except wrong as error:
            job.log(f"stuck at {job.journal['step']}: {error}")
            return (
                f"{job.journal.get('why', '')} The way back ended at the step "
                f"{job.journal['step']!r}: {error}. IT IS CLOSED until this is mended and the same "
                "playbook is run again"
            ).strip()
        return str(job.journal.get("why", ""))


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
    with _journal.exclusive(f"life-{slug}"):
        journal = _journal.read(slug)
        if journal and (journal["verb"] != VERB or journal["direction"] != "undo"):
            return _journal.under_way(slug)
        if journal is None:
            if why := no_room(settings, item):
                return why
            kept = read_point(f"{settings.work}/{slug}/{POINT}")
            journal = {
                "verb": VERB,
                "direction": "undo",
                "step": UNDO[0],
                "probe": kept["probe"],
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
            return f"the step {job.journal['step']!r} failed: {error}"
    return ""


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
