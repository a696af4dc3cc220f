# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which spaces an upgrade moves, and which it refuses before anything is touched."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _journal, _upgrade_plan
from ansible_collections.archipel.spaces.plugins.module_utils._upgrade_plan import (
    Asked,
    Found,
    Target,
    Verdict,
)

CODE = """<?php
$OC_Version = [34, 0, 4, 1];
$OC_VersionCanBeUpgradedFrom = [
    'nextcloud' => [
        '33.0' => true,
        '34.0' => true,
    ],
    'owncloud' => [
        '10.13' => true,
    ],
];
"""
TARGET = Target("34.0.4", "34.0.4.1", ("33.0", "34.0"), frozenset({"files", "deck"}))
FOUND = Found("33.0.9", "33.0.9.1", installed=True, maintenance=False)
ASKED = Asked("11.8.2-MariaDB", 1 << 20, frozenset({"files"}))
KEYS = frozenset({"twofactor_webauthn"})
FREE = _upgrade_plan.ROOM


def test_a_release_says_what_it_upgrades_from():
    assert _upgrade_plan.versions_before(CODE) == ("33.0", "34.0")


def test_code_that_says_nothing_upgrades_from_nothing_known():
    assert _upgrade_plan.versions_before("<?php\n$OC_Version = [34, 0, 4, 1];\n") == ()


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({}, "upgrade", ""),
        ({"release": "34.0.4", "version": "34.0.4.1"}, "done", ""),
        # Pointed at by hand, or by a run that died: its data say that it is not there yet.
        ({"release": "34.0.4", "version": "33.0.9.1"}, "upgrade", ""),
        # The same version from another build is another release.
        ({"release": "34.0.4-1", "version": "34.0.4.1"}, "upgrade", ""),
        ({"installed": False}, "none", "playbooks/site.yml installs it"),
        ({"release": ""}, "none", "playbooks/site.yml installs it"),
        ({"maintenance": True}, "refused", "occ maintenance:mode --off"),
        ({"version": "32.0.1.1"}, "refused", "majors are not skipped"),
        ({"version": "35.0.0.1"}, "refused", "playbooks/rollback.yml"),
        ({"version": "34.0.5.0"}, "refused", "going back is not an upgrade"),
        ({"version": "34.0.4.2"}, "refused", "going back is not an upgrade"),
    ],
)
def test_what_the_files_of_a_space_lead_to(changes, kind, said):
    verdict = _upgrade_plan.first_look(replace(FOUND, **changes), TARGET)
    assert verdict.kind == kind
    assert said in verdict.why


def test_a_release_that_is_not_built_yet_is_judged_by_its_catalogue():
    target = Target("36.0.0", "36.0.0")
    assert "majors are not skipped" in _upgrade_plan.first_look(FOUND, target).why
    assert _upgrade_plan.first_look(FOUND, Target("34.0.4", "34.0.4")).kind == "upgrade"
    there = replace(FOUND, release="34.0.4", version="34.0.4.1")
    assert _upgrade_plan.first_look(there, Target("34.0.4", "34.0.4")).kind == "done"


@pytest.mark.parametrize(
    ("journal", "kind", "said"),
    [
        ({"direction": "forward", "step": "dump", "to": "34.0.4"}, "resume", "'dump'"),
        ({"direction": "back", "step": "load", "to": "34.0.3"}, "resume", "'load'"),
        ({"direction": "forward", "step": "dump", "to": "34.0.3"}, "refused", "release=34.0.3"),
        ({"direction": "undo", "step": "load", "to": "34.0.4"}, "refused", "rollback.yml"),
        ({"verb": "restore", "step": "load"}, "refused", "a restore of it was begun"),
    ],
)
def test_what_was_begun_comes_first(journal, kind, said):
    found = replace(FOUND, journal={"verb": "upgrade", **journal})
    verdict = _upgrade_plan.first_look(found, TARGET)
    assert verdict.kind == kind
    assert said in verdict.why


