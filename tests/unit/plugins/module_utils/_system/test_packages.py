# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Packages: what dpkg says, and what counts as missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _packages

# The state has three letters: what is wanted, what is, and what is wrong.
STATES = {
    "nginx": "ii ",
    "libc6:amd64": "ii ",
    "held": "hi ",
    "removed": "rc ",
    "half": "iHR",
    "broken": "iiR",
}
SAID = "".join(f"{name} {state}\n" for name, state in STATES.items())


def test_what_is_installed_is_known_with_and_without_architecture():
    assert _packages.parse_installed(SAID) == {"nginx", "libc6", "libc6:amd64", "held"}


@pytest.fixture
def dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a dpkg-query first in PATH that knows what a file lists."""
    program = tmp_path / "dpkg-query"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/said\nexit 1\n')
    program.chmod(0o755)
    (tmp_path / "said").write_text(SAID)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_what_is_missing_is_named_once_and_sorted(dpkg: Path):
    wanted = ["redis-server", "nginx", "removed", "broken", "redis-server", "libc6"]
    assert _packages.list_missing(wanted) == ["broken", "redis-server", "removed"]
    assert (dpkg / "asked").read_text().endswith(f"-- {' '.join(wanted)}\n")


def test_nobody_is_asked_about_nothing(dpkg: Path):
    assert _packages.list_missing([]) == []
    assert not (dpkg / "asked").exists()


def test_an_index_is_a_list_of_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_packages, "LISTS", str(tmp_path / "lists"))
    assert not _packages.has_index()
    (tmp_path / "lists/partial").mkdir(parents=True)
    assert not _packages.has_index()
    (tmp_path / "lists/deb.example_dists_trixie_main_binary-amd64_Packages.lz4").touch()
    assert _packages.has_index()
