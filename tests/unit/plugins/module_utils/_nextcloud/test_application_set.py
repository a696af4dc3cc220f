# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether releases hold the application set, and whether spaces still have it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _application_set

ROOT = Path(__file__).resolve().parents[5]
SUITES = {
    "collabora": {"name": "Collabora Online", "application": "richdocuments"},
    "onlyoffice": {"name": "ONLYOFFICE Docs", "application": "onlyoffice"},
}
APPLIED: dict[str, Any] = {
    "apps": {"enable": ["calendar"], "disable": ["survey_client"]},
    "app_config": {"core": {"flag": True, "number": 7, "gone": None}, "files": {"list": ["a/b"]}},
    "office": {"suites": SUITES, "default": "collabora", "pinned": False},
    "groups": ["members"],
}
SETTLED = {
    ("archipel", "enabled"): "yes",
    ("calendar", "enabled"): "yes",
    ("survey_client", "enabled"): "no",
    ("richdocuments", "enabled"): "yes",
    ("onlyoffice", "enabled"): "no",
    ("group/", "members"): "",
    ("core", "flag"): "1",
    ("core", "number"): "7",
    ("files", "list"): '["a\\/b"]',
}
MANIFEST = {"capabilities": {"apps": {"files": "1"}}, "applications": {"calendar": {}}}


def test_a_space_as_it_was_told_has_not_drifted():
    assert _application_set.drift(APPLIED, SETTLED) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({("calendar", "enabled"): "no"}, ["calendar is off"]),
        ({("survey_client", "enabled"): "yes"}, ["survey_client is on"]),
        ({("archipel", "enabled"): "no"}, ["archipel is off"]),
        ({("core", "number"): "8"}, ["core/number was changed"]),
        ({("core", "gone"): "x"}, ["core/gone was changed"]),
        # Readers of another type are refused, though the value is right.
        ({("typed/core", "number"): ""}, ["core/number has a type of its own"]),
        ({("typed/core", "gone"): ""}, []),
        ({("richdocuments", "enabled"): "no"}, ["richdocuments is off"]),
        ({("onlyoffice", "enabled"): "yes"}, ["onlyoffice is on"]),
        # Nextcloud alone can read what it has encrypted.
        ({("core", "number"): "$AppConfigEncryption$x"}, []),
        ({("group/", "members"): None}, ["group members is gone"]),
        # One's own choice is no drift; half of it is.
        ({("archipel", "office"): "onlyoffice"}, ["richdocuments is on", "onlyoffice is off"]),
        ({("archipel", "office"): "abacus"}, []),
    ],
)
def test_what_drifted_is_named(rows, said):
    now = {key: value for key, value in {**SETTLED, **rows}.items() if value is not None}
    assert _application_set.drift(APPLIED, now) == said


def test_a_pinned_suite_leaves_no_choice():
    pinned = {**APPLIED, "office": {**APPLIED["office"], "pinned": True}}
    rows = {**SETTLED, ("archipel", "office"): "onlyoffice"}
    assert _application_set.drift(pinned, rows) == []


def test_a_release_may_go_without_applications_and_connectors():
    told = _application_set.for_release(APPLIED, ["calendar", "onlyoffice"])
    assert told["apps"]["enable"] == []
    assert list(told["office"]["suites"]) == ["collabora"]
    assert "calendar" not in told["app_config"]
    assert APPLIED["apps"]["enable"] == ["calendar"]


def test_an_older_application_is_not_told_what_it_cannot_know(tmp_path):
    told = {**APPLIED, "logo": None, "app_defaults": {}}
    assert set(_application_set.understood(told, "0.1.0")) == {"apps", "app_config", "groups"}
    assert _application_set.understood(told, "0.2.0") == told
    suite = {**SUITES["collabora"], "open": {"query": "SELECT 0"}}
    asked = {**told, "office": {**told["office"], "suites": {"collabora": suite}}}
    assert _application_set.understood(asked, "0.3.0") == asked
    older = _application_set.understood(asked, "0.2.0")
    assert dict(older["office"]["suites"]["collabora"]) == SUITES["collabora"]
    served = {**SUITES["collabora"], "served": True}
    asked = {**told, "office": {**told["office"], "suites": {"collabora": served}}}
    older = _application_set.understood(asked, "0.4.1")
    assert dict(older["office"]["suites"]["collabora"]) == SUITES["collabora"]
    assert _application_set.understood(asked, "0.5.0") == asked
    assert _application_set.understood(told, "1.0.0") == told
    manifest = {**MANIFEST, "applications": {"archipel": {"version": "0.2.0"}}}
    (tmp_path / "33").mkdir()
    (tmp_path / "33.json").write_text(json.dumps(manifest))
    assert _application_set.own_version(str(tmp_path), "33") == "0.2.0"
    assert _application_set.own_version(str(tmp_path), "34") == "0.1.0"


