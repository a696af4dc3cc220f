# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is on a node and in no file, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._inspect import _drift
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb
from ansible_collections.archipel.spaces.plugins.module_utils._system import _filesystem, _quotactl

KNOWN = {"amap": "approved", "cine": "suspended"}
ALL = {kind: {"amap"} for kind in _drift.EVERY}


@pytest.mark.parametrize("state", ["approved", "exempt"])
def test_what_is_there_and_known_is_fine(state):
    assert _drift.compare(ALL, {"amap": state}) == {"unknown": {}, "missing": {}, "moved": {}}


def test_what_no_file_names_is_unknown():
    drift = _drift.compare(ALL, {})
    everything = {"amap": [*_drift.WEB, *_drift.DATABASE]}
    assert drift == {"unknown": everything, "missing": {}, "moved": {}}


def test_what_a_space_left_when_it_moved_is_no_mistake():
    everything = {"amap": [*_drift.WEB, *_drift.DATABASE]}
    drift = _drift.compare(ALL, {}, {"amap", "cine"})
    assert drift == {"unknown": {}, "missing": {}, "moved": everything}


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_what_lives_here_again_is_measured_as_any_other(state):
    drift = _drift.compare(ALL, {"amap": state}, {"amap"})
    assert (drift["unknown"], drift["moved"]) == ({"amap": ["unit"]}, {})


def test_spaces_that_moved_are_those_with_a_journal_of_it(tmp_path: Path):
    assert _drift.find_moved(str(tmp_path / "none")) == set()
    for slug, text in {
        "amap": '{"verb": "move", "step": "kept"}',
        "cine": '{"verb": "restore", "step": "files"}',
        "velo": '{"verb": "mo',
    }.items():
        (tmp_path / f"{slug}.json").write_text(text, encoding="utf-8")
    assert _drift.find_moved(str(tmp_path)) == {"amap"}


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_nothing_may_run_of_a_space_that_is_not_open(state):
    assert _drift.compare(ALL, {"amap": state})["unknown"] == {"amap": ["unit"]}


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        ("approved", ["vhost", "php", "user", "directory", "unit", "database", "account"]),
        ("suspended", ["vhost", "php", "user", "directory", "database", "account"]),
        ("closed", ["vhost"]),
        ("exempt", None),
    ],
)
def test_what_is_in_a_file_only_is_missing(state, missing):
    nothing: dict[str, set[str]] = {kind: set() for kind in _drift.EVERY}
    drift = _drift.compare(nothing, {"amap": state})
    assert drift["missing"] == ({"amap": missing} if missing else {})
    assert drift["unknown"] == {}


def test_kinds_that_were_not_looked_at_are_not_missing():
    assert _drift.compare({"vhost": {"amap"}}, {"amap": "approved"})["missing"] == {}


def test_sentences():
    drift = {
        "unknown": {"amap": ["vhost", "user"]},
        "missing": {"cine": ["database"]},
        "moved": {"velo": ["user"]},
    }
    assert _drift.describe(drift) == ["amap: vhost, user too many", "cine: database missing"]
    assert _drift.describe_moved(drift) == [
        "velo: user kept since it moved to another node: playbooks/move.yml -e only=velo "
        "-e confirm=velo with -e kept=discard removes it for good, with -e kept=restore takes "
        "the space back"
    ]


def test_an_account_that_a_move_may_have_left_says_how_it_goes():
    drift = {"unknown": {"amap": ["other account"]}, "missing": {}, "moved": {}}
    assert _drift.describe(drift) == [
        "amap: other account too many; if it has moved, playbooks/move.yml -e only=amap "
        "-e kept=discard -e confirm=amap removes that account"
    ]


def test_units_changed_by_hand_are_found(tmp_path: Path):
    for name in (
        "space-php@amap.service.d/override.conf",
        "space-php@.service.d/10-sandbox.conf",
        "space-cron@.service.d/20-opcache.conf",
        "space-cron@.service.d/override.conf",
        "ssh.service.d/override.conf",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "space-php@.socket").touch()
    # `systemctl mask`.
    (tmp_path / "space-cron@cine.timer").symlink_to("/dev/null")
    found = _drift.find_unit_files([str(tmp_path), str(tmp_path / "missing")])
    assert found == {"amap", "cine", "space-cron@.service.d/override.conf"}


@pytest.mark.parametrize("kind", _drift.FOREIGN)
def test_what_no_space_may_have_is_too_many_in_any_state(kind):
    for state in _drift.MAY:
        drift = _drift.compare({kind: {"amap"}}, {"amap": state})
        assert drift == {"unknown": {"amap": [kind]}, "missing": {}, "moved": {}}


