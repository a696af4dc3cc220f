# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space between two nodes: killed anywhere, nothing of it is lost, and it serves in one place."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _probe
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _move_channel,
    _move_job,
    _move_kept,
    _move_source,
    _move_target,
    _purge,
    _restore_job,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._move_job import MoveError
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill, _systemd

SLUG, ID = "amap", 70_123
CONFIG = "<?php\n$CONFIG = array (\n  'installed' => true,\n);\n"
WAKING = ["space-cron@amap.timer", "space-php@amap.socket"]


class Killed(BaseException):
    """The process is gone: nothing tidies up after it."""


class Node:
    """One node: its spaces, its database, and what runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up: set[str] = set()
        self.rows: dict[str, int] = {}
        self.granted = self.held = False
        self.purged: list[str] = []
        (folder / "spaces").mkdir(parents=True)
        (folder / "nextcloud/releases/33").mkdir(parents=True)

    @property
    def settings(self) -> _backup.Node:
        root = str(self.folder / "spaces")
        return _backup.Node(root, str(self.folder / "vhosts"), str(self.folder), "/s", "/ca")

    @property
    def home(self) -> Path:
        return self.folder / "spaces" / SLUG

    @property
    def serves(self) -> bool:
        """Tell whether people could use it here."""
        flag = self.folder / "closed" / SLUG
        whole = (self.home / "config/config.php").exists() and (self.home / "data/f").exists()
        return whole and not self.held and not flag.exists()

    def fill(self) -> None:
        for part in ("config", "data"):
            (self.home / part).mkdir(parents=True)
        (self.home / "config/config.php").write_text(CONFIG)
        (self.home / "config/managed.config.php").write_text(self.folder.name)
        (self.home / "data/f").write_text("what people stored")
        (self.home / "release").symlink_to("../../nextcloud/releases/33")
        self.rows, self.up = {"oc_files": 7}, set(WAKING)


class Lab:
    """Two nodes; whoever works on one may be killed before or after each thing it changes."""

    def __init__(self, tmp_path: Path) -> None:
        self.source, self.target = Node(tmp_path / "web1"), Node(tmp_path / "web2")
        self.at = self.source
        self.left = -1
        self.damaged = ""
        # What has come is on the disk.
        self.written = False

    def operation(self) -> None:
        if self.left == 0:
            self.left = -1
            raise Killed
        self.left -= 1

    def job(self, node: Node, *, moves: bool = True, to: str = "") -> _move_job.Job:
        self.at = node
        other = "web2" if node is self.source else "web1"
        peer = _move_job.Peer(to or other, "10.0.0.2", 8322, "ssh-ed25519 AAAA")
        databases = ("web1", "web2") if moves else ("db1", "db1")
        return _move_job.Job(
            node.settings, SLUG, ID, peer, *databases, release="33", public="ssh-ed25519 BBBB"
        )

    # What the controller does, phase by phase; each may be repeated.
    def phases(self) -> list[t.Callable[[], object]]:
        source, target = self.source, self.target
        return [
            lambda: _move_target.prepare(self.job(target), 100),
            lambda: _move_source.offer(self.job(source)),
            lambda: _move_target.copy(self.job(target)),
            lambda: _move_source.close(self.job(source)),
            lambda: _move_target.take(self.job(target)),
            lambda: _move_target.settle(self.job(target)),
            lambda: _move_source.leave(self.job(source)),
        ]

    def move(self) -> None:
        for phase in self.phases():
            phase()


def write(lab: Lab, command: list[str]) -> None:
    """Have the disk take it."""
    assert command == ["sync", "--file-system", f"{lab.target.home.parent}/.arriving-{SLUG}"]
    lab.operation()
    lab.written = True


def fetch(lab: Lab, job: _move_job.Job, *options: str, live: bool) -> list[str]:
    """Do as rsync does."""
    assert lab.source.granted, "nobody lets it in"
    lab.operation()
    place = Path(job.layout.arriving)
    if "--dry-run" in options:
        return ["cd"] if lab.damaged == "differs" else []
    lab.written = False
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for part in ("config", "data", "release", ".move"):
        one = lab.source.home / part
        if one.is_symlink():
            (place / part).symlink_to(os.readlink(one))
        elif one.exists():
            shutil.copytree(one, place / part)
    (place / "config/managed.config.php").unlink(missing_ok=True)
    if lab.damaged == "dump":
        (place / ".move/database.sql").write_text("oc_files 6")
    lab.operation()
    return []


def own_journals(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each node have its own journals and names."""
    real, write = _backup.Node.layout, _journal.write

    def layout(node: _backup.Node, slug: str) -> t.Any:
        found = real(node, slug)
        here = Path(node.root).parent
        places = {"maintenance": "closed", "standstill": "still", "move": "move"}
        changed = {name: str(here / folder) for name, folder in places.items()}
        return replace(found, places=replace(found.places, **changed))

    def at_node(act: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def wrapped(slug: str, _folder: str = "") -> t.Any:
            return act(slug, str(lab.at.folder / "life"))

        return wrapped

    for name in ("read", "remove"):
        monkeypatch.setattr(_journal, name, at_node(getattr(_journal, name)))
    monkeypatch.setattr(
        _journal, "write", lambda slug, one: write(slug, one, str(lab.at.folder / "life"))
    )
    locks = (str(lab.source.folder.parent / "locks"),)
    exclusive: t.Any = _journal.exclusive
    monkeypatch.setattr(exclusive.__wrapped__, "__defaults__", locks)
    monkeypatch.setattr(_backup.Node, "layout", layout)


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    made = Lab(tmp_path)
    made.source.fill()
    own_journals(made, monkeypatch)
    monkeypatch.setattr(_move_channel, "fetch", lambda *a, **k: fetch(made, *a, **k))
    monkeypatch.setattr(_move_channel, "run", lambda command, _what: write(made, command))
    monkeypatch.setattr(_move_channel, "make_key", lambda _job: "ssh-ed25519 BBBB")
    monkeypatch.setattr(_move_channel, "open_for", lambda _job: grant(made, True))
    monkeypatch.setattr(_move_channel, "close_for", lambda _job: grant(made, False))
    monkeypatch.setattr(_move_source, "host_key", lambda: "ssh-ed25519 AAAA")
    monkeypatch.setattr(_move_source, "find_waking", lambda job: made.at.up & set(WAKING))
    monkeypatch.setattr(_move_source, "wait_for_jobs", lambda _job: made.operation())
    monkeypatch.setattr(_standstill, "bring", lambda *_: hold(made, True))
    monkeypatch.setattr(_standstill, "hold", lambda *_: hold(made, True))
    monkeypatch.setattr(_standstill, "lift", lambda *_: hold(made, False))
    monkeypatch.setattr(_systemd, "systemctl", lambda *words: units(made, *words))
    monkeypatch.setattr(_systemd, "demand", lambda *_: made.operation())
    monkeypatch.setattr(_restore_job, "limit", lambda *_: made.operation())
    monkeypatch.setattr(_database, "size", lambda *_: 1)
    monkeypatch.setattr(_database, "dump", lambda _s, _d, path: dump(made, path))
    monkeypatch.setattr(_database, "load", lambda _s, _d, file: load(made, file))
    monkeypatch.setattr(_database, "counts", lambda *_: dict(made.at.rows))
    monkeypatch.setattr(_move_job, "check_user", lambda _job: None)
    return made


def grant(lab: Lab, granted: bool) -> None:
    lab.operation()
    lab.source.granted = granted
    lab.operation()


def hold(lab: Lab, held: bool) -> None:
    lab.operation()
    lab.at.held = held
    if held:
        lab.at.up.clear()
    lab.operation()


def units(lab: Lab, verb: str, *names: str) -> str:
    lab.operation()
    if verb == "start":
        lab.at.up |= set(names)
    return ""


def dump(lab: Lab, path: str) -> _database.Counted:
    lab.operation()
    text = "".join(f"{name} {rows}\n" for name, rows in lab.at.rows.items()).encode()
    Path(path).write_bytes(text)
    counted = _database.Counted(dict(lab.at.rows), len(text))
    counted.digest.update(text)
    return counted


def load(lab: Lab, file: t.IO[bytes]) -> None:
    lab.operation()
    lab.at.rows = {n: int(r) for n, r in (one.split() for one in file.read().decode().splitlines())}
    lab.operation()


def arrived(lab: Lab) -> None:
    """It is on the other node, whole, and what it left is aside."""
    assert lab.target.serves
    assert (lab.target.home / "data/f").read_text() == "what people stored"
    assert lab.target.rows == {"oc_files": 7}
    assert not lab.source.home.exists()
    assert (lab.source.folder / "spaces/.left-amap/data/f").exists()
    assert not (lab.target.folder / "spaces/.arriving-amap").exists()
    assert not lab.source.granted


class TestAMove:
    def test_brings_everything_and_leaves_the_rest_aside(self, lab: Lab):
        (lab.target.home / "config").mkdir(parents=True)
        (lab.target.home / "config/managed.config.php").write_text("web2")
        lab.move()
        arrived(lab)
        # What says where the database is, is of the node that it is on now.
        assert (lab.target.home / "config/managed.config.php").read_text() == "web2"
        lab.at = lab.source
        assert (_journal.read(SLUG) or {})["step"] == "kept"

    @pytest.mark.parametrize("at", range(60))
    def test_that_is_killed_anywhere_is_finished_by_the_next_run(self, lab: Lab, at: int):
        lab.left = at
        killed, switched = False, False
        for phase in lab.phases():
            try:
                phase()
            except Killed:
                killed = True
                break
            switched = lab.at is lab.target and lab.target.serves
        places = (lab.source.home, lab.source.folder / "spaces/.left-amap", lab.target.home)
        assert any((place / "data/f").exists() for place in places), "nothing is lost"
        assert not (lab.source.serves and lab.target.serves), "in one place alone"
        lab.left = -1
        if killed:
            rest = lab.phases()[5:] if switched or lab.target.home.exists() else lab.phases()
            for phase in rest:
                phase()
        arrived(lab)

    @pytest.mark.parametrize("at", range(40))
    def test_that_is_given_up_anywhere_serves_where_it_was(self, lab: Lab, at: int):
        lab.left = at
        try:
            for phase in lab.phases()[:5]:
                phase()
        except Killed:
            pass
        lab.left = -1
        _move_source.give_up(lab.job(lab.source))
        assert lab.source.serves
        assert lab.source.up == set(WAKING)
        assert not lab.source.granted
        assert _journal.read(SLUG) is None
        assert not (lab.source.home / ".move").exists()

    @pytest.mark.parametrize("at", range(12))
    def test_whose_giving_up_is_killed_is_given_up_or_begins_anew(self, lab: Lab, at: int):
        for phase in lab.phases()[:4]:
            phase()
        lab.left = at
        with contextlib.suppress(Killed):
            _move_source.give_up(lab.job(lab.source))
        lab.left = -1
        lab.move()
        arrived(lab)

    def test_is_on_the_disk_before_it_is_closed_and_before_it_is_taken_over(self, lab: Lab):
        phases = lab.phases()
        for number, phase in enumerate(phases[:5]):
            phase()
            if number in {2, 4}:
                assert lab.written
                lab.written = False

    def test_of_a_database_that_stays_writes_none_down(self, lab: Lab):
        for phase in (
            lambda: _move_source.offer(lab.job(lab.source, moves=False)),
            lambda: _move_source.close(lab.job(lab.source, moves=False)),
            lambda: _move_target.take(lab.job(lab.target, moves=False)),
            lambda: _move_target.settle(lab.job(lab.target, moves=False)),
        ):
            phase()
        assert lab.target.serves
        assert lab.target.rows == {}

    def test_can_be_asked_for_again_when_it_is_done(self, lab: Lab):
        lab.move()
        assert _move_target.settle(lab.job(lab.target)) == []
        before = _move_source.leave(lab.job(lab.source))
        assert before == _move_source.leave(lab.job(lab.source))


class TestWhetherItAnswers:
    """On the node that it came to, before people are led there."""

    @pytest.fixture
    def said(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
        lab.move()
        config = lab.target.home / "config/config.php"
        config.write_text(config.read_text().replace(");", "  'version' => '33.0.9.1',\n);"))
        well = {"installed": True, "maintenance": False, "needsDbUpgrade": False}
        said: dict[str, t.Any] = {**well, "version": "33.0.9.1", "status": 200}

        def ask(place: t.Any, *_: str) -> tuple[int, bytes]:
            assert (place.host, place.port) == ("amap.example", 443)
            return said["status"], json.dumps(said).encode()

        monkeypatch.setattr(_probe, "ask", ask)
        return said

    @pytest.mark.parametrize("version", ["33.0.9.1", ""])
    def test_with_the_version_that_it_has(self, lab: Lab, said: t.Any, version: str):
        """A run that goes on after another one was killed knows none."""
        _move_target.check(lab.job(lab.target), "amap.example", 443, version)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"status": 502}, "502, expected 200"),
            ({"maintenance": True}, "maintenance is True"),
            ({"version": "32.0.0.1"}, "version is '32.0.0.1'"),
        ],
    )
    def test_or_not_as_it_should(self, lab: Lab, said: t.Any, changes: t.Any, reason: str):
        said |= changes
        with pytest.raises(MoveError, match=f"does not answer here as it should: .*{reason}"):
            _move_target.check(lab.job(lab.target), "amap.example", 443, "")


