# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""make check-registry: what the inventory says, in seconds, with what contributors have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from tests.unit.environment import ROOT, Environment
from tools import check_registry

NAME = re.compile(r"^[\w.-]+", re.MULTILINE)
# Ours as well as others'.
SHARED = {"ansible_collections", "tests", "tools"}


def named() -> set[str]:
    """Return the packages of requirements-check.txt and those that they need."""
    text = (ROOT / "requirements-check.txt").read_text(encoding="utf-8")
    wanted = {line for line in text.splitlines() if line and line[0] not in "#-"}
    queue, found = sorted(wanted), set()
    while queue:
        name = queue.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            needed = (one for one in requires(name) or () if "extra ==" not in one)
            queue += [NAME.findall(one)[0] for one in needed]
    return found


def test_a_right_one(environment: Environment, capsys: pytest.CaptureFixture[str]):
    assert check_registry.main([str(environment.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lab: 1 file, 1 approved.",
        "New (1): velo-ecole on node1, number 70000.",
        "Every file is right.",
    ]


def test_a_wrong_one(environment: Environment, capsys: pytest.CaptureFixture[str]):
    environment.space("velo-ecole", status="aproved")
    before = environment.tree()
    with pytest.raises(SystemExit) as end:
        check_registry.main([str(environment.root)])
    assert end.value.code == 4
    assert 'found "aproved"; allowed: requested' in capsys.readouterr().err
    assert environment.tree() == before


def test_one_that_goes_on_without_wrong_files(
    environment: Environment, capsys: pytest.CaptureFixture[str]
):
    environment.options(on_invalid="skip")
    environment.space("amap", status="aproved")
    assert check_registry.main([str(environment.root)]) == check_registry.WRONG
    said = capsys.readouterr()
    assert "Wrong, and left as they are until their file is right (1): amap." in said.out
    assert "Every file is right" not in said.out
    assert "amap.yml:3: status: found" in said.err


@pytest.mark.parametrize("name", ["dmo", "", "../nowhere", "registry/demo"])
def test_an_environment_that_there_is_not(name: str, capsys: pytest.CaptureFixture[str]):
    assert check_registry.main([name]) == check_registry.MISUSED
    said = capsys.readouterr().err
    assert f'found "{name}"; allowed: an environment, demo, production.example, or a fo' in said
    assert (name != "dmo") or 'Did you mean "demo"?' in said


def test_those_of_the_project_are_right(capsys: pytest.CaptureFixture[str]):
    assert set(check_registry.list_environments()) >= {"demo", "production.example"}
    assert check_registry.main(["demo", "production.example"]) == 0
    assert capsys.readouterr().out.endswith("Every file is right.\n")


def test_it_takes_no_tool_of_developers():
    """It works where nothing is but what requirements-check.txt names, or needs.

    Packages that are there may be looked for by others: what counts is that none is missed.
    """
    owners = packages_distributions()
    foreign = {
        module
        for module, packages in owners.items()
        if not named() & {one.lower().replace("_", "-") for one in packages}
    }
    program = f"""
import sys

FOREIGN = {sorted(foreign - SHARED)!r}

class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in FOREIGN:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing)
from tools import check_registry, space
sys.exit(check_registry.main(["demo"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Every file is right.\n")
    assert {"molecule", "mypy", "rich"} <= foreign


def test_its_packages_have_the_versions_of_all():
    text = (ROOT / "requirements-check.txt").read_text(encoding="utf-8")
    assert "--constraint requirements.txt" in text
    pinned = NAME.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    wanted = {line for line in text.splitlines() if line and line[0] not in "#-"}
    assert wanted <= set(pinned)
    assert "==" not in text


def test_a_forge_calls_it():
    for name in ("gitlab-ci.yml", "forgejo.yml", "github.yml"):
        text = (ROOT / "docs/examples/forge/changes" / name).read_text(encoding="utf-8")
        assert 'make check-registry ENV="$ARCHIPEL_ENVIRONMENT"' in text


def test_environments_are_found_by_their_file(tmp_path: Path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/spaces.yml").touch()
    (tmp_path / "two/spaces.yaml").touch()
    assert list(check_registry.list_environments(tmp_path)) == ["one", "two"]