def test_users_are_found_by_name_and_by_number():
    lines = [
        "root:x:0:0::/root:/bin/sh",
        "space-amap:x:70001:70001::/srv/spaces/amap:/usr/sbin/nologin",
        "space-old:x:998:998::/:/bin/false",
        "lili:x:70002:70002::/home/lili:/bin/bash",
        "subuid:x:100000:100000::/:/bin/sh",
        "broken:x",
    ]
    assert _drift.find_users(lines) == {"amap": 70001, "old": 998, "user lili": 70002}


def test_somebody_with_the_name_of_a_space_is_not_taken_for_it():
    lines = [
        "space-amap:x:70001:70001::/srv/spaces/amap:/usr/sbin/nologin",
        "amap:x:70002:70002::/home/amap:/bin/bash",
    ]
    found = {"user": set(_drift.find_users(lines))}
    assert _drift.compare(found, {"amap": "approved"})["unknown"] == {"user amap": ["user"]}


def test_limits_that_cannot_be_read_are_no_empty_list(tmp_path: Path, monkeypatch):
    found = _filesystem.Filesystem(str(tmp_path), "/", "ext4", "/dev/vdb", True, True)
    monkeypatch.setattr(_filesystem, "find", lambda _root: found)

    def broken(_descriptor, _ids):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(_quotactl, "limited", broken)
    with pytest.raises(OSError, match="Input/output error"):
        _drift.find_limits(str(tmp_path), {})
    assert _drift.find_limits(str(tmp_path / "missing"), {}) == set()


def test_limits_belong_to_spaces_and_a_number_where_nobody_owns_it(tmp_path: Path, monkeypatch):
    found = _filesystem.Filesystem(str(tmp_path), "/", "ext4", "/dev/vdb", True, True)
    monkeypatch.setattr(_filesystem, "find", lambda _root: found)
    monkeypatch.setattr(_quotactl, "limited", lambda _descriptor, _ids: [70001, 70002])
    assert _drift.find_limits(str(tmp_path), {70001: "amap"}) == {"amap", "project 70002"}


def test_units_run_or_will():
    active = {"space-php@amap.service": "active", "space-redis@cine.service": "inactive"}
    enabled = {"space-cron@velo-ecole.timer", "archipel-idle.timer"}
    assert _drift.find_units(active, enabled) == {"amap", "velo-ecole"}


def test_names_on_a_web_node(tmp_path: Path):
    for name in ("spaces/amap", "spaces/.kept", "spaces/lost+found", "vhosts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "vhosts/cine.conf").touch()
    (tmp_path / "vhosts/.archipel-x.conf").touch()
    (tmp_path / "spaces/notes.txt").touch()
    places = {name: str(tmp_path / name) for name in ("root", "vhosts", "php")}
    found = _drift.read_web({**places, "root": str(tmp_path / "spaces")}, {"quai"}, {})
    wanted = {"vhost": {"cine"}, "php": set(), "directory": {"amap"}, "unit": {"quai"}}
    assert {kind: found[kind] for kind in wanted} == wanted


def test_names_on_a_database_node():
    found = _drift.read_databases(["mysql", "space_amap"], ["space-cine", "root"])
    assert found == {"database": {"amap"}, "account": {"cine"}}


class TestRun:
    """A run reports it too, without another look."""

    def web(self, tmp_path: Path, chosen, running, *, check=False):
        for place in ("spaces", "vhosts", "php"):
            (tmp_path / place).mkdir()
        places = {"root": str(tmp_path / "spaces")}
        places |= {name: str(tmp_path / name) for name in ("vhosts", "php")}
        wanted = {
            "units": chosen,
            "drift": {"known": KNOWN, "ids": {}, "places": places},
        }
        active = dict.fromkeys(running, "active")
        return _drift.compare_web(wanted, active, set(), check=check)

    def test_units_of_the_run_are_as_they_shall_be(self, tmp_path: Path):
        chosen = [{"space": "amap", "running": True}, {"space": "cine", "running": False}]
        found = self.web(tmp_path, chosen, ["space-php@cine.service"])
        assert found["unknown"] == {}
        assert "unit" not in found["missing"]["amap"]

    def test_units_of_others_are_looked_at(self, tmp_path: Path):
        running = ["space-php@cine.service", "space-redis@old.service"]
        found = self.web(tmp_path, [], running)
        assert found["unknown"] == {"cine": ["unit"], "old": ["unit"]}
        assert "unit" in found["missing"]["amap"]

    def test_what_a_check_run_would_make_is_not_missing(self, tmp_path: Path):
        assert self.web(tmp_path, [], [], check=True)["missing"] == {}

    def test_databases(self):
        accounts = {("space-old", "localhost"): _mariadb.Account()}
        state = _mariadb.State({"space_old": "utf8mb4_bin"}, accounts)
        amap = {"space": "amap", "user": "space-amap", "host": "localhost"}
        drift = _drift.compare_databases(state, [amap], KNOWN)
        assert _drift.describe(drift) == [
            "old: database, account too many",
            "cine: database, account missing",
        ]
