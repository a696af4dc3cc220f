# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The programs that roles put on machines, loaded as they run there."""

from __future__ import annotations

import importlib.util
import os
import sys
import typing as t
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def umask() -> t.Iterator[None]:
    """Programs set it for themselves; here they share a process with what comes after them."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], ModuleType]:
    """Return what loads a role's program, given its path, beside what is installed with it."""

    def loaded(path: str) -> ModuleType:
        program = ROOT / path
        for package in ("_core", "_system"):
            monkeypatch.syspath_prepend(str(ROOT / "plugins/module_utils" / package))
        monkeypatch.syspath_prepend(str(program.parent))
        # A name of its own: some programs are called as a module of ours is.
        name = f"program_{program.stem}"
        spec = importlib.util.spec_from_file_location(name, program)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return loaded