class TestWhatIsRefused:
    def test_a_space_that_is_not_there(self, lab: Lab):
        shutil.rmtree(lab.source.home)
        with pytest.raises(MoveError, match="not on this node, or not installed"):
            _move_source.offer(lab.job(lab.source))

    def test_two_moves_of_one_space(self, lab: Lab):
        _move_source.offer(lab.job(lab.source))
        with pytest.raises(MoveError, match="its move to web2 is under way"):
            _move_source.offer(lab.job(lab.source, to="web3"))

    def test_one_with_something_else_under_way(self, lab: Lab):
        lab.at = lab.source
        _journal.write(SLUG, {"verb": "purge", "step": "stop"})
        for act in (_move_source.offer, _move_source.give_up):
            with pytest.raises(MoveError, match="a purge of it was interrupted"):
                act(lab.job(lab.source))

    def test_a_copy_that_is_being_made(self, lab: Lab):
        """Also where it has all its files already: what leads out of it may be in there still."""
        lab.at = lab.source
        _journal.write(SLUG, {"verb": "clone", "step": "clean", "source": "velo"})
        for act in (_move_source.offer, _move_source.close, _move_source.give_up):
            with pytest.raises(MoveError, match=r"made as a copy of velo.*'clean'.*clone.yml"):
                act(lab.job(lab.source))
        assert lab.source.serves

    def test_a_node_that_has_one_of_that_name(self, lab: Lab):
        lab.target.fill()
        with pytest.raises(MoveError, match="a space of this name is on this node already"):
            _move_target.prepare(lab.job(lab.target), 1)

    def test_a_node_that_lacks_the_release(self, lab: Lab):
        shutil.rmtree(lab.target.folder / "nextcloud")
        with pytest.raises(MoveError, match="does not have release 33: it is not in its catalogue"):
            _move_target.prepare(lab.job(lab.target), 1)

    def test_a_node_without_room(self, lab: Lab):
        with pytest.raises(MoveError, match=r"are free in .*: make room, or send it to another"):
            _move_target.prepare(lab.job(lab.target), 1 << 60)

    def test_a_node_that_keeps_something_of_it(self, lab: Lab):
        lab.move()
        with pytest.raises(MoveError, match=r"it was here before.*kept=discard -e confirm=amap"):
            _move_target.prepare(lab.job(lab.source), 1)

    @pytest.mark.parametrize(
        ("damage", "said"), [("dump", "its database came damaged"), ("differs", "1 files differ")]
    )
    def test_what_came_damaged(self, lab: Lab, damage: str, said: str):
        for phase in lab.phases()[:4]:
            phase()
        lab.damaged = damage
        with pytest.raises(MoveError, match=said):
            _move_target.take(lab.job(lab.target))
        _move_source.give_up(lab.job(lab.source))
        assert lab.source.serves

    def test_a_phase_that_comes_too_early(self, lab: Lab):
        with pytest.raises(MoveError, match="no move of it was begun on this node"):
            _move_source.close(lab.job(lab.source))
        _move_source.offer(lab.job(lab.source))
        with pytest.raises(MoveError, match="under way or was interrupted at the step 'copying'"):
            _move_source.leave(lab.job(lab.source))
        with pytest.raises(MoveError, match="nothing of it has come here"):
            _move_target.settle(lab.job(lab.target))

    def test_giving_up_what_has_moved(self, lab: Lab):
        lab.move()
        with pytest.raises(MoveError, match="it has moved to web2"):
            _move_source.give_up(lab.job(lab.source))

    def test_jobs_that_do_not_end(self, lab: Lab, monkeypatch: pytest.MonkeyPatch):
        def wait(_job: object) -> None:
            raise MoveError("its jobs have been running for over 300 seconds")

        monkeypatch.setattr(_move_source, "wait_for_jobs", wait)
        _move_source.offer(lab.job(lab.source))
        with pytest.raises(MoveError, match=r"running for over 300 seconds\. It is open again"):
            _move_source.close(lab.job(lab.source))
        assert lab.source.serves


