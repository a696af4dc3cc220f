# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Secrets of tenants on the disk of a node."""

from __future__ import annotations

import grp
import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _onlyoffice

GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's files become those of whoever runs the tests."""
    read, stage = _files.read_file, _files.stage

    def as_root(path: str) -> _files.State | None:
        state = read(path)
        return state and _files.State(state.content, 0, state.gid, state.mode)

    monkeypatch.setattr(_files, "read_file", as_root)
    monkeypatch.setattr(
        _files, "stage", lambda item: stage({**item, "uid": os.getuid(), "gid": os.getgid()})
    )


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Host → how many people edit there; of others, the shard does not say."""
    found = {"a.example": 0, "b.example": 0}
    monkeypatch.setattr(_onlyoffice, "count_editing", lambda port, host: found[host])
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for shard in ("first", "second"):
        (tmp_path / shard / "tenants").mkdir(parents=True)
    (tmp_path / "nginx").mkdir()
    return tmp_path


def wanted(
    place: Path, first: dict[str, str], second: dict[str, str] | None = None
) -> dict[str, t.Any]:
    return {
        "directory": str(place),
        "nginx_directory": str(place / "nginx"),
        "groups": {"first": GROUP, "second": GROUP},
        "secrets": {"first": first, "second": second or {}},
        "slugs": [["first", host, f"space-{host[0]}"] for host in first],
        "ports": {"first": 8101, "second": 8102},
        "rotate_while_open": False,
        "map": "".join(f"{host} first;\n" for host in first),
        "names": "server_name x;\n",
    }


def converge(state: dict[str, t.Any], check: bool = False) -> Report:
    return _onlyoffice.converge(state, check=check, diff=True)


def secret(place: Path, shard: str, host: str) -> Path:
    return place / shard / "tenants" / host / "secret.key"


def test_a_tenant_gets_its_secret_without_a_line_end(place: Path):
    report = converge(wanted(place, {"a.example": "one"}))
    file = secret(place, "first", "a.example")
    assert file.read_bytes() == b"one"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert report.changes["first/a.example"][0].endswith("created")
    assert (place / "nginx/tenants.map").read_text() == "a.example first;\n"


def test_a_second_run_changes_nothing(place: Path):
    converge(wanted(place, {"a.example": "one"}))
    report = converge(wanted(place, {"a.example": "one"}))
    assert (report.changes, report.node_changes, report.facts["rotated"]) == ({}, [], [])


def test_check_mode_says_the_same_and_does_nothing(place: Path):
    said = converge(wanted(place, {"a.example": "one"}), check=True)
    assert list((place / "first/tenants").iterdir()) == []
    done = converge(wanted(place, {"a.example": "one"}))
    assert (said.changes, said.node_changes) == (done.changes, done.node_changes)


def test_a_new_secret_is_told_as_a_rotation_and_never_shown(place: Path):
    converge(wanted(place, {"a.example": "one", "b.example": "two"}))
    report = converge(wanted(place, {"a.example": "hunter2", "b.example": "two"}))
    assert report.facts["rotated"] == ["first/a.example"]
    assert "hunter2" not in str(report.result())


@pytest.mark.parametrize("check", [False, True])
def test_a_new_secret_is_held_back_while_people_edit(
    place: Path, people: dict[str, int], check: bool
):
    converge(wanted(place, {"a.example": "one", "b.example": "two"}))
    people["a.example"] = 2
    state = wanted(place, {"a.example": "new", "b.example": "new", "c.example": "first of it"})
    report = converge(state, check=check)
    assert list(report.facts["refused"]) == ["space-a"]
    assert "people have documents open in it (2 of them)" in report.facts["refused"]["space-a"]
    assert "onlyoffice_rotate_while_open=true" in report.facts["refused"]["space-a"]
    # Everybody else's is replaced, and the name of the one stays.
    assert report.facts["rotated"] == ["first/b.example"]
    assert secret(place, "first", "a.example").read_text() == "one"
    if not check:
        assert "a.example first" in (place / "nginx/tenants.map").read_text()
        assert secret(place, "first", "b.example").read_text() == "new"


def test_a_shard_that_does_not_tell_is_no_permission(place: Path, people: dict[str, int]):
    converge(wanted(place, {"a.example": "one"}))
    people.clear()
    report = converge(wanted(place, {"a.example": "new"}))
    assert "first does not say whether documents are open" in report.facts["refused"]["space-a"]
    assert secret(place, "first", "a.example").read_text() == "one"


def test_the_operator_may_go_on_anyway(place: Path, people: dict[str, int]):
    converge(wanted(place, {"a.example": "one"}))
    people["a.example"] = 2
    report = converge({**wanted(place, {"a.example": "new"}), "rotate_while_open": True})
    assert (report.facts["refused"], report.facts["rotated"]) == ({}, ["first/a.example"])


def test_nobody_is_asked_about_a_secret_that_stays(place: Path, people: dict[str, int]):
    converge(wanted(place, {"a.example": "one"}))
    people["a.example"] = 2
    assert converge(wanted(place, {"a.example": "one"})).facts["refused"] == {}


def test_a_tenant_that_moved_is_taken_out_where_it_was(place: Path):
    converge(wanted(place, {"a.example": "one"}))
    report = converge(wanted(place, {}, {"a.example": "one"}))
    assert report.changes["first/a.example"] == ["removed"]
    assert not secret(place, "first", "a.example").parent.exists()
    assert secret(place, "second", "a.example").read_bytes() == b"one"


def test_check_mode_removes_nothing(place: Path):
    converge(wanted(place, {"a.example": "one"}))
    report = converge(wanted(place, {}), check=True)
    assert report.changes == {"first/a.example": ["removed"]}
    assert secret(place, "first", "a.example").exists()


def test_a_folder_with_something_else_in_it_is_kept_and_named(place: Path):
    converge(wanted(place, {"a.example": "one"}))
    other = secret(place, "first", "a.example").with_name("license.lic")
    other.write_text("mine")
    report = converge(wanted(place, {}))
    assert "license.lic" in report.failures["a.example"]
    assert other.exists()


def test_a_link_in_place_of_a_secret_is_replaced_not_followed(place: Path):
    outside = place / "outside"
    outside.write_text("precious")
    file = secret(place, "first", "a.example")
    file.parent.mkdir()
    file.symlink_to(outside)
    converge(wanted(place, {"a.example": "one"}))
    assert (outside.read_text(), file.is_symlink(), file.read_text()) == ("precious", False, "one")


def test_names_are_left_alone_where_a_secret_could_not_be_written(place: Path):
    secret(place, "first", "a.example").mkdir(parents=True)
    report = converge(wanted(place, {"a.example": "one"}))
    assert list(report.failures) == ["first/a.example"]
    assert not (place / "nginx/tenants.map").exists()