@pytest.mark.parametrize(
    ("asked", "target", "said"),
    [
        ({}, {}, ""),
        ({"enabled": frozenset({"files", "talk"})}, {}, "talk: on in this space"),
        ({"enabled": frozenset({"files", "talk"})}, {"without": frozenset({"talk"})}, ""),
        ({"enabled": frozenset({"files", "talk"})}, {"holds": None}, ""),
        (
            {"enabled": KEYS | {"files"}, "factors": KEYS},
            {"without": KEYS},
            "somebody logs in with it, and release 34.0.4 goes without",
        ),
        ({"enabled": KEYS | {"files"}}, {"without": KEYS}, ""),
        (
            {"enabled": KEYS | {"files"}, "factors": KEYS},
            {"holds": KEYS | {"files"}, "without": KEYS},
            "",
        ),
        # Off already: whoever had it is locked out already, or was helped.
        ({"factors": KEYS}, {"without": KEYS}, ""),
        ({"mariadb": "10.5.1-MariaDB"}, {"mariadb": ("10.6", "11.8")}, "MariaDB 10.5.1"),
        ({"mariadb": "12.0.1-MariaDB"}, {"mariadb": ("10.6", "11.8")}, "MariaDB 12.0.1"),
        ({"mariadb": "11.8.9-MariaDB"}, {"mariadb": ("10.6", "11.8")}, ""),
        ({"error": "its database cannot be read: gone"}, {}, "cannot be read"),
    ],
)
def test_what_the_database_server_says(asked, target, said):
    first = Verdict("upgrade", release="33.0.9", version="33.0.9.1")
    verdict = _upgrade_plan.second_look(first, replace(ASKED, **asked), replace(TARGET, **target))
    assert verdict.kind == ("refused" if said else "upgrade")
    assert said in verdict.why


def test_dumps_that_do_not_fit_are_refused_and_smaller_ones_go_on():
    sizes = {"a": 10 << 20, "b": 50 << 20, "c": 10 << 20}
    verdicts = {slug: Verdict("upgrade", size=size) for slug, size in sizes.items()}
    found = _upgrade_plan.without_room(sizes, verdicts, FREE + (30 << 20))
    assert {slug: one.kind for slug, one in found.items()} == {
        "a": "upgrade",
        "b": "refused",
        "c": "upgrade",
    }
    assert "its dump needs up to 50 MB" in found["b"].why
    assert "20 MB are left" in found["b"].why


def test_a_space_that_stays_needs_no_room():
    verdicts = {"a": Verdict("done", size=1 << 40), "b": Verdict("upgrade", size=1)}
    assert _upgrade_plan.without_room(verdicts, verdicts, FREE + 1)["b"].kind == "upgrade"


class Server:
    """A database server with spaces on it."""

    def __init__(self, *, broken=False, factors=None):
        self.broken, self.asked, self.rows = broken, [], []
        self.factors = factors or {}

    def __call__(self, database):
        if self.broken:
            raise ConnectionError("no server")
        return self

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, sql, values=()):
        self.asked.append(sql)
        if "VERSION" in sql:
            self.rows = [("11.8.2-MariaDB",)]
        elif "SUM(data_length)" in sql:
            self.rows = [(name, 4096) for name in values]
        elif "information_schema" in sql:
            self.rows = [(name,) for name in values if name in self.factors]
        elif "provider_id" in sql:
            self.rows = [(name, one) for name, some in self.factors.items() for one in some]
        else:
            self.rows = [(0, "files", "enabled", "yes", 4), (0, "deck", "enabled", "no", 4)]

    def fetchone(self):
        return self.rows[0]

    def fetchall(self):
        return self.rows

    def close(self):
        return None


def item(slug):
    return {"space": slug, "database": {"name": f"space_{slug}", "password": None}}


def space(root, slug, *, version, release):
    (root / slug / "config").mkdir(parents=True)
    text = f"<?php\n$CONFIG = array (\n  'installed' => true,\n  'version' => '{version}',\n);\n"
    (root / slug / "config/config.php").write_text(text)
    (root / slug / "release").symlink_to(f"../../releases/{release}")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(_journal, "FOLDER", str(tmp_path / "life"))
    monkeypatch.setattr(_journal.read, "__defaults__", (str(tmp_path / "life"),))
    space(tmp_path / "spaces", "old", version="33.0.9.1", release="33.0.9")
    space(tmp_path / "spaces", "new", version="34.0.4.1", release="34.0.4")
    return tmp_path / "spaces"


