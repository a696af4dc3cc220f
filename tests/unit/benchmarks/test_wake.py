# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark of waking compares, and what it makes of its turns."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.benchmarks import bench_wake
from tests.benchmarks.wake import node

UNIT = Path(__file__).resolve().parents[3] / (
    "roles/spaces/templates/etc/systemd/system/space-php@.service.j2"
)


def wakes(*seconds: float) -> list[dict[str, float]]:
    return [dict.fromkeys(bench_wake.COLUMNS, one) for one in seconds]


def test_settings_are_made_of_the_unit_of_the_role():
    found = bench_wake.variants(UNIT.read_text(encoding="utf-8"), {"mine": {"a": "b"}})
    assert list(found) == [
        "as it is",
        "without compiled code",
        "not waiting for Redis",
        "mine",
    ]
    assert found["as it is"] == {}
    alone = found["not waiting for Redis"][bench_wake.PHP]
    assert alone.startswith("[Service]\nExecStart=\nExecStart=/usr/sbin/php-fpm")
    assert "opcache.preload" not in alone
    assert "--fpm-config" in alone


def test_a_unit_that_starts_php_otherwise_ends_the_benchmark():
    """The setting without it would be the present one, and look like no gain."""
    with pytest.raises(ValueError, match=r'has "ExecStart=/usr/bin/other"; expected: '):
        bench_wake.variants("[Service]\nExecStart=/usr/bin/other\n", {})


def test_ratios_are_those_of_turns():
    """A second that was slow for both says nothing of either."""
    present, other = wakes(1.0, 4.0, 1.0), wakes(0.5, 2.0, 0.6)
    assert bench_wake.ratio(other, present, "asleep") == 0.5
    assert bench_wake.middle(present, "asleep") == 1.0


def test_the_table_has_a_line_for_each_setting():
    found = {"as it is": wakes(0.4, 0.6), "mine": wakes(0.2, 0.3)}
    heading, *lines = bench_wake.table(found)
    assert heading.split()[:3] == ["redis", "php", "asleep"]
    assert [line.split()[-1] for line in lines] == ["1.00", "0.50"]
    assert "500 ms" in lines[0]
    assert "250 ms" in lines[1]


def test_turns_in_which_a_page_failed_are_counted_and_left_out():
    found: dict[str, list[bench_wake.Wake | None]] = {
        "as it is": [*wakes(0.4, 0.4)],
        "mine": [*wakes(0.2), None],
        "broken": [None, None],
    }
    _heading, _present, mine, broken = bench_wake.table(found)
    assert mine.split()[-2:] == ["1", "0.50"]
    assert "200 ms" in mine
    assert broken.split()[-2:] == ["2", "nan"]


def test_a_page_fails_with_a_setting_alone(monkeypatch: pytest.MonkeyPatch):
    """Ours must serve: a benchmark that passed over a failure of it would hide a fault."""

    def fail(_domain: str, _slug: str) -> node.Wake:
        raise RuntimeError("answers 500")

    monkeypatch.setattr(node, "wake", fail)
    assert node.attempt("x.localhost", "one", {"space-php@.service": "[Service]"}) is None
    with pytest.raises(RuntimeError, match="500"):
        node.attempt("x.localhost", "one", {})


def test_every_setting_has_its_turn_and_each_is_first_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    used: list[list[str]] = []
    monkeypatch.setattr(node, "UNITS", tmp_path)
    monkeypatch.setattr(node, "systemctl", lambda *_arguments: "")

    def wake(_domain: str, slug: str) -> dict[str, float]:
        used.append([slug, *sorted(path.read_text() for path in tmp_path.glob("*.d/*"))])
        return {"asleep": 1.0}

    monkeypatch.setattr(node, "wake", wake)
    variants: node.Variants = {"present": {}, "other": {"space-php@.service": "[Service]"}}
    found = node.measure("x.localhost", ["one", "two"], 2, variants)
    assert used == [["one"], ["one", "[Service]"], ["two", "[Service]"], ["two"]]
    assert {name: len(wakes) for name, wakes in found.items()} == {"present": 2, "other": 2}
    # Nothing of it is left.
    assert list(tmp_path.iterdir()) == []


def test_units_are_left_as_they_were_if_a_space_does_not_wake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(node, "UNITS", tmp_path)
    monkeypatch.setattr(node, "systemctl", lambda *_arguments: "")

    def wake(_domain: str, _slug: str) -> dict[str, float]:
        raise RuntimeError("502")

    monkeypatch.setattr(node, "wake", wake)
    variants: node.Variants = {"other": {"space-php@.service": "[Service]"}, "present": {}}
    with pytest.raises(RuntimeError, match="502"):
        node.measure("x.localhost", ["one"], 1, variants)
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_does_not_stop_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch):
    """What is awake already would look fast."""
    monkeypatch.setattr(node, "systemctl", lambda *_arguments: "active")
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with pytest.raises(TimeoutError, match="space-redis@one"):
        node.sleep("one")
