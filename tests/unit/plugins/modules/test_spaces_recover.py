# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the module refuses, and what it says of what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _recover,
    _restic,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _connections
from ansible_collections.archipel.spaces.plugins.modules import spaces_recover

Run = Callable[..., dict[str, Any]]
AMAP = {"slug": "amap", "web": "node2", "db": "node3"}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Run:
    """Return a way to run the module on a node that has nothing."""
    settings = SimpleNamespace(root=str(tmp_path), socket="/s", repository=None)
    monkeypatch.setattr(_backup, "read_settings", lambda: settings)
    monkeypatch.setattr(_backup, "is_space", lambda _settings, slug: slug == "amap")
    monkeypatch.setattr(_recover, "claims", lambda *_: {"velo": {"step": "fetch"}})
    monkeypatch.setattr(_recover, "last_backups", lambda _: {"amap": {"snapshot": "1"}})
    monkeypatch.setattr(_connections, "answering", lambda *words: [f"{words}"])

    def once(check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"lost": "node1", **options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            spaces_recover.main()
        return dict(json.loads(capsys.readouterr().out))

    return once


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stage": "claim", "spaces": [{"slug": "../x"}]}, "found the spaces ['../x']; allowed:"),
        ({"stage": "claim", "spaces": [{"slug": "amap"}]}, "amap: name web and db"),
        ({"stage": "restore", "spaces": [{"slug": "amap", "web": "a"}]}, "amap: name web and db"),
        ({"stage": "restore", "parallel": 0}, "parallel: found 0; allowed: a whole number above 0"),
        ({"stage": "burn"}, "value of stage must be one of: look, claim, restore, opened, fence"),
        ({"stage": "look", "spaces": [{"web": "a"}]}, "missing required arguments: slug"),
        ({"stage": "look", "ports": ["https"]}, "int"),
    ],
)
def test_what_means_nothing_is_refused(run: Run, options: dict[str, Any], said: str):
    done = run(**options)
    assert done["failed"]
    assert said in done["msg"]


def test_what_there_is_to_know(run: Run):
    done = run(stage="look", spaces=[{"slug": "amap"}, {"slug": "velo"}], addresses=["10.0.0.1"])
    assert not done["changed"]
    assert done["answers"] == ["(['10.0.0.1'], [22, 80, 443])"]
    assert (done["here"], done["unready"]) == (["amap"], "")
    assert (list(done["claims"]), list(done["backups"])) == (["velo"], ["amap"])


def test_a_node_that_reads_no_backups_says_why(run: Run, monkeypatch):
    def closed(_: object) -> None:
        raise _restic.ResticError("it was made with another key")

    monkeypatch.setattr(_recover, "last_backups", closed)
    done = run(stage="look")
    assert (done["unready"], done["backups"]) == ("it was made with another key", {})
    assert list(done["claims"]) == ["velo"]


def test_a_node_that_keeps_no_backups_restores_none(run: Run, monkeypatch):
    def missing() -> None:
        raise _backup.BackupError("this node keeps no backups yet")

    monkeypatch.setattr(_backup, "read_settings", missing)
    assert run(stage="look")["msg"] == "this node keeps no backups yet"


@pytest.mark.parametrize(
    ("stage", "act", "done", "said"),
    [
        ("claim", "claim", {"claimed": "5" * 64}, "claimed, to be restored from backup 55555555"),
        ("restore", "run", {"restored": ["restored from it"]}, "restored from it"),
        ("opened", "opened", {"opened": True}, "open again"),
        ("fence", "fence", {"fenced": "node2"}, "held down: it lives on node2"),
    ],
)
def test_what_was_done_is_said(run: Run, monkeypatch, stage: str, act: str, done: Any, said: str):
    asked: list[tuple[Any, ...]] = []

    def pretend(*words: Any) -> _backup.Outcome:
        asked.append(words[1:])
        return _backup.Outcome({"amap": done}, {"velo": "the reason"})

    monkeypatch.setattr(_recover, act, pretend)
    found = run(stage=stage, spaces=[AMAP])
    assert (found["changed"], found["spaces"]) == (True, {"amap": [said]})
    assert found["failed_spaces"] == {"velo": "the reason"}
    item = _recover.Item("amap", "node2", "node3")
    assert asked[0][0] == ({"amap": "node2"} if stage == "fence" else [item])
    assert item.distant
    asked.clear()
    would = run(check=True, stage=stage, spaces=[AMAP])
    assert (would["changed"], asked) == (True, [])
    assert would["spaces"]["amap"][0].startswith("would be ")


def test_what_goes_wrong_is_said_in_a_sentence(run: Run, monkeypatch):
    def fail(*_: Any) -> None:
        raise _restic.ResticError("the reason")

    monkeypatch.setattr(_recover, "claim", fail)
    assert run(stage="claim", spaces=[AMAP])["msg"] == "the reason"