def test_every_key_of_the_document_is_known_to_the_application_of_this_collection():
    """A key that is new here needs a new version of the application, and its line in SINCE."""
    source = (
        ROOT / "roles/nextcloud/files/apps/archipel/lib/Converge/DesiredState.php"
    ).read_text()
    assert all(f"'{key}'" in source for key in _application_set.SINCE)
    info = (ROOT / "roles/nextcloud/files/apps/archipel/appinfo/info.xml").read_text()
    version = info.split("<version>")[1].split("</version>")[0]
    newest = max(_application_set.SINCE.values())
    assert tuple(int(part) for part in version.split(".")[:2]) >= newest


@pytest.mark.parametrize("spaces", [1, 100, 101, 250])
def test_many_spaces_are_read_in_few_queries(spaces):
    class Cursor:
        def __init__(self):
            self.asked = []

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def execute(self, sql, values):
            assert sql.count("%s") == len(values)
            self.asked.append(sql)

        def fetchall(self):
            count = self.asked[-1].count("oc_appconfig")
            on = [(index, "calendar", "enabled", "yes", 4) for index in range(count)]
            return [*on, (0, "core", "flag", "1", 4)]

    class Connection:
        def cursor(self):
            return cursor

    cursor = Cursor()
    names = [f"space_s{number}" for number in range(spaces)]
    rows = _application_set.read(Connection(), names, {("core", "flag")})
    on = {("calendar", "enabled"): "yes"}
    # Of what was told, the type is known too: every hundred spaces are one query.
    assert rows[0] == {**on, ("core", "flag"): "1", ("typed/core", "flag"): ""}
    assert [row for row in rows if len(row) == 1] == [on] * (spaces - len(cursor.asked))
    assert len(cursor.asked) == -(-spaces // 100)
    assert all(f"`{name}`.`oc_appconfig`" in "".join(cursor.asked) for name in names)


@pytest.mark.parametrize(
    ("kind", "typed"),
    # 0 is from before Nextcloud 29; 1 says that a value is encrypted; 2 is mixed.
    [(0, False), (2, False), (3, False), (4, True), (5, True), (8, True), (32, True), (64, True)],
)
def test_a_type_of_its_own_is_told_from_any_and_from_none(kind, typed):
    class Connection:
        cursor = __enter__ = lambda self: self
        execute = __exit__ = lambda *_: None

        def fetchall(self):
            return [(0, "core", "flag", "1", kind)]

    (rows,) = _application_set.read(Connection(), ["space_amap"], {("core", "flag")})
    assert (("typed/core", "flag") in rows) == typed


def test_a_type_is_taken_back_from_what_was_told_and_nothing_else():
    sql, values = _application_set.loosening("space_a`b", {("core", "flag"), ("files", "list")})
    assert values == ["core", "flag", "files", "list"]
    assert sql.startswith("UPDATE `space_a``b`.`oc_appconfig` SET type = (type & 1) | 2 WHERE ")
    assert sql.endswith("(type & ~1) NOT IN (0, 2) AND (appid, configkey) IN ((%s, %s), (%s, %s))")


def test_a_release_that_lacks_something_is_named_once_with_the_remedy(tmp_path):
    (tmp_path / "33").mkdir()
    (tmp_path / "33.json").write_text(json.dumps(MANIFEST))
    check = partial(
        _application_set.check,
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path),
        spaces={"amap": "33", "chorale": "33", "club": "34"},
        needed=["calendar", "deck"],
        asked={},
        named=["calendar", "files"],
    )
    problems, _, _ = check(without={})
    assert len(problems) == 1
    assert problems[0].startswith("release 33 lacks deck,")
    assert "`without`" in problems[0]
    assert check(without={"33": ["deck"]}) == ([], {"33": ["deck"]}, {})


