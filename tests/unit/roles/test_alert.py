# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that tells of failed units: everybody, and nobody a thousand times."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

PAGE = "https://docs.example.org/alerts/{unit}.html"
PROGRAM = """#!/bin/sh
{{ echo "unit $1"; cat; }} >> {heard}
exit {code}
"""


@pytest.fixture
def alert(load, tmp_path, monkeypatch) -> ModuleType:
    """The program, with a folder and a record of its own."""
    module = load("roles/common/files/alert.py")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "alert.d")
    monkeypatch.setattr(module, "RECORD", tmp_path / "run/alerts.json")
    monkeypatch.setattr(module, "tail", lambda unit: f"last line of {unit}\n")
    (tmp_path / "alert.d").mkdir()
    return module


def program(folder: Path, name: str, code: int = 0) -> Path:
    """Put a program there that writes down what it hears."""
    heard = folder / f"{name}.heard"
    path = folder / "alert.d" / name
    path.write_text(PROGRAM.format(heard=heard, code=code))
    path.chmod(0o755)
    return heard


def test_each_program_is_told_with_the_last_lines(alert, tmp_path, capsys):
    first, second = program(tmp_path, "a", code=1), program(tmp_path, "b")
    (tmp_path / "alert.d/notes").write_text("no program")
    assert alert.main("space-php@amap.service", PAGE) == 1
    lines = (
        "unit space-php@amap.service\n"
        "What to do: https://docs.example.org/alerts/space-php.html\n"
        "last line of space-php@amap.service\n"
    )
    for heard in (first, second):
        assert heard.read_text() == lines
    assert capsys.readouterr().out.startswith("<2>space-php@amap.service failed")


def test_without_programs_the_journal_has_it(alert, capsys):
    assert alert.main("archipel-backup.service", PAGE) == 0
    said = capsys.readouterr().out
    assert "<2>archipel-backup.service failed" in said
    assert "what to do: https://docs.example.org/alerts/archipel-backup.html" in said


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("nginx", "nginx"),
        ("archipel-backup.service", "archipel-backup"),
        ("space-php@velo-ecole.service", "space-php"),
        ("onlyoffice-docservice@onlyoffice1", "onlyoffice-docservice"),
    ],
)
def test_units_of_one_kind_have_one_page(alert, unit, kind):
    assert alert.kind_of(unit) == kind


def test_a_machine_full_of_failures_tells_a_few_times(alert, tmp_path, monkeypatch, capsys):
    """A broken extension of PHP stops each space that wakes, one after the other."""
    heard = program(tmp_path, "mail")
    moments = iter(range(1000, 1000 + 200))
    monkeypatch.setattr(alert.time, "time", lambda: float(next(moments)))
    for number in range(100):
        assert alert.main(f"space-php@s{number}.service", PAGE) == 0
    text = heard.read_text()
    assert text.count("unit space-php@") == alert.MOST
    assert text.count("Further failures of this kind") == 1
    assert text.endswith(alert.MORE)
    # All are in the journal, and another kind of failure is heard.
    assert capsys.readouterr().out.count("failed: journalctl") == 100
    assert alert.main("archipel-backup.service", PAGE) == 0
    assert "unit archipel-backup.service" in heard.read_text()


@pytest.mark.parametrize("text", ["{", '{"space-php": [1]', "[]", '{"space-php": "x"}', "\0"])
def test_a_record_that_cannot_be_read_keeps_nobody_from_hearing(alert, tmp_path, text):
    """A node that lost power may leave half of one behind."""
    heard = program(tmp_path, "mail")
    alert.RECORD.parent.mkdir()
    alert.RECORD.write_text(text)
    assert alert.main("space-php@amap.service", PAGE) == 0
    assert "unit space-php@amap.service" in heard.read_text()


def test_a_record_that_cannot_be_written_keeps_nobody_from_hearing(alert, tmp_path, capsys):
    heard = program(tmp_path, "mail")
    alert.RECORD.mkdir(parents=True)
    assert alert.main("space-php@amap.service", PAGE) == 0
    assert "unit space-php@amap.service" in heard.read_text()
    assert "alerts.json" in capsys.readouterr().out


def test_an_hour_later_it_is_told_again(alert):
    moments: list[float] = []
    for now in range(10):
        moments = alert.count(moments, float(now))
    assert moments == [float(n) for n in range(alert.MOST)]
    assert alert.count(moments, alert.WITHIN + 0.5)[-1] == alert.WITHIN + 0.5