def made(root, slugs, server):
    return _upgrade_plan.make(
        [item(slug) for slug in slugs],
        TARGET,
        root=str(root),
        free=1 << 40,
        connect=server,
        error=ConnectionError,
    )


def test_only_spaces_that_are_to_move_are_asked_about(root):
    server = Server()
    plan = made(root, ["new"], server)
    assert plan["new"].kind == "done"
    assert server.asked == []


def test_a_space_is_moved_with_what_it_has_on(root):
    plan = made(root, ["new", "old"], Server())
    assert (plan["old"].kind, plan["old"].size) == ("upgrade", 4096)
    assert plan["old"].enabled == frozenset({"files"})


def test_it_is_asked_with_what_people_log_in(root):
    """Names as the providers of three applications have them; that of backup codes is nobody's."""
    providers = ("totp", "webauthn", "twofactor_nextcloud_notification", "backup_codes")
    server = Server(factors={"space_old": providers})
    asked = _upgrade_plan.ask([item("old")], server, ConnectionError)
    assert asked["old"].factors == {
        "twofactor_totp",
        "twofactor_webauthn",
        "twofactor_nextcloud_notification",
        "twofactor_backup_codes",
    }
    assert "FROM `space_old`.oc_twofactor_providers WHERE enabled = 1" in server.asked[-1]


def test_where_there_is_no_table_of_factors_nobody_has_one(root):
    asked = _upgrade_plan.ask([item("old")], Server(), ConnectionError)
    assert asked["old"].factors == frozenset()


def test_a_server_that_is_down_is_said_once(root):
    with pytest.raises(ConnectionError, match="no server"):
        made(root, ["old"], Server(broken=True))


@pytest.mark.parametrize("folder", ["bad", "bad/config"])
def test_a_file_where_a_folder_should_be_is_one_spaces_own_matter(root, folder):
    (root / folder).parent.mkdir(exist_ok=True)
    (root / folder).touch()
    plan = made(root, ["bad", "old"], Server())
    assert plan["bad"].kind == "refused"
    assert plan["bad"].why == f"{root}/bad/config/config.php: Not a directory"
    assert plan["old"].kind == "upgrade"


def test_a_target_that_is_built_is_read_from_its_code(tmp_path):
    (tmp_path / "34.0.4").mkdir()
    (tmp_path / "34.0.4/version.php").write_text(CODE)
    manifest = {
        "version_full": "34.0.4.1",
        "capabilities": {"apps": {"files": "34"}},
        "applications": {"deck": {"version": "2"}},
    }
    (tmp_path / "34.0.4.json").write_text(json.dumps(manifest))
    wanted = {"id": "34.0.4", "version": "34.0.4", "mariadb": {"min": "10.6"}, "without": ["x"]}
    assert _upgrade_plan.read_target(str(tmp_path), wanted) == replace(
        TARGET, mariadb=("10.6", ""), without=frozenset({"x"})
    )
    # What could not be had when it was built does not hold a space back.
    (tmp_path / "34.0.4.json").write_text(json.dumps({**manifest, "left_out": {"deck": "gone"}}))
    assert _upgrade_plan.read_target(str(tmp_path), wanted).without == {"x", "deck"}


@pytest.mark.parametrize("text", ["", "{", '{"seconds": "nan"}', "[]", "{}"])
def test_a_rate_that_is_none_is_unknown(tmp_path, text):
    (tmp_path / "rate.json").write_text(text)
    assert _upgrade_plan.read_rate(str(tmp_path / "rate.json")) == 0.0


def test_pages_of_what_is_off_for_a_reason_are_not_opened_again():
    pages = ["/apps/files/", "/index.php/apps/polls/", "/apps/notes", "/settings/user", "/apps/x/y"]
    before, now = {"files", "polls", "notes", "x"}, {"files", "new"}
    assert _upgrade_plan.pages_left(pages, before, now) == ["/apps/files/", "/settings/user"]
    assert _upgrade_plan.pages_left(pages, set(), now) == pages
