# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Groups, links, files that shall not be there, users and settings of the kernel."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _node_parts

Changes = _node_parts.Changes


class Programs:
    """Programs that a test puts first in PATH; each writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, *, says: str = "", code: int = 0) -> None:
        program = self.folder / name
        program.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {self.folder}/calls\n'
            f"cat >&2 <<'END'\n{says}\nEND\nexit {code}\n"
        )
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Programs(folder)


class TestGroups:
    @pytest.fixture(autouse=True)
    def _groups(self, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
        def find(name: str) -> SimpleNamespace:
            if name == "root" or f"groupadd --system -- {name}" in programs.calls:
                return SimpleNamespace(gr_gid=0 if name == "root" else 987)
            raise KeyError(name)

        monkeypatch.setattr(grp, "getgrnam", find)

    def test_one_that_is_there_is_left_alone(self, programs: Programs):
        changes: Changes = {}
        assert _node_parts.converge_groups(["root"], changes, check=False) == {"root": 0}
        assert (changes, programs.calls) == ({}, [])

    def test_one_that_is_missing_is_made(self, programs: Programs):
        programs.add("groupadd")
        changes: Changes = {}
        made = _node_parts.converge_groups(["archipel-db"], changes, check=False)
        assert made == {"archipel-db": 987}
        assert changes == {"group archipel-db": ["created"]}

    def test_check_mode_makes_none_and_knows_no_number(self, programs: Programs):
        programs.add("groupadd")
        changes: Changes = {}
        assert _node_parts.converge_groups(["archipel-db"], changes, check=True) == {}
        assert changes == {"group archipel-db": ["created"]}
        assert programs.calls == []

    def test_what_groupadd_says_is_told(self, programs: Programs):
        programs.add("groupadd", says="groupadd: cannot lock /etc/group", code=10)
        with pytest.raises(_node_parts.PartError, match=r"groupadd .*: cannot lock /etc/group"):
            _node_parts.converge_groups(["archipel-db"], {}, check=False)


class TestAbsent:
    @pytest.mark.parametrize("check", [True, False])
    def test_files_and_links_go_and_nothing_behind_them(self, tmp_path: Path, check: bool):
        target, link, file = (tmp_path / name for name in ("target", "link", "file"))
        target.touch()
        file.touch()
        link.symlink_to(target)
        paths = [str(link), str(file), str(tmp_path / "none")]
        changes: Changes = {}
        _node_parts.converge_absent(paths, changes, check=check)
        assert changes == {str(link): ["removed"], str(file): ["removed"]}
        assert target.exists()
        assert (os.path.lexists(link), file.exists()) == (check, check)

    def test_a_folder_is_for_a_person_to_look_at(self, tmp_path: Path):
        with pytest.raises(_node_parts.PartError, match="is a directory, a file was meant"):
            _node_parts.converge_absent([str(tmp_path)], {}, check=False)
        assert tmp_path.exists()


class TestLinks:
    def converge(self, path: Path, target: str, *, check: bool = False) -> Changes:
        changes: Changes = {}
        _node_parts.converge_links([{"path": str(path), "target": target}], changes, check=check)
        return changes

    def test_one_is_made_once(self, tmp_path: Path):
        link = tmp_path / "localtime"
        assert self.converge(link, "/zone", check=True) == {str(link): ["created"]}
        assert not os.path.lexists(link)
        assert self.converge(link, "/zone") == {str(link): ["created"]}
        assert os.readlink(link) == "/zone"
        assert self.converge(link, "/zone") == {}
        assert os.listdir(tmp_path) == ["localtime"]

    def test_one_that_leads_elsewhere_is_turned(self, tmp_path: Path):
        link = tmp_path / "localtime"
        link.symlink_to("/other")
        assert self.converge(link, "/zone") == {str(link): ["/other → /zone"]}
        assert os.readlink(link) == "/zone"

    def test_a_file_in_its_place_goes(self, tmp_path: Path):
        link = tmp_path / "locale"
        link.write_text("LANG=C\n")
        assert self.converge(link, "../locale.conf") == {str(link): ["a file → ../locale.conf"]}
        assert os.readlink(link) == "../locale.conf"

    def test_a_folder_in_its_place_is_for_a_person_to_look_at(self, tmp_path: Path):
        with pytest.raises(_node_parts.PartError, match="is a directory, a link was meant"):
            self.converge(tmp_path, "/zone")


class TestUsers:
    SAID = (
        "Creating group 'archipel-intake' with GID 995.\n"
        "Creating user 'archipel-intake' (form) with UID 995 and GID 995."
    )

    def test_what_is_made_is_told(self, programs: Programs, tmp_path: Path):
        declared = tmp_path / "form.conf"
        declared.touch()
        programs.add("systemd-sysusers", says=self.SAID)
        changes: Changes = {}
        _node_parts.converge_users([str(declared)], changes, check=False)
        assert changes == {
            f"users of {declared}": [
                "group archipel-intake created",
                "user archipel-intake created",
            ]
        }
        assert programs.calls == [f"systemd-sysusers -- {declared}"]

    def test_check_mode_only_asks(self, programs: Programs, tmp_path: Path):
        declared = tmp_path / "form.conf"
        declared.touch()
        programs.add("systemd-sysusers", says=self.SAID)
        changes: Changes = {}
        paths = [str(declared), str(tmp_path / "not-there-yet")]
        _node_parts.converge_users(paths, changes, check=True)
        assert len(changes) == 1
        assert programs.calls == [f"systemd-sysusers --dry-run -- {declared}"]

    def test_a_declaration_that_is_wrong_is_named(self, programs: Programs, tmp_path: Path):
        programs.add("systemd-sysusers", says="form.conf:1: Unknown command", code=1)
        with pytest.raises(_node_parts.PartError, match=r"form.conf:1: Unknown command"):
            _node_parts.converge_users([str(tmp_path / "form.conf")], {}, check=False)


class TestSysctls:
    @pytest.fixture(autouse=True)
    def kernel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "sys"
        (folder / "net/ipv4").mkdir(parents=True)
        (folder / "net/ipv4/tcp_rmem").write_text("4096\t131072\t6291456\n")
        monkeypatch.setattr(_node_parts, "PROC_SYS", str(folder))
        return folder

    def converge(self, *, check: bool = False, **wanted: str) -> tuple[list[str], Changes]:
        changes: Changes = {}
        names = {name.replace("_", ".", 2): value for name, value in wanted.items()}
        return _node_parts.converge_sysctls(names, changes, check=check), changes

    def test_what_is_so_stays(self):
        assert self.converge(net_ipv4_tcp_rmem="4096 131072 6291456") == ([], {})

    @pytest.mark.parametrize("check", [True, False])
    def test_what_differs_is_set(self, kernel: Path, check: bool):
        unavailable, changes = self.converge(check=check, net_ipv4_tcp_rmem="1 2 3")
        assert unavailable == []
        assert changes == {"sysctl net.ipv4.tcp_rmem": ["4096 131072 6291456 → 1 2 3"]}
        written = (kernel / "net/ipv4/tcp_rmem").read_text()
        assert written == ("4096\t131072\t6291456\n" if check else "1 2 3\n")

    def test_what_the_kernel_lacks_is_named(self):
        assert self.converge(net_ipv4_none="1") == (["net.ipv4.none"], {})

    def test_what_the_kernel_refuses_is_told(self, monkeypatch: pytest.MonkeyPatch):
        usual = open

        def refuse(path: str, mode: str = "r", *, encoding: str) -> TextIO:
            if mode == "w":
                raise OSError(22, "Invalid argument")
            return usual(path, encoding=encoding)

        monkeypatch.setattr("builtins.open", refuse)
        with pytest.raises(_node_parts.PartError, match="refuses many: Invalid argument"):
            self.converge(net_ipv4_tcp_rmem="many")


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(_node_parts.PartError, match="no-such-program is not on this node"):
        _node_parts.run(["no-such-program"])