class TestWhatIsLeft:
    @pytest.fixture
    def purge(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        def delete(job: t.Any) -> None:
            lab.operation()
            _restore_job.remove(job.layout.left)
            lab.operation()

        for name in ("stop", "unpublish", "unlimit", "dismiss"):
            monkeypatch.setattr(_purge, name, lambda _job: lab.operation())
        monkeypatch.setattr(_purge, "delete", delete)

    @pytest.mark.parametrize("at", [-1, *range(8)])
    def test_is_removed_for_good(self, lab: Lab, purge: None, at: int):
        lab.move()
        lab.left = at
        try:
            _move_kept.discard(lab.job(lab.source))
        except Killed:
            lab.left = -1
            _move_kept.discard(lab.job(lab.source))
        assert not (lab.source.folder / "spaces/.left-amap").exists()
        assert _journal.read(SLUG) is None
        assert lab.target.serves

    @pytest.mark.parametrize("at", [-1, *range(16)])
    def test_is_taken_back_and_the_other_one_is_kept(self, lab: Lab, at: int):
        lab.move()
        acts = [
            lambda: _move_kept.retire(lab.job(lab.target, to="web1")),
            lambda: _move_kept.put_back(lab.job(lab.source)),
        ]
        lab.left = at
        for act in acts:
            try:
                act()
            except Killed:
                act()
        assert lab.source.serves
        assert lab.source.up == set(WAKING)
        assert not lab.target.serves
        assert (lab.target.folder / "spaces/.left-amap/data/f").exists()

    def test_is_nothing_where_nothing_moved(self, lab: Lab):
        for act in (_move_kept.discard, _move_kept.put_back):
            with pytest.raises(MoveError, match="nothing of an earlier move is kept here"):
                act(lab.job(lab.source))
        with pytest.raises(MoveError, match="it is not on this node"):
            _move_kept.retire(lab.job(lab.target))


def test_the_key_of_the_other_node_is_good_for_one_folder_from_one_address(lab: Lab):
    line = _move_channel.grant(lab.job(lab.source))
    home = lab.source.home
    assert line == (
        f'restrict,from="10.0.0.2",command="/usr/bin/rrsync -ro {home}" ssh-ed25519 BBBB\n'
    )


def test_every_step_has_its_place_in_the_one_workflow():
    flow = _move_source.workflow()
    assert [one.name for one in _workflow.undoing(flow, "handing")] == [
        *("forget", "reopen", "shut out")
    ]