def test_what_a_release_brings_and_nobody_names_is_told_before_anybody_uses_it(tmp_path):
    capabilities = {"apps": {"files": "1", "new": "1", "viewer": "1"}, "always_enabled": ["viewer"]}
    newer = {"capabilities": capabilities, "applications": {"archipel": {}, "tasks": {}}}
    (tmp_path / "33").mkdir()
    (tmp_path / "33.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "34").mkdir()
    (tmp_path / "34.json").write_text(json.dumps(newer))
    problems, _, left_open = _application_set.check(
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path),
        spaces={"amap": "33"},
        needed=[],
        # The catalogue: one is not built.
        without={"33": [], "34": [], "35": []},
        asked={},
        named=["calendar", "files"],
    )
    assert problems == []
    assert left_open == {"34": ["new", "tasks"]}


def test_a_wish_of_one_space_that_its_release_cannot_fulfil_is_named(tmp_path):
    (tmp_path / "33").mkdir()
    (tmp_path / "33.json").write_text(json.dumps(MANIFEST))
    problems, _, _ = _application_set.check(
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path),
        spaces={"amap": "33", "chorale": "33"},
        needed=["calendar"],
        # Going without it is no answer to who asks for it.
        without={"33": ["registration"]},
        asked={"amap": ["registration"], "chorale": ["calendar"]},
        named=[],
    )
    assert len(problems) == 1
    assert problems[0].startswith("amap: its file asks for registration, and release 33 holds no")


def test_a_space_not_upgraded_yet_is_asked_about_the_release_it_runs(tmp_path):
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    (tmp_path / "spaces" / "amap" / "release").symlink_to("../../releases/32")
    spaces = {"amap": "33", "new": "33"}
    root = str(tmp_path / "spaces")
    assert _application_set.releases_in_use(root, spaces) == ["32", "33"]


class TestWhatCouldNotBeHad:
    """A release that was built without an application: its spaces do without."""

    @pytest.fixture
    def releases(self, tmp_path: Path) -> str:
        for name, left_out in {
            "34.0.4": {"deck": "HTTP 500", "registration": "gone"},
            "33": {},
        }.items():
            manifest = {**MANIFEST, "left_out": left_out}
            (tmp_path / name).mkdir()
            (tmp_path / f"{name}.json").write_text(json.dumps(manifest))
        (tmp_path / "broken.json").write_text("{")
        return str(tmp_path)

    def test_is_added_to_what_the_catalogue_says(self, releases: str):
        without = {"34.0.4": ["forms"], "33": ["notes"], "35": []}
        assert _application_set.without_on(releases, without) == {
            "34.0.4": ["deck", "forms", "registration"],
            "33": ["notes"],
            "35": [],
        }

    def test_ends_no_run_and_is_said(self, releases: str, tmp_path: Path):
        given: dict[str, Any] = {
            "root": str(tmp_path / "spaces"),
            "releases": releases,
            "without": {"34.0.4": []},
            "named": ["files", "calendar"],
            "spaces": {"amap": "34.0.4"},
            "asked": {"amap": ["registration"]},
        }
        problems, without, _ = _application_set.check(**given, needed=["calendar", "deck"])
        assert (problems, without) == ([], {"34.0.4": ["deck"]})
        problems, _, _ = _application_set.check(**given, needed=["calendar", "deck", "polls"])
        assert [problem.split(",")[0] for problem in problems] == ["release 34.0.4 lacks polls"]


def test_a_damaged_manifest_is_a_sentence_among_the_others(tmp_path: Path):
    """It ended the module with a trace, and said nothing of the other releases."""
    for name, text in (("33", "{"), ("34", json.dumps(MANIFEST))):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.json").write_text(text)
    problems, _without, _open = _application_set.check(
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path),
        spaces={"amap": "33", "velo": "34"},
        needed=["deck"],
        without={},
        asked={},
        named=["deck", "files", "calendar"],
    )
    assert [problem.partition("33.json")[2][:11] for problem in problems[:1]] == [" is damaged"]
    assert problems[1].startswith("release 34 lacks deck")
