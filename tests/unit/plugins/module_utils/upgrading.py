# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space on its way to another release, without a node: for the tests of upgrades."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _node, _occ, _probe
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade,
    _upgrade_account,
    _upgrade_check,
    _upgrade_facts,
    _upgrade_flag,
    _upgrade_job,
    _upgrade_occ,
    _upgrade_record,
    _upgrade_schema,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Settings,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_steps import (
    STEPS,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

ITEM = {
    "space": "amap",
    "id": os.getuid(),
    "running": True,
    "host": "amap.example.org",
    "target": "34.0.4",
    "database": {"name": "space_amap", "password": None, "address": "localhost:/s"},
}
DECISION = {"release": "33.0.9", "version": "33.0.9.1", "enabled": frozenset({"files", "deck"})}


class Killed(BaseException):
    """The process is gone: nothing tidies up."""


class Lab:
    """A space that notes which steps were done with it."""

    def __init__(self, settings):
        self.settings, self.done, self.ended = settings, [], []
        # Step → what happens in it, once.
        self.events = {}

    def step(self, name):
        def do(job):
            self.done.append(name)
            if event := self.events.pop(name, None):
                raise event
            if name == "close":
                job.journal.setdefault("key", "a" * 32)
                _upgrade_flag.raise_flag(job)
            if name in ("open", "reopen"):
                _upgrade_record.write_last(job, "upgraded" if name == "open" else "rolled back")
                _upgrade_flag.lower_flag(job)

        return do

    def move(self):
        return _upgrade.move(self.settings, ITEM, DECISION)

    def journal(self):
        return _journal.read("amap")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    life = str(tmp_path / "life")
    for function in (
        *(_journal.read, _journal.path_of, _journal.exists),
        *(_journal.remove, _journal.under_way),
    ):
        monkeypatch.setattr(function, "__defaults__", (life,))
    monkeypatch.setattr(_journal.write, "__defaults__", (life,))
    monkeypatch.setattr(_journal, "FOLDER", life)
    lock = inspect.unwrap(_journal.exclusive)
    monkeypatch.setattr(lock, "__defaults__", (str(tmp_path / "run"),))
    node = _node.Node(
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path / "releases"),
        php="php",
        spool=str(tmp_path),
        sandbox=[],
        seed_images="",
        database_socket="/s",
        database_ca="/ca",
        connect=lambda _database: None,
        database_error=ConnectionError,
    )
    for release in ("33.0.9", "34.0.4"):
        (tmp_path / "releases" / release).mkdir(parents=True)
        manifest = {"version_full": f"{release}.1"}
        (tmp_path / f"releases/{release}.json").write_text(json.dumps(manifest))
    (tmp_path / "spaces/amap/config").mkdir(parents=True)
    (tmp_path / "spaces/amap/release").symlink_to("../../releases/33.0.9")
    monkeypatch.setattr(_occ, "awake", lambda _slug: contextlib.nullcontext())
    monkeypatch.setattr(_files, "ROOT", os.getuid())
    return Settings(
        node=node,
        run="r1",
        work=str(tmp_path / "work"),
        closed=str(tmp_path / "closed"),
        logs=str(tmp_path / "logs"),
        jobs_seconds=0,
    )


@pytest.fixture
def lab(settings, monkeypatch):
    lab = Lab(settings)
    monkeypatch.setattr(_database, "size", lambda *_: 0)
    monkeypatch.setattr(_upgrade_occ, "end_occ", lambda _job: lab.ended.append(True))
    for name in STEPS:
        monkeypatch.setitem(STEPS, name, lab.step(name))
    return lab


def job(settings, **journal):
    start = {
        "verb": "upgrade",
        "direction": "forward",
        "step": "prepare",
        "key": "a" * 32,
        "from": "33.0.9",
        "to": "34.0.4",
        "version": "33.0.9.1",
        "began": time.time(),
        "probe": None,
        "enabled": ["files", "deck"],
    }
    return _upgrade_job.Job(settings, ITEM, {**start, **journal})


def keep_point(settings, slug="amap", at=None):
    folder = f"{settings.work}/{slug}/point"
    os.makedirs(folder)
    kept = {"release": "33.0.9", "version": "33.0.9.1", "to": "34.0.4", "probe": None}
    with open(f"{folder}/point.json", "w", encoding="utf-8") as file:
        json.dump({**kept, "at": time.time() if at is None else at}, file)


def replace_journal(one, **changes):
    return replace(one, journal={**one.journal, **changes})


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Occ:
    """An occ that answers as it is told."""

    def __init__(self, code=0, stdout="", config=None, stderr="it broke"):
        self.code, self.stdout, self.stderr, self.config = code, stdout, stderr, config
        self.calls, self.options = [], []

    def __call__(self, slug, _php, arguments, **options):
        self.calls.append(tuple(arguments))
        self.options.append(options)
        if self.config:
            with open(self.config[0], "w", encoding="utf-8") as file:
                file.write(self.config[1])
        return _occ.Outcome(self.code, self.stdout, self.stderr if self.code else "")


def modern(settings, version="0.4.0"):
    """Let the new release have an application that runs other commands in its process."""
    manifest = {"version_full": "34.0.4.1", "applications": {"archipel": {"version": version}}}
    with open(f"{settings.node.releases}/34.0.4.json", "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    _node.own_version.cache_clear()


class Database:
    """A space's database as far as the check asks it: what is executed, and its answers."""

    def __init__(self, monkeypatch):
        self.executed = []
        monkeypatch.setattr(_upgrade_check, "execute", self)
        monkeypatch.setattr(_upgrade_facts, "enabled_now", lambda *_: frozenset({"files", "deck"}))

    def __call__(self, job, *statements):
        self.executed += [(sql, values) for sql, values in statements]
        last = statements[-1][0]
        if last is _upgrade_account.SEEN:
            return [("camille", 1700000000)]
        return [("oc_activity",)] if last is _upgrade_account.TABLES else [(41,)][: "MAX" in last]

    def has(self, sql):
        return [values for each, values in self.executed if each == sql]


@pytest.fixture
def database(monkeypatch):
    return Database(monkeypatch)


class Site:
    """A space's pages, as somebody who is logged in sees them."""

    def __init__(self, monkeypatch, **pages):
        self.pages, self.accounts = pages, set()
        monkeypatch.setattr(_probe, "check", lambda *_: None)
        monkeypatch.setattr(_probe, "menu", lambda *_: ["/apps/files/", "/apps/deck/"])
        monkeypatch.setattr(_probe, "open_page", self)

    def __call__(self, _place, path, account):
        self.accounts.add(account)
        return self.pages.get(path.split("/")[2], 200)


def with_secret(one):
    with open(f"{one.home}/config/config.php", "w", encoding="utf-8") as file:
        file.write("<?php\n$CONFIG = array (\n  'secret' => 'it\\'s',\n);\n")
    return one


def comparing(settings):
    """Let the new release compare databases."""
    path = Path(settings.node.releases, "34.0.4", _upgrade_schema.CODE)
    path.parent.mkdir(parents=True)
    path.touch()


BEFORE = {"/apps/files/": 200, "/apps/deck/": 200, "/settings/user": 200, "/apps/notes/": 500}


class Ready:
    """A runner that waits."""

    def __init__(self, command):
        self.command, self.asked, self.dismissed = command, "", False

    def run(self, asked):
        self.asked = asked
        return _occ.Outcome(0, "Update successful", "")

    def dismiss(self):
        self.dismissed = True
