# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that reports what spaces use."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

GIB = 1 << 30
SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="[^"\\\n]*",?)+)\})? (-?[0-9.e+]+)')


@pytest.fixture
def program(load) -> ModuleType:
    return load("roles/quotas/files/usage.py")


@pytest.fixture
def spaces(program):
    return {
        "amap": program.Usage(8 * GIB, 10 * GIB, 10, 655360),
        "velo-ecole": program.Usage(0, 40 * GIB, 1, 2621440),
        "photo-club": program.Usage(1, 10 * GIB, 655360, 655360),
        "unlimited": program.Usage(5, 0, 1, 0),
    }


@pytest.mark.parametrize(
    ("slug", "percent"), [("amap", 80), ("velo-ecole", 0), ("photo-club", 100), ("unlimited", 0)]
)
def test_the_fuller_of_bytes_and_files_counts(spaces, slug, percent):
    assert spaces[slug].percent == percent


def test_the_report_names_what_is_above_each_threshold(program, spaces):
    report = program.report(spaces, [80, 95], 0, enforced=True)
    assert report["time"] == "1970-01-01T00:00:00Z"
    assert report["enforced"] is True
    assert {slug: space["above"] for slug, space in report["spaces"].items()} == {
        "amap": [80],
        "velo-ecole": [],
        "photo-club": [80, 95],
        "unlimited": [],
    }
    assert report["spaces"]["amap"]["limit_bytes"] == 10 * GIB


def test_metrics_are_what_prometheus_reads(program, spaces):
    """Each family has its HELP and TYPE once, before its samples, and ends with a new line."""
    text = program.metrics(True, spaces, [80, 95], 1e9)
    assert text.endswith("\n")
    family, seen, samples = "", set(), {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {family} gauge"
        else:
            match = SAMPLE.fullmatch(line)
            assert match is not None and match[1] == family, line
            samples[line.rpartition(" ")[0]] = float(match[3])
    assert samples['archipel_space_storage_limit_bytes{space="amap"}'] == 10 * GIB
    assert samples['archipel_space_storage_above{space="amap",percent="80"}'] == 1
    assert samples['archipel_space_storage_above{space="amap",percent="95"}'] == 0
    assert samples["archipel_storage_limits_enforced"] == 1


def test_the_table_begins_with_the_fullest(program, spaces):
    rows = program.table(spaces).splitlines()
    assert [row.split()[0] for row in rows[1:3]] == ["photo-club", "amap"]
    assert "8.00 GB" in rows[2]


def test_a_space_is_a_folder_with_a_user_of_its_name(program, monkeypatch, tmp_path):
    for name in ("amap", "velo-ecole", "Hostile\n", 'a"b', "lost+found", "no-user"):
        (tmp_path / name).mkdir()
    users = {"space-amap": 70001, "space-velo-ecole": 70002, 'space-a"b': 70009, "root": 0}
    rows = [SimpleNamespace(pw_name=name, pw_uid=number) for name, number in users.items()]
    monkeypatch.setattr(sys.modules["_spaces_report"].pwd, "getpwall", lambda: rows)
    assert program.projects(tmp_path) == {"amap": 70001, "velo-ecole": 70002}


def test_files_are_replaced_whole_and_anybody_may_read_them(program, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "read", lambda _root: (True, {"amap": program.Usage(1, 2, 3, 4)}))
    old = tmp_path / "usage.json"
    old.write_text("old")
    with old.open() as reader:
        command = ["usage", f"--report={tmp_path}", f"--metrics={tmp_path}", "--percent=80"]
        monkeypatch.setattr(sys, "argv", command)
        assert program.main() == 0
        assert reader.read() == "old"
    assert json.loads(old.read_text())["spaces"]["amap"]["used_bytes"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archipel_usage.prom", "usage.json"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_without_a_place_to_write_it_prints_the_table(program, monkeypatch, capsys):
    monkeypatch.setattr(program, "read", lambda _root: (True, {"amap": program.Usage(1, 2, 3, 4)}))
    monkeypatch.setattr(sys, "argv", ["usage"])
    program.main()
    assert "amap" in capsys.readouterr().out


def test_a_machine_without_spaces_has_nothing_to_report(program, tmp_path):
    assert program.read(tmp_path / "spaces") == (False, {})
