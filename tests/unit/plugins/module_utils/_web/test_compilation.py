# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Programs of PHP that compile: what they say, where they stop, that they come to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._web import _compilation


def program(tmp_path: Path, script: str) -> str:
    """Return a program that does as a test wants."""
    path = tmp_path / "php"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def names(tmp_path: Path) -> str:
    """Return a list of one file."""
    path = tmp_path / "files-0"
    path.write_text("/srv/a.php\n")
    return str(path)


def test_php_says_how_many_files_it_took(tmp_path, names, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    php = program(tmp_path, "echo 1 1")
    assert _compilation.compile_with_cli(php, str(tmp_path), [names]) == 1


def test_a_php_that_hangs_is_given_up(tmp_path, names, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(_compilation, "COMPILE_SECONDS", 0.2)
    php = program(tmp_path, "exec sleep 60")
    with pytest.raises(_compilation.CompilationError, match=r"php has not ended in 0\.2 s"):
        _compilation.compile_with_cli(php, str(tmp_path), [names])


def test_a_php_fpm_that_does_not_stop_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(_compilation, "START_SECONDS", 2.0)
    php = program(tmp_path, f"trap '' TERM; touch {tmp_path}/socket; while :; do sleep 0.1; done")
    with _compilation.run_fpm(php, str(tmp_path), str(tmp_path), 1):
        assert (tmp_path / "socket").exists()


def test_a_php_fpm_that_does_not_start_says_why(tmp_path):
    php = program(tmp_path, "echo 'unknown option' >&2; exit 78")
    with (
        pytest.raises(_compilation.CompilationError, match="did not start: unknown option"),
        _compilation.run_fpm(php, str(tmp_path), str(tmp_path), 1),
    ):
        pass


def test_what_php_says_instead_of_a_number_is_passed_on():
    with pytest.raises(_compilation.CompilationError, match="no such function"):
        _compilation.parse_answer("php8.4", "", "Fatal error: no such function")


def test_a_file_that_php_gives_up_at_is_left_out(tmp_path):
    names = tmp_path / "files-0"
    names.write_text("a\nb\nc\nd\n")
    asked = []

    def ask(_names: str, start: int) -> tuple[int, int]:
        asked.append(start)
        return (1, 1) if start == 0 else (2, 4)

    assert _compilation.compile_list(str(names), ask) == 3
    assert asked == [0, 2]
