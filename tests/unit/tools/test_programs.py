# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the programs that make calls say where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import ROOT

LANGUAGES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def test_a_host_without_php_is_told_what_to_install(tmp_path: Path):
    """Not Debian, for instance: there nothing installs it by itself."""
    for program in ("bash", "dirname"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    done = subprocess.run(
        ["bash", ROOT / "tools/check-php"],
        env={**os.environ, "PATH": str(tmp_path)},
        executable=str(tmp_path / "bash"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing on this host: php." in done.stderr
    assert "make php" in done.stderr


def environment(**variables: str) -> dict[str, str]:
    """The variables of this process, with no word of which language is read."""
    return {**{k: v for k, v in os.environ.items() if k not in LANGUAGES}, **variables}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ({}, ("These Debian packages are missing:", "Installing Debian packages:")),
        ({"LANG": "fr_FR.UTF-8"}, ("Il manque ces paquets", "Installation de paquets Debian")),
        ({"LANG": "C.UTF-8", "LANGUAGE": "fr:en"}, ("Il manque ces", "Installation de paquets")),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "de_DE.UTF-8"}, ("These Debian", "Installing Debian")),
    ],
)
def test_a_debian_without_a_package_is_told_in_the_terminals_language(
    tmp_path: Path, language: dict[str, str], words: tuple[str, str]
):
    """Root is told that they are installed, everybody else how to."""
    for program in ("dpkg-query", "apt-get"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    done = subprocess.run(
        [ROOT / "tools/host-packages", "python3-venv"],
        env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}", **language),
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert words[os.geteuid() == 0] in said
    assert "python3-venv" in said


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ({}, "Installing what it takes to check a registry into "),
        ({"LANG": "fr_FR.UTF-8"}, "Installation de ce qu’il faut pour vérifier un registre dans "),
        ({"LANG": "fr_FR.UTF-8", "LANGUAGE": "en"}, "Installing what it takes"),
    ],
)
def test_make_tells_contributors_in_their_language_what_takes_a_while(
    tmp_path: Path, language: dict[str, str], words: str
):
    done = subprocess.run(
        ["make", "-n", "check-registry", f"VENV={tmp_path}/no", f"CHECK_VENV={tmp_path}/check"],
        cwd=ROOT,
        env=environment(**language),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'echo "{words}' in done.stdout
