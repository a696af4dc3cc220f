# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is begun and not finished is known, and nobody else goes on."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from tests.unit.environment import ROOT

BEGUN = {"verb": "restore", "step": "load", "snapshot": "abc"}


def test_what_is_written_is_read(tmp_path: Path):
    folder = str(tmp_path / "life")
    assert _journal.read("amap", folder) is None
    assert _journal.under_way("amap", folder) == ""
    _journal.write("amap", BEGUN, folder)
    assert _journal.read("amap", folder) == BEGUN
    assert "playbooks/restore.yml -e only=amap" in _journal.under_way("amap", folder)
    _journal.remove("amap", folder)
    _journal.remove("amap", folder)
    assert _journal.read("amap", folder) is None


def test_a_journal_is_root_s_alone(tmp_path: Path):
    _journal.write("amap", BEGUN, str(tmp_path / "life"))
    assert stat.S_IMODE((tmp_path / "life").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "life/amap.json").stat().st_mode) == 0o600


def test_one_at_a_time(tmp_path: Path):
    with _journal.exclusive("life-amap", str(tmp_path)):
        second = _journal.exclusive("life-amap", str(tmp_path))
        with pytest.raises(_journal.JournalError, match="wait for its end"), second:
            raise AssertionError("two at a time")
        with _journal.exclusive("life-cine", str(tmp_path)):
            pass
    with _journal.exclusive("life-amap", str(tmp_path)):
        pass


@pytest.mark.parametrize(("wanted", "code"), [("restore:load", -9), ("restore:place", 0)])
def test_a_test_can_have_a_step_killed(tmp_path: Path, wanted: str, code: int):
    hook = tmp_path / "kill-at"
    hook.write_text(wanted)
    program = f"""
import sys
sys.path.insert(0, {str(ROOT / "collections")!r})
from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
_journal.KILL_AT = {str(hook)!r}
_journal.write("amap", {BEGUN!r}, {str(tmp_path / "life")!r})
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == code
    # The journal is there before anything is done, and the hook works once.
    assert _journal.read("amap", str(tmp_path / "life")) == BEGUN
    assert hook.exists() == (code == 0)


def test_a_journal_by_its_former_words_is_understood(tmp_path):
    """An upgrade that the code of before began is finished by the code of today."""
    before = {"verb": "upgrade", "step": "load", "why": "check: no", "told": True}
    _journal.save(str(tmp_path / "amap.json"), before)
    found = _journal.read("amap", str(tmp_path))
    assert found == {"verb": "upgrade", "step": "load", "reason": "check: no", "applied": True}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"verb": "restore"}'])
def test_a_journal_that_is_damaged_says_where_and_what_to_do(tmp_path, text):
    (tmp_path / "amap.json").write_text(text)
    with pytest.raises(_journal.JournalError, match=r"amap\.json is damaged.*restore\.yml"):
        _journal.read("amap", str(tmp_path))
    # Whoever asks about many spaces is not ended by it.
    assert "amap.json is damaged" in _journal.under_way("amap", str(tmp_path))
    assert _journal.exists("amap", str(tmp_path))
    assert not _journal.exists("velo", str(tmp_path))


def test_a_lock_that_was_removed_while_somebody_took_it_is_taken_anew(tmp_path, monkeypatch):
    """Else two would be at work on one space: a purge removes its lock."""
    path, taken = tmp_path / "life-amap.lock", _journal.taken
    removed: list[None] = []

    def remove_first(lock):
        if not removed:
            path.unlink()
            removed.append(None)
        return taken(lock)

    monkeypatch.setattr(_journal, "taken", remove_first)
    with _journal.exclusive("life-amap", str(tmp_path)):
        assert path.exists()
        with (
            pytest.raises(_journal.JournalError, match="another run holds"),
            _journal.exclusive("life-amap", str(tmp_path)),
        ):
            pass
