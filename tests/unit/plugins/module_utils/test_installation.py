# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""New spaces: which steps each needs, and what is never done."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import typing as t
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _files,
    _golden,
    _installation,
    _journal,
    _occ,
)
from ansible_collections.archipel.spaces.plugins.module_utils._installation import Node, State
from ansible_collections.archipel.spaces.plugins.module_utils._spaces import Report

ITEM = {
    "space": "amap",
    "id": 100004,
    "running": True,
    "release": "33.0.9",
    "url": "https://amap.example.org",
    "database": {
        "name": "space_amap",
        "user": "space-amap",
        "password": None,
        "address": "localhost:/s",
    },
    "applied": {"groups": ["members"]},
    "template": {"apps": {"enable": [], "disable": []}},
    "managed": ["dbname", "trusted_domains"],
    "logo": None,
}
DIGEST = _installation.digest(ITEM)


class Rows:
    """A connection whose database has so many tables."""

    def __init__(self, tables):
        self.tables, self.executed = tables, []

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, sql, values=()):
        self.executed.append(sql)

    def fetchone(self):
        return (self.tables,)

    def close(self):
        return None


def node(tmp_path, tables=0):
    connection = Rows(tables)
    return (
        Node(
            root=str(tmp_path / "spaces"),
            releases=str(tmp_path / "releases"),
            php="php",
            spool=str(tmp_path),
            sandbox=[],
            golden="",
            database_socket="/s",
            database_ca="/ca",
            connect=lambda _: connection,
            database_error=KeyError,
        ),
        connection,
    )


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        (
            State(linked=False, installed=False, interrupted=False, applied=""),
            ["link", "install", "apply"],
        ),
        (
            State(linked=True, installed=False, interrupted=True, applied=""),
            ["clear", "install", "apply"],
        ),
        (
            State(linked=True, installed=True, interrupted=True, applied=""),
            ["clear", "install", "apply"],
        ),
        (State(linked=True, installed=True, interrupted=False, applied=""), ["apply"]),
        (State(linked=True, installed=True, interrupted=False, applied="other"), ["apply"]),
        (State(linked=True, installed=True, interrupted=False, applied=DIGEST), []),
    ],
)
def test_the_steps_follow_from_what_is_there(state, steps):
    assert _installation.plan(ITEM, state) == steps


def test_a_suspended_space_is_not_installed():
    state = State(linked=False, installed=False, interrupted=False, applied="")
    assert _installation.plan({**ITEM, "running": False}, state) == []


def test_the_digest_changes_with_the_wanted_state_and_the_release():
    assert _installation.digest({**ITEM, "url": "https://other"}) == DIGEST
    assert _installation.digest({**ITEM, "applied": {"groups": []}}) != DIGEST
    assert _installation.digest({**ITEM, "release": "34.0.1"}) != DIGEST


def test_a_space_whose_configuration_is_lost_is_never_installed_anew(tmp_path):
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    place, connection = node(tmp_path, tables=120)
    done, why = _installation.carry_out(ITEM, dict.fromkeys(["install", "apply"], ""), place)
    assert done == []
    assert "120 tables" in why
    assert "restore config.php" in why
    assert not any("DROP" in sql for sql in connection.executed)


def test_remains_are_cleared_only_for_an_interrupted_installation(tmp_path):
    config = tmp_path / "spaces" / "amap" / "config"
    config.mkdir(parents=True)
    (config / "config.php").write_text("<?php")
    place, connection = node(tmp_path)
    _installation.clear(ITEM, place)
    assert [sql.split()[0] for sql in connection.executed] == ["DROP", "CREATE"]
    assert not (config / "config.php").exists()


def test_a_release_that_is_not_built_fails_the_space(tmp_path):
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    done, why = _installation.carry_out(
        ITEM, dict.fromkeys(["link", "install"], ""), node(tmp_path)[0]
    )
    assert (done, why) == ([], "release 33.0.9 is not built on this node")


def test_a_new_space_points_at_its_release_relatively(tmp_path):
    (tmp_path / "releases" / "33.0.9").mkdir(parents=True)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    place, _ = node(tmp_path)
    assert _installation.carry_out(ITEM, {"link": "linked"}, place) == (["linked"], "")
    link = tmp_path / "spaces" / "amap" / "release"
    assert str(link.readlink()) == "../../releases/33.0.9"


def test_a_failing_database_fails_the_space_not_the_run(tmp_path):
    def refuse(_):
        raise KeyError("gone")

    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    place, _ = node(tmp_path)
    broken = Node(**{**place.__dict__, "connect": refuse})
    assert "gone" in _installation.carry_out(ITEM, {"install": ""}, broken)[1]


