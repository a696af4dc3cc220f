# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether a space serves after its upgrade as it did before."""

from __future__ import annotations

import contextlib
import functools
import json
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _apply,
    _node,
    _probe,
    _probe_requests,
    _seed_image,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_account,
    _upgrade_facts,
    _upgrade_flag,
    _upgrade_occ,
    _upgrade_plan,
    _upgrade_schema,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb

# How the space answered before, in its journal and its restore point.
SEEN_BEFORE = ("pages", "requests", "things")


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
    """Have a password of the account meanwhile; nothing is left of it, nor of what it was sent.

    Of a space that is closed everything later is the check's own doing. It is written down first,
    so that a run which goes on after this one takes it back.
    """
    name, execute = job.journal["probe"][0], executes(job)
    if job.journal.get("visits"):
        # Of a run that was cut short: what it set must not be taken for the account's own.
        forget(job)
    if not _upgrade_flag.is_open(job):
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


def check(job: Job) -> None:
    """Ask the space whether it serves as before on the new release, and reads what was applied."""
    probe(job, job.version_of(job.journal["to"]))
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
    outcome = _upgrade_occ.run_occ(job, *_upgrade_schema.COMMAND)
    try:
        findings = json.loads((outcome.stdout.strip().splitlines() or [""])[-1])
    except ValueError as error:
        reason = f"occ {_upgrade_schema.COMMAND[0]} ended with {outcome.code}: {outcome.why()}"
        raise UpgradeError(reason) from error
    template = _upgrade_schema.tables_of(Path(node.seed_images or "/nowhere", to, _seed_image.DUMP))
    if missing := _upgrade_schema.faults(findings, template):
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
    desired = _apply.resolve(job.item, node)["applied"]
    outcome = _upgrade_occ.run_occ(job, *_apply.CHECK, stdin=json.dumps(desired))
    if outcome.code == 0:
        return
    try:
        problems = [str(one) for one in _node.read_answer(outcome.stdout)["problems"]]
    except (_node.InstallationError, LookupError, TypeError) as error:
        reason = f"occ {_apply.CHECK[0]} ended with {outcome.code}: {outcome.why()}"
        raise UpgradeError(reason) from error
    settings = desired.get("app_config", {})
    imposed = {f"{app}/{key}" for app, keys in settings.items() for key in keys}
    if wrong := [one for one in problems if one.partition(":")[0] in imposed]:
        raise UpgradeError(f"imposed settings: {'; '.join(wrong)}")


def probe(job: Job, version: str) -> None:
    """Ask a space at its own address; a suspended one through occ alone.

    Raises:
        ProbeError: it does not serve, or pages that answered well before no longer do.

    """
    if not job.is_web:
        said = json.loads(_upgrade_occ.occ(job, "status", "--output=json"))
        _probe.check_status(json.dumps(said).encode(), version)
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
    enabled = _upgrade_facts.enabled_now(job.item, job.settings.node.connect)
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
    remembered = job.journal.get("remembered") if not _upgrade_flag.is_open(job) else None
    visits = job.journal.get("visits", ())
    _upgrade_account.forget(executes(job), job.journal["probe"], remembered, visits)
