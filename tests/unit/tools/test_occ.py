# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""occ as the demo runs it: secrets in no command line, and errors with what was said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tools import occ
from tools.lab import LabError

ENVIRONMENT = Path("inventories/demo")
# Says what it was called with, and what it finds as the secret.
PROGRAM = f"""#!/bin/bash
set -eu
printf '%s\\n' "$@" > "$(dirname "$0")/arguments"
printf '%s' "${{{occ.SECRET}}}" > "$(dirname "$0")/secret"
cat "$(dirname "$0")/answer"
echo complaint >&2
exit "$(cat "$(dirname "$0")/code")"
"""


class Ansible:
    """A program of that name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ansible").write_text(PROGRAM, encoding="utf-8")
        (folder / "ansible").chmod(0o755)

    def answers(self, text: str, code: int = 0) -> None:
        (self.folder / "answer").write_text(text, encoding="utf-8")
        (self.folder / "code").write_text(str(code), encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture
def ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ansible:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Ansible(tmp_path)


def result(**values: object) -> str:
    return json.dumps({"plays": [{"tasks": [{"hosts": {"velo-ecole": values}}]}]})


def test_what_occ_printed_is_returned_and_a_secret_is_in_no_command_line(ansible: Ansible):
    ansible.answers(result(stdout="done"))
    command = "user:add --password-from-env nadia"
    assert occ.run(ENVIRONMENT, "velo-ecole", command, secret="hush") == "done"
    assert ansible.read("secret") == "hush"
    arguments = ansible.read("arguments").splitlines()
    assert "hush" not in ansible.read("arguments")
    assert arguments[:5] == ["-i", "inventories/demo", "velo-ecole", "-m", "archipel.spaces.occ"]
    told = json.loads(arguments[-1])
    assert told == {"args": command, "environment": {"OC_PASS": occ.FROM_ENVIRONMENT}}


def test_without_a_secret_there_is_none(ansible: Ansible):
    ansible.answers(result(stdout="{}"))
    assert occ.run(ENVIRONMENT, "velo-ecole", "user:list") == "{}"
    assert json.loads(ansible.read("arguments").splitlines()[-1]) == {"args": "user:list"}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (result(failed=True, stdout="", msg="occ ended with 1: no such account"), 2, "no such"),
        (result(unreachable=True, msg="Failed to connect: refused"), 4, "Failed to connect"),
        ("", 1, "complaint"),
        ("[ERROR] no host matches", 1, "complaint"),
        (result(skipped=True), 0, "complaint"),
        (json.dumps({"plays": []}), 0, "complaint"),
    ],
)
def test_what_went_wrong_is_said(ansible: Ansible, answer: str, code: int, said: str):
    ansible.answers(answer, code)
    with pytest.raises(LabError, match=f"velo-ecole: occ user:list: .*{said}"):
        occ.run(ENVIRONMENT, "velo-ecole", "user:list")


def test_a_node_that_never_answers_is_an_error(monkeypatch: pytest.MonkeyPatch):
    def wait(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("ansible", timeout)

    monkeypatch.setattr(subprocess, "run", wait)
    with pytest.raises(LabError, match="velo-ecole: occ user:list: no answer in 300 s"):
        occ.run(ENVIRONMENT, "velo-ecole", "user:list")