@pytest.mark.parametrize(
    "damage", [json.JSONDecodeError("no JSON", "", 0), UnicodeError("no text")]
)
def test_a_damaged_file_fails_the_space_not_the_run(tmp_path, monkeypatch, damage):
    def fail(*_arguments):
        raise damage

    monkeypatch.setitem(_installation.STEPS, "install", fail)
    assert _installation.carry_out(ITEM, {"install": ""}, node(tmp_path)[0]) == ([], str(damage))


def test_a_folder_in_the_place_of_a_logo_fails_its_space_only(tmp_path):
    for path in (f"amap/{_installation.LOGO}", "velo"):
        (tmp_path / "spaces" / path).mkdir(parents=True)
    place, _ = node(tmp_path)
    report, velo = Report(), {**ITEM, "space": "velo"}
    planned = _installation.plans([ITEM, velo], place, report)
    assert [(item["space"], list(steps)) for item, steps in planned] == [
        ("velo", ["link", "install", "apply"])
    ]
    assert report.failures == {
        "amap": f"{tmp_path}/spaces/amap/{_installation.LOGO}: Is a directory"
    }


LOGO = b"a picture"
WITH_LOGO: dict[str, t.Any] = {
    **ITEM,
    "logo": {"path": "/elsewhere", "sha256": hashlib.sha256(LOGO).hexdigest()},
}


def test_a_logo_is_brought_when_it_lacks_or_differs_and_taken_away_with_its_line():
    settled = State(linked=True, installed=True, interrupted=False, applied=DIGEST)
    there = replace(settled, logo=WITH_LOGO["logo"]["sha256"])
    assert _installation.plan(WITH_LOGO, settled) == ["logo"]
    assert _installation.plan(WITH_LOGO, there) == []
    assert _installation.plan(ITEM, there) == ["logo"]


def test_a_logo_travels_only_when_it_is_asked_for(tmp_path):
    place, _ = node(tmp_path)
    report = Report()
    todo: list[tuple[_installation.Item, dict[str, str]]] = [
        (WITH_LOGO, {"logo": "logo"}),
        ({**ITEM, "space": "chorale"}, {"apply": ""}),
    ]
    left = _installation.set_aside(todo, place, report)
    assert [item["space"] for item, _ in left] == ["chorale"]
    assert report.facts["wanted_logos"] == ["amap"]
    brings = replace(place, logos={"amap": base64.b64encode(LOGO).decode()})
    assert len(_installation.set_aside(todo, brings, report)) == 2
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    _installation.put_logo(WITH_LOGO, brings)
    path = tmp_path / "spaces" / "amap" / "logo"
    assert path.read_bytes() == LOGO
    assert path.stat().st_mode & 0o777 == 0o644
    _installation.put_logo(ITEM, brings)
    assert not path.exists()


def test_a_logo_that_changed_on_its_way_is_refused(tmp_path):
    place = replace(node(tmp_path)[0], logos={"amap": base64.b64encode(b"other").decode()})
    done, why = _installation.carry_out(WITH_LOGO, {"logo": "logo"}, place)
    assert done == []
    assert "changed while it was read" in why


def test_a_second_run_is_kept_out_until_the_first_has_ended(tmp_path):
    place = str(tmp_path / "run")
    first = _journal.exclusive(_installation.LOCK, place)
    first.__enter__()
    with (
        pytest.raises(_journal.JournalError, match="another run"),
        _journal.exclusive(_installation.LOCK, place),
    ):
        pytest.fail("two runs at the same time")
    first.__exit__(None, None, None)
    with _journal.exclusive(_installation.LOCK, place):
        assert (tmp_path / "run" / f"{_installation.LOCK}.lock").exists()


def test_arguments_of_occ_never_reach_the_command_line(tmp_path, monkeypatch):
    (tmp_path / "amap").mkdir()
    (tmp_path / "amap" / "release").symlink_to(tmp_path)
    calls = []

    def run(command, **options):
        calls.append((command, options))
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    _occ.run(
        "amap",
        "php",
        ["user:add", "--password=hunter2"],
        root=str(tmp_path),
        lines=["User=space-%i"],
    )
    commands = [command for command, _ in calls]
    assert not any("hunter2" in part for command in commands for part in command)
    assert any("hunter2" in options.get("input", "") for _, options in calls)
    assert "--property=User=space-amap" in commands[1]


def test_occ_reads_compiled_code_where_the_sandbox_shows_some():
    without = _occ.interpreter("php", ["BindReadOnlyPaths=/srv/nextcloud"])
    cached = _occ.interpreter("php", ["TemporaryFileSystem=/run/opcache:mode=1777,size=1m"])
    assert "opcache.file_cache=/run/opcache" not in without
    assert "opcache.file_cache=/run/opcache" in cached


