# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same bad input for a reader of French: one language in a sentence, and nothing above it."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages
from tests.unit.environment import Environment
from tests.unit.plugins.inventory.test_bad_input import CASES

# Words that no French sentence has; what stands in code or quotes is what people wrote.
ENGLISH = re.compile(r"\b(?:the|and|with|found|allowed|missing|cannot|take|from|its|this|was|of)\b")
QUOTED = re.compile(r"`[^`]*`|«[^»]*»|\([^)]*\)|\S*/\S*|\bfile\b")


@pytest.fixture(autouse=True)
def _no_language(monkeypatch: pytest.MonkeyPatch):
    """Leave none chosen behind."""
    monkeypatch.setattr(_messages._Choice, "language", "")


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_said_in_french(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, case: str
):
    breaks, place, _text = CASES[case]
    breaks(environment)
    monkeypatch.setenv("LANGUAGE", "fr")
    told = [one for one in environment.problems() if one.startswith(place)]
    assert len(told) == 1
    said = QUOTED.sub("", told[0].removeprefix(place))
    assert ENGLISH.findall(said) == [], told[0]
    assert re.search(r"\u00a0:|\u202f;", told[0]), "typeset as French is"


def test_english_would_be_found():
    assert ENGLISH.findall("found x; allowed: a text of the kind") == [
        "found",
        "allowed",
        "of",
        "the",
    ]


@pytest.mark.parametrize(
    ("policy", "terminal", "expected"),
    [
        ({"archipel_language": "fr"}, "en", "Vouliez-vous dire «\u00a0approved\u00a0»\u202f?"),
        ({"archipel_language": "en"}, "fr", 'Did you mean "approved"?'),
        ({}, "fr_FR.UTF-8", "Vouliez-vous dire «\u00a0approved\u00a0»\u202f?"),
        ({}, "C.UTF-8", 'Did you mean "approved"?'),
    ],
)
def test_the_environment_has_the_word_before_the_terminal(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    policy: dict[str, str],
    terminal: str,
    expected: str,
):
    environment.policy(**policy)
    environment.space("velo-ecole", status="aproved")
    monkeypatch.setenv("LANGUAGE", terminal)
    (problem,) = environment.problems()
    assert problem.endswith(expected)


def test_a_language_that_there_is_not_is_refused(environment: Environment):
    environment.policy(archipel_language="klingon")
    assert any(
        'archipel_language: found "klingon"; allowed: fr or en.' in one
        for one in environment.problems()
    )


def test_a_command_of_ansible_says_it(environment: Environment):
    environment.space("velo-ecole", status="aproved", limits={"accounts": "x"})
    done = environment.command(
        "ansible-inventory", "-e", json.dumps({"archipel_language": "fr"}), "--list"
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 4
    assert lines[0].startswith("[ERROR]: 2 problèmes dans le registre de ")
    assert lines[0].endswith("\u202f; rien n’a été modifié.")
    assert len(lines) == 3, "nothing of other plugins"


class TestTheFileOfTheInventory:
    """Where the project's own settings are read, one sentence says it."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("plugin: archipel.spaces.registry\n  registry: [x\n", "spaces.yml:2: YAML parsing"),
            ("plugin: archipel.spaces.registri\n", "spaces.yml: Incorrect plugin name in file"),
            ("registry: elsewhere\n", "spaces.yml: Incorrect plugin name in file: none found"),
            ("", "spaces.yml: "),
            (
                "plugin: archipel.spaces.registry\non_invalid: perhaps\n",
                "spaces.yml: Invalid value 'perhaps' for config 'on_invalid'",
            ),
            (
                "plugin: archipel.spaces.registry\nregistri: x\n",
                'spaces.yml: registri: unknown option. Did you mean "registry"?',
            ),
        ],
    )
    def test_one_sentence(self, environment: Environment, text: str, expected: str):
        environment.write("spaces.yml", text)
        done = environment.command("ansible-inventory", "--list")
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 4
        assert len(lines) == 2, done.stderr
        assert expected in lines[1]
        assert "unknown option" in lines[1] or "allowed: `plugin: archipel.sp" in lines[1]

    def test_a_good_one_says_nothing(self, environment: Environment):
        environment.space("velo-ecole")
        done = environment.command("ansible-inventory", "--list")
        assert (done.returncode, done.stderr) == (0, "")
        found: dict[str, t.Any] = json.loads(done.stdout)
        assert "velo-ecole" in found["_meta"]["hostvars"]


@pytest.mark.parametrize(
    ("module", "package"),
    [("jsonschema_rs", "jsonschema-rs"), ("publicsuffixlist", "publicsuffixlist")],
)
def test_a_package_that_is_missing_is_one_sentence(
    environment: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    package: str,
):
    (tmp_path / f"{module}.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = environment.command("ansible-inventory", "--list")
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert line == (
        f"[ERROR]: the Python package {package} is missing; install it where Ansible runs: "
        "pip install -r requirements.txt"
    )
