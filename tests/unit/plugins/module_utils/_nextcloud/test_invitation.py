# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""New invitations: what the application is asked, and what its answers mean."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _install,
    _invitation,
    _node,
    _occ,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._invitation import Outcome

ADMIN = {"uid": "administration", "email": "bureau@amap.example"}
ITEM = {"space": "amap", "release": "33.0.9", "admin": ADMIN, "by_mail": True, "again": False}
LETTER = {
    "to": "bureau@amap.example",
    "subject": "Votre espace",
    "until": 1796385900,
    "body": "x\n",
}
SENT = {
    "to": "bureau@amap.example",
    "last_login": 0,
    "left": False,
    "changes": ["give administration the address x", "invite administration"],
    "errors": [],
    "invitation": LETTER,
}
NO_RELAY = "invite administration: not accepted for bureau@amap.example: connection refused"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _node.Node:
    """A node with one space that is installed, and runs an application that can invite."""
    base = tmp_path / "spaces/amap"
    (base / "config").mkdir(parents=True)
    (base / "config/config.php").write_text(
        "<?php\n$CONFIG = array (\n  'installed' => true,\n);\n"
    )
    (tmp_path / "releases").mkdir()
    manifest = {"applications": {"archipel": {"version": "0.6.0"}}}
    (tmp_path / "releases/33.0.9.json").write_text(json.dumps(manifest))
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(_journal, "FOLDER", str(tmp_path))
    monkeypatch.setattr(_journal, "LOCKS", str(tmp_path))
    monkeypatch.setattr(_journal, "under_way", lambda _: "")
    return _node.Node(
        root=str(tmp_path / "spaces"),
        releases=str(tmp_path / "releases"),
        php="php",
        spool=str(tmp_path / "spool"),
        sandbox=[],
        seed_images="",
        database_socket="/s",
        database_ca="/ca",
        connect=lambda _: None,
        database_error=RuntimeError,
    )


class Occ:
    """Notes what is run, and answers."""

    def __init__(self, answer: object, code: int = 0) -> None:
        self.said = answer if isinstance(answer, str) else json.dumps(answer)
        self.code, self.calls = code, []  # type: ignore[var-annotated]

    def __call__(self, slug: str, _php: str, arguments: t.Any, **options: t.Any) -> _occ.Outcome:
        self.calls.append((slug, tuple(arguments), json.loads(options["stdin"])))
        return _occ.Outcome(self.code, self.said, "")


def run(
    monkeypatch: pytest.MonkeyPatch, node: _node.Node, occ: Occ, **item: t.Any
) -> dict[str, t.Any]:
    monkeypatch.setattr(_occ, "run", occ)
    check = bool(item.pop("check", False))
    report = _invitation.invite_all([{**ITEM, **item}], node, 2, check=check)
    return report.result()


def test_what_is_asked_and_what_is_said(node, monkeypatch):
    occ = Occ(SENT)
    result = run(monkeypatch, node, occ)
    wanted = {"admin": ADMIN, "by_mail": True, "again": False}
    assert occ.calls == [("amap", ("archipel:invite", "--input={input}"), wanted)]
    assert result["changed"] is True
    assert result["spaces"]["amap"] == [
        "give administration the address x",
        "invitation to bureau@amap.example by mail, its link works until 2026-12-04 12:05 UTC",
    ]
    assert (result["left"], result["failed_spaces"]) == ({}, {})


def test_check_mode_asks_and_keeps_nothing(node, monkeypatch):
    occ = Occ({**SENT, "invitation": None})
    result = run(monkeypatch, node, occ, check=True, by_mail=False)
    assert occ.calls[0][1][-1] == "--dry-run"
    (_, said) = result["spaces"]["amap"]
    assert said == f"invitation to bureau@amap.example in {node.spool}/amap.eml"
    assert list(Path(node.spool).iterdir()) == []