def test_when_the_time_is_up_no_further_space_is_begun(tmp_path, monkeypatch):
    here = partial(_journal.exclusive, folder=str(tmp_path))
    monkeypatch.setattr(_journal, "exclusive", here)
    monkeypatch.setattr(_installation, "carry_out", lambda item, steps, node: ([item], ""))
    clock = iter([0.0, 1.0, 2.0, 31.0, 32.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    todo: list[t.Any] = [(name, {}) for name in ("amap", "chorale", "fanfare", "velo")]
    node = t.cast("_installation.Node", None)
    outcomes = _installation.carry_out_all(todo, node, 1, 30)
    assert outcomes == [(["amap"], ""), (["chorale"], ""), None, None]


@pytest.mark.parametrize(("version", "loosened"), [("0.4.1", 1), ("0.5.0", 0), ("1.0.0", 0)])
def test_what_an_older_application_stored_under_one_type_is_mended(
    tmp_path, monkeypatch, version, loosened
):
    """A release keeps the application it was built with; spaces on it are mended all the same."""
    place, connection = node(tmp_path)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    (tmp_path / "releases").mkdir()
    manifest = {"applications": {"archipel": {"version": version}}}
    (tmp_path / "releases" / "33.0.9.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(_installation, "occ", lambda *_, **__: '{"changes": ["set core/flag"]}')
    monkeypatch.setattr(_files, "write_file", lambda _: None)
    monkeypatch.setattr(_installation, "own_version", _installation.own_version.__wrapped__)
    told = {**ITEM, "applied": {"app_config": {"core": {"flag": True}}}}
    assert _installation.apply(told, place) == ["set core/flag"]
    assert [sql.split(" WHERE")[0] for sql in connection.executed] == [
        "UPDATE `space_amap`.`oc_appconfig` SET type = (type & 1) | 2"
    ] * loosened
    assert _installation.apply({**ITEM, "applied": {}}, place) == ["set core/flag"]
    assert len(connection.executed) == loosened


class Occ:
    """Notes what is run in a space, and answers."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def __call__(self, _slug, _php, arguments, **options):
        self.calls += [list(arguments), *(list(one) for one in options.get("more", ()))]
        said = self.answers.get(arguments[0].partition(":")[2], "")
        return _occ.Outcome(0, said, "")


REFUSED = "invite administration: Connection could not be established with host 192.0.2.25:25"


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        ([REFUSED], REFUSED),
        ([REFUSED, "create group members: no"], ""),
        (["create group members: no"], ""),
        ([], ""),
    ],
)
def test_a_letter_that_no_relay_took_is_told_apart(errors, why):
    said = json.dumps({"changes": ["create group members"], "errors": errors})
    assert _installation.uninvited(f"a warning\n{said}\n") == why


@pytest.mark.parametrize("said", ["", "no JSON", "[]"])
def test_what_is_no_answer_excuses_nothing(said):
    assert _installation.uninvited(said) == ""


def test_a_space_opens_without_its_invitation_and_is_told_again(tmp_path, monkeypatch):
    place, _ = node(tmp_path)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    answer = json.dumps({"changes": ["create group members"], "errors": [REFUSED]})
    monkeypatch.setattr(_occ, "run", lambda *_, **__: _occ.Outcome(1, answer, REFUSED))
    done, why = _installation.carry_out(ITEM, {"apply": "Nextcloud's settings applied"}, place)
    assert (done, why) == (["Nextcloud's settings applied"], "")
    assert place.uninvited == {"amap": REFUSED}
    # Nothing says that it was told: the next run invites.
    assert not (tmp_path / "spaces" / "amap" / _installation.APPLIED).exists()
    assert json.loads(_installation.order(ITEM, place))["invite"] == "again"


def test_a_letter_that_a_relay_took_is_not_sent_again_by_a_run_that_died_afterwards(tmp_path):
    """It is noted in the space itself; one that was printed is lost."""
    place, _ = node(tmp_path)
    by_mail = {**ITEM, "applied": {"invite_by_mail": True}}
    assert json.loads(_installation.order(by_mail, place))["invite"] is True
    printed = {**ITEM, "applied": {"invite_by_mail": False}}
    assert json.loads(_installation.order(printed, place))["invite"] == "again"


def test_any_other_failure_keeps_it_closed(tmp_path, monkeypatch):
    place, _ = node(tmp_path)
    answer = json.dumps({"changes": [], "errors": ["create group members: no"]})
    monkeypatch.setattr(_occ, "run", lambda *_, **__: _occ.Outcome(1, answer, "no"))
    done, why = _installation.carry_out(ITEM, {"apply": ""}, place)
    assert (done, why, place.uninvited) == ([], "occ archipel:apply: no", {})


NAMES = [f"db:add-missing-{what}" for what in ("columns", "indices", "primary-keys")]


@pytest.mark.parametrize(
    ("changes", "completed"),
    [
        ([], []),
        (["set core/flag", "disable application polls", "create group members"], []),
        (["enable application polls"], NAMES),
    ],
)
def test_what_was_turned_on_gets_its_indices_in_a_process_of_its_own(
    tmp_path, monkeypatch, changes, completed
):
    place, _ = node(tmp_path)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    occ = Occ(apply=json.dumps({"changes": changes}))
    monkeypatch.setattr(_occ, "run", occ)
    monkeypatch.setattr(_files, "write_file", lambda _: None)
    assert _installation.apply(ITEM, place) == changes
    assert [call[0] for call in occ.calls] == ["archipel:apply", *completed]


@pytest.fixture
def own(monkeypatch):
    """Files are the test's own, whoever they are to belong to."""
    write = _files.write_file

    def mine(item):
        return write({**item, "uid": os.getuid(), "gid": os.getgid()})

    monkeypatch.setattr(_files, "write_file", mine)


def test_the_installer_finds_an_instance_id_and_leaves_no_index_out(tmp_path, monkeypatch, own):
    place, _ = node(tmp_path)
    config = tmp_path / "spaces/amap/config/config.php"
    config.parent.mkdir(parents=True)
    (tmp_path / "spaces/amap/data").mkdir()
    occ = Occ()

    def run(slug, php, arguments, **options):
        path = tmp_path / f"spaces/{slug}/config/config.php"
        if arguments[0] == "maintenance:repair":
            path.write_text(path.read_text().replace(");", "  'maintenance' => false,\n);"))
        return occ(slug, php, arguments, **options)

    monkeypatch.setattr(_occ, "run", run)
    _installation.install(ITEM, place)
    (found,) = re.findall(r"^  'instanceid' => '(oc[a-z0-9]{10})',$", config.read_text(), re.M)
    made = ["maintenance:install", "app:enable", *NAMES, "maintenance:repair"]
    assert [call[0] for call in occ.calls] == made
    # What the repair leaves there, copies of the template do not have.
    assert "maintenance" not in config.read_text()
    other = tmp_path / "spaces/other"
    shutil.copytree(tmp_path / "spaces/amap", other)
    (other / "config/config.php").unlink()
    _installation.install({**ITEM, "space": "other"}, place)
    assert found not in (other / "config/config.php").read_text()


class TestDistant:
    """A database on another machine: the same image, with the space's own account."""

    DISTANT: t.ClassVar = {
        **ITEM,
        "database": {
            "name": "space_amap",
            "user": "space-amap",
            "password": "s3cret",
            "address": "10.0.0.2",
        },
    }

    @pytest.fixture
    @staticmethod
    def place(tmp_path, monkeypatch):
        monkeypatch.setattr(_installation, "CLIENTS", str(tmp_path / "clients"))
        monkeypatch.setattr(os, "chown", lambda *_arguments: None)
        monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
        return node(tmp_path)[0]

    def test_its_password_is_written_down_for_as_long_as_a_client_runs(self, place, tmp_path):
        with _installation.server_of(self.DISTANT, place) as server:
            (path,) = (tmp_path / "clients").iterdir()
            assert server.command("mariadb", "x") == ["mariadb", f"--defaults-file={path}", "x"]
            text = path.read_text()
            assert path.stat().st_mode & 0o777 == 0o600
        assert list((tmp_path / "clients").iterdir()) == []
        for line in ("host=10.0.0.2", "port=3306", "ssl-ca=/ca", "ssl-verify-server-cert"):
            assert line in text.splitlines()

    def test_a_client_that_fails_leaves_no_password(self, place, tmp_path):
        with (
            pytest.raises(_golden.GoldenError),
            _installation.server_of(self.DISTANT, place),
        ):
            raise _golden.GoldenError("gone")
        assert list((tmp_path / "clients").iterdir()) == []

    def test_it_starts_from_the_image_as_others_do(self, place, tmp_path):
        release = tmp_path / "releases/33"
        release.mkdir(parents=True)
        manifest = {"capabilities": {"install_without_admin": True}}
        (tmp_path / "releases/33.json").write_text(json.dumps(manifest))
        home = tmp_path / "spaces/amap"
        home.mkdir(parents=True)
        (home / "release").symlink_to(release)
        place = replace(place, golden=str(tmp_path / "golden"))
        found = _installation.golden_of(self.DISTANT, place)
        assert found is not None
        assert found == _installation.golden_of(ITEM, place)
