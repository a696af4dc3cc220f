# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""CI's script with a make that only says what it was asked, and fails where a test wants it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.environment import ROOT

OTHERS = "lifecycle quota upgrade"
MAKE = """\
#!/bin/sh
# A real make: what is asked comes after options.
lab={lab}
case "$*" in
*scenario-names) cat "$lab/names" ;;
*) echo "$*" >>"$lab/calls"
   if grep -qxF "$*" "$lab/slow" 2>/dev/null; then sleep 2; fi
   if grep -qxF "$*" "$lab/fails" 2>/dev/null; then exit 2; fi ;;
esac
"""
# What the README tells everybody to run, with the unit tests measured: CI holds the floor of
# their coverage.
TEST = "test UNIT=coverage"


def molecule(name: str) -> str:
    return f"molecule SCENARIO={name}"


@dataclass
class Ci:
    """The script beside a fake make."""

    lab: Path

    def write(self, name: str, *lines: str) -> None:
        (self.lab / name).write_text("".join(f"{line}\n" for line in lines))

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(self.lab / ".ci/run")],
            env={"PATH": f"{self.lab}:/usr/bin:/bin", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        path = self.lab / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def ci(tmp_path) -> Ci:
    found = Ci(tmp_path)
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/run").write_text((ROOT / ".ci/run").read_text(encoding="utf-8"))
    found.write("names", OTHERS)
    (tmp_path / "make").write_text(MAKE.format(lab=tmp_path))
    (tmp_path / "make").chmod(0o755)
    return found


def durations(text: str) -> list[str]:
    return re.findall(r"^ +\d+ s  (.+)$", text, re.MULTILINE)


def test_everything_runs_and_says_how_long_it_took(ci: Ci):
    done = ci.run()
    assert done.returncode == 0, done.stdout + done.stderr
    names = OTHERS.split()
    assert ci.calls() == [TEST, *map(molecule, names)]
    assert durations(done.stdout) == [
        "test",
        *(f"scenario {name}" for name in names),
        "in all",
    ]
    assert "Not run" not in done.stdout
    assert "Failed" not in done.stdout


def test_what_the_time_does_not_allow_is_named_as_a_notice(ci: Ci):
    ci.write("slow", TEST)
    done = ci.run(CI_LAST_START="1")
    assert done.returncode == 0
    assert ci.calls() == [TEST]
    assert f"Not run, the time was up: {OTHERS}\n" in done.stdout


def test_at_night_there_is_no_bound(ci: Ci):
    done = ci.run(CI_ALL="1")
    assert done.returncode == 0
    assert len(ci.calls()) == 4
    assert "Not run" not in done.stdout
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "|| LAST_START=$((24 * 60 * 60))\n" in text


def test_at_night_what_was_not_run_is_a_failure(ci: Ci):
    ci.write("slow", TEST)
    done = ci.run(CI_ALL="1", CI_LAST_START="1")
    assert done.returncode == 1
    assert ci.calls() == [TEST]
    assert f"Not run, the time was up (a failure): {OTHERS}\n" in done.stdout


def test_at_night_every_scenario_is_heard_and_one_that_fails_is_a_failure(ci: Ci):
    ci.write("fails", molecule("lifecycle"), molecule("quota"))
    done = ci.run(CI_ALL="1")
    assert done.returncode == 1
    assert len(ci.calls()) == 4
    assert "Failed: scenario lifecycle scenario quota\n" in done.stdout
    assert "scenario quota  FAILED (2)" in durations(done.stdout)


@pytest.mark.parametrize("step", [TEST, molecule("lifecycle"), molecule("quota")])
def test_a_change_has_its_answer_at_the_first_failure(ci: Ci, step: str):
    ci.write("fails", step)
    done = ci.run()
    assert done.returncode != 0
    assert ci.calls()[-1] == step
    assert durations(done.stdout)[-2].endswith("FAILED (2)")


def test_test_fails_first_at_night_too(ci: Ci):
    ci.write("fails", TEST)
    done = ci.run(CI_ALL="1")
    assert done.returncode != 0
    assert ci.calls() == [TEST]
    # What was not begun is a failure by the exit code, and named.
    assert f"Not run: {OTHERS}\n" in done.stdout


def test_what_was_not_begun_after_a_failure_is_named(ci: Ci):
    ci.write("fails", molecule("lifecycle"))
    done = ci.run()
    assert done.returncode != 0
    assert "Not run: quota upgrade\n" in done.stdout


def test_no_scenarios_at_all_is_an_error(ci: Ci):
    ci.write("names", "")
    done = ci.run()
    assert done.returncode == 1
    assert "names no scenario" in done.stderr
    assert ci.calls() == []


def test_the_bound_leaves_time_for_the_longest_scenario():
    """CI ends after 90 minutes; a scenario takes up to 43."""
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (minutes,) = re.findall(r"CI_LAST_START:-\$\(\((\d+) \* 60\)\)", text)
    assert int(minutes) + 43 < 90