def test_without_a_relay_the_letter_is_kept(node, monkeypatch):
    kept: list[dict[str, t.Any]] = []
    monkeypatch.setattr(_files, "write_file", kept.append)
    run(monkeypatch, node, Occ(SENT), by_mail=False)
    assert [one["path"] for one in kept] == [f"{node.spool}/amap.eml"]


def test_a_letter_from_before_is_thrown_away_with_its_link(node, monkeypatch):
    old = Path(node.spool, "amap.eml")
    old.touch()
    run(monkeypatch, node, Occ({**SENT, "errors": [NO_RELAY], "invitation": None}, code=1))
    assert old.exists(), "it was not sent: the old one is all there is"
    run(monkeypatch, node, Occ(SENT))
    assert not old.exists()


def test_who_has_logged_in_is_left_alone():
    answer = {**SENT, "left": True, "last_login": 1796385900, "changes": [], "invitation": None}
    assert _invitation.outcome(ITEM, answer, "/spool") == Outcome(
        left="not invited: its first administrator was last there on 2026-12-04 12:05 UTC; "
        "-e again=true invites all the same"
    )


def test_what_no_relay_took_is_said_and_so_is_what_was_changed(node, monkeypatch):
    done = ["give administration the address x"]
    answer = {**SENT, "changes": done, "errors": [NO_RELAY], "invitation": None}
    result = run(monkeypatch, node, Occ(answer, code=1))
    assert result["failed_spaces"] == {"amap": NO_RELAY}
    assert result["spaces"] == {"amap": done}


@pytest.mark.parametrize("said", ["", "Nextcloud or one of the apps require upgrade"])
def test_any_other_failure_is_one(node, monkeypatch, said):
    result = run(monkeypatch, node, Occ(said, code=1))
    assert "amap" in result["failed_spaces"]
    assert result["changed"] is False


@pytest.mark.parametrize("version", ["0.5.0", "0.1.0"])
def test_an_application_that_knows_no_such_command_is_not_asked(
    node, tmp_path, monkeypatch, version
):
    manifest = {"applications": {"archipel": {"version": version}}}
    (tmp_path / "releases/33.0.9.json").write_text(json.dumps(manifest))
    occ = Occ(SENT)
    result = run(monkeypatch, node, occ)
    assert occ.calls == []
    assert f"built with the application archipel {version}" in result["failed_spaces"]["amap"]


@pytest.mark.parametrize("mark", [None, _install.JOURNAL])
def test_nobody_is_invited_where_there_is_nothing_yet(node, tmp_path, monkeypatch, mark):
    base = tmp_path / "spaces/amap"
    if mark is None:
        (base / "config/config.php").unlink()
    else:
        (base / mark).touch()
    result = run(monkeypatch, node, Occ(SENT))
    assert "playbooks/spaces.yml makes it" in result["failed_spaces"]["amap"]


def test_a_space_that_is_being_restored_is_left_alone(node, monkeypatch):
    monkeypatch.setattr(_journal, "under_way", lambda slug: f"{slug}: a restore is under way")
    occ = Occ(SENT)
    assert "restore" in run(monkeypatch, node, occ)["failed_spaces"]["amap"]
    assert occ.calls == []


@pytest.mark.parametrize(
    "answer", [{"message": "x"}, {**SENT, "changes": []}, {**SENT, "invitation": {"to": "x"}}]
)
def test_an_answer_that_nobody_understands_keeps_no_other_from_theirs(node, monkeypatch, answer):
    """Letters that were sent meanwhile are reported all the same."""
    base = Path(node.root)
    (base / "velo").symlink_to(base / "amap")
    answers = {"amap": answer, "velo": SENT}

    def run(slug: str, *_arguments: t.Any, **_options: t.Any) -> _occ.Outcome:
        return _occ.Outcome(0, json.dumps(answers[slug]), "")

    monkeypatch.setattr(_occ, "run", run)
    report = _invitation.invite_all([ITEM, {**ITEM, "space": "velo"}], node, 2, check=False)
    assert list(report.changes) == ["velo"]
    assert "answered something else" in report.failures["amap"]
