# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the demo does and tells people, on a host where something may be missing."""

from __future__ import annotations

import socket
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.pretended import Pretended
from tools import (
    ROOT,
    demo,
    demo_content,
    demo_release,
    inventory,
    pictures,
    release,
    table,
)
from tools.content import association
from tools.content.fill import Account, Given, Space, Told
from tools.lab import LabError

WANTED = association.read_all()
VELO = Space("velo-ecole", "Vélo-école", "velo.example", WANTED["velo-ecole"])
PATHS = {"files": "/apps/files/", "link": "/s/abc", "my-space": "/settings/admin/archipel"}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


def listed(**statuses: str) -> list[dict[str, t.Any]]:
    return [
        {
            "slug": slug.replace("_", "-"),
            "name": slug,
            "status": status,
            "domains": [f"{slug.replace('_', '-')}.example"],
            "release": "33.0.0",
            "office": "collabora",
            "accounts": 50,
            "storage_gb": 40,
        }
        for slug, status in statuses.items()
    ]


def told(*passwords: str, **given: t.Any) -> Told:
    accounts = (
        Account("nadia", "Nadia Ferrand", True, passwords[0]),
        Account("karim", "[bold]Karim", False, passwords[-1]),
    )
    return Told(
        VELO, accounts, Given(**{"paths": PATHS, "missing": (), "standin": False, **given}), 0
    )


def visited(found: list[dict[str, t.Any]], *tellings: Told) -> str:
    report: dict[str, t.Any] = {"requested": [], "refused": []}
    return "\n".join(table._visit(inventory.Inventory(found, report), tellings, 8443))


class TestPorts:
    def test_a_taken_port_is_named_with_a_way_out(self, monkeypatch: pytest.MonkeyPatch):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            monkeypatch.setattr(demo, "HTTPS_PORT", port)
            monkeypatch.setattr(demo, "SSH_PORT", free_port())
            with pytest.raises(LabError, match=rf"port {port} .*ARCHIPEL_DEMO_HTTPS_PORT="):
                demo._refuse_busy_ports()


class TestTable:
    def test_it_names_everyone_and_takes_no_name_for_markup(self):
        space = {**listed(lili="approved")[0], "name": "[bold]Lili[/bold]"}
        report = {"requested": [{"name": "Jardin"}], "refused": [{"name": "Promo"}]}
        console = Console(width=200, record=True, file=None, quiet=False)
        with console.capture() as captured:
            console.print(table._table(inventory.Inventory([space], report), 8443))
        shown = captured.get()
        assert "[bold]Lili[/bold]" in shown
        assert "https://lili.example:8443" in shown
        assert "Jardin" in shown
        assert "Promo" in shown

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            (
                "en",
                "Nextcloud: real release 34.0.4, signature not checked, from artifacts/|"
                "Not there: 34.0.4 lacks deck, polls: HTTP 500|"
                "Nextcloud: stand-in for 35.0.1 (a small program|"
                "Not there: 35.0.1 lacks notes: the stand-in runs no application",
            ),
            (
                "fr",
                "Nextcloud\u00a0: vraie version 34.0.4, signature non vérifiée, venue d’artifacts/|"
                "Absent\u00a0: il manque à 34.0.4 deck, polls\u00a0: HTTP 500|"
                "Nextcloud\u00a0: application factice à la place de 35.0.1 (un petit programme|"
                "Absent\u00a0: il manque à 35.0.1 notes\u00a0: l’application factice ne fait",
            ),
        ],
    )
    def test_which_nextcloud_it_is_and_what_it_lacks(
        self, monkeypatch: pytest.MonkeyPatch, language: str, words: str
    ):
        monkeypatch.setenv("LANGUAGE", language)
        real = {"version_string": "34.0.4", "standin": False, "id": "34.0.4"}
        archive = {"signed": False, "origin": "local file"}
        left_out = {"polls": "HTTP 500", "deck": "HTTP 500"}
        standin = {"version_string": "35.0.1", "standin": True, "id": "35.0.1", "archive": {}}
        manifests = [
            {**real, "archive": archive, "left_out": left_out},
            {**standin, "left_out": {"notes": "the stand-in runs no application of the store"}},
        ]
        said = list(table._releases(manifests))
        for line, begins in zip(said, words.split("|"), strict=True):
            assert line.startswith(begins)

    def test_addresses_are_named_as_french_is_typeset(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("LANGUAGE", "fr")
        said = visited(listed(velo_ecole="approved"), told("abcd-efgh"))
        assert "Vélo-école (en français)\u00a0: https://velo.example:8443" in said
        assert "fichiers\u00a0: https://velo.example:8443" in said

    def test_who_can_log_in_and_what_to_click_is_said(self):
        said = visited(listed(velo_ecole="approved"), told("abcd-efgh", "ijkl-mnop"))
        assert "Vélo-école (in French): https://velo.example:8443" in said
        assert "as nadia, password abcd-efgh: Nadia Ferrand, administers the space" in said
        assert "as karim, password ijkl-mnop: [bold]Karim, a member" in said
        assert "files: https://velo.example:8443/apps/files/" in said
        assert "without an account: https://velo.example:8443/s/abc" in said
        assert "shown this once" in said
        assert "make demo-password" in said
        assert "make demo-tour" in said

    def test_a_second_run_says_that_passwords_were_shown_and_how_to_make_new_ones(self):
        said = visited([], told("", ""))
        assert "as nadia: Nadia Ferrand" in said
        assert "password :" not in said
        assert "Nothing was added" in said
        assert "make demo-password" in said

    def test_what_is_missing_is_named(self):
        said = visited([], told("x", "y", missing=("board", "page")))
        assert "for want of its application: board, pages" in said
        assert "stand-in" not in said

    def test_the_stand_in_is_said_to_be_one(self):
        said = visited([], told("x", "y", standin=True, missing=("calendar",)))
        assert "This is the stand-in" in said
        assert "WebDAV" in said

    def test_addresses_of_suspended_and_closed_spaces_are_given(self):
        said = visited(listed(a="suspended", b="closed", c="approved"))
        assert "https://a.example:8443\n    https://b.example:8443" in said
        assert "c.example" not in said

    def test_where_nothing_is_told_nothing_is_promised(self):
        assert visited(listed(a="approved")) == ""

    def test_it_is_said_in_french_too(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("LANGUAGE", "fr")
        said = visited(listed(a="closed"), told("abcd", "efgh"))
        assert "compte nadia, mot de passe abcd (Nadia Ferrand, administre l’espace)" in said
        assert "Les mots de passe sont montrés cette seule fois" in said


class TestContent:
    def test_only_spaces_that_are_approved_get_it_and_others_are_named(self):
        found = listed(velo_ecole="approved", repair_cafe_brest="suspended", amap="approved")
        spaces, why = demo_content.choose(found)
        assert [space.slug for space in spaces] == ["velo-ecole"]
        assert spaces[0].host == "velo-ecole.example"
        assert why == ["repair_cafe_brest is suspended in its file: nothing is put into it"]

    def test_without_an_authority_it_is_said_what_makes_one(self, tmp_path: Path):
        node = demo_content.Node(tmp_path, https=8443, ssh=2222)
        with pytest.raises(LabError, match=r"ca\.pem: .*make demo"):
            node.browser(tmp_path / "ca.pem")
        (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")
        with pytest.raises(LabError, match=r"ca\.pem: .*make demo"):
            node.browser(tmp_path / "ca.pem")

    def test_a_space_that_refuses_does_not_keep_the_others_from_theirs(self):
        pretended = Pretended()

        def occ(slug: str, arguments: str, secret: str = "") -> str:
            if slug == "broken":
                raise LabError("broken: it is")
            return pretended.occ(slug, arguments, secret)

        broken = Space("broken", "Broken", "broken.example", WANTED["velo-ecole"])
        node = t.cast(demo_content.Node, types.SimpleNamespace(occ=occ))
        done, failed = demo_content.fill_all([broken, VELO], t.cast(t.Any, pretended), node)
        assert [one.space.slug for one in done] == ["velo-ecole"]
        assert failed == ["broken: it is"]

    def test_no_space_is_no_error(self):
        node = t.cast(demo_content.Node, None)
        assert demo_content.fill_all([], t.cast(t.Any, None), node) == ([], [])


class Lab:
    """A machine that is not made, and what was done with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.there, self.answers = True, True
        self.done: list[str] = []
        self.failed: list[str] = []
        machine = types.SimpleNamespace(
            container="archipel-demo-1",
            exists=lambda: self.there,
            answers=lambda: self.answers,
            port={22: 3222, 443: 9443}.__getitem__,
            up=lambda *_: self.done.append("up"),
        )
        monkeypatch.setattr(demo, "MACHINE", machine)
        monkeypatch.setattr(demo, "VARIABLES", folder / "zz-local.yml")
        monkeypatch.setattr(demo_release, "variables", lambda _: {})
        monkeypatch.setattr(release, "variables", dict)
        monkeypatch.setattr(demo, "_converge", self.converge)
        report: dict[str, t.Any] = {"requested": [], "refused": []}
        spaces = listed(velo_ecole="approved", repair_cafe_brest="closed")
        found = inventory.Inventory(spaces, report)
        monkeypatch.setattr(inventory, "read", lambda _: found)
        monkeypatch.setattr(demo_content.Node, "browser", lambda *_: None)
        monkeypatch.setattr(demo_content, "fill_all", self.fill)
        monkeypatch.setattr(table, "show", lambda *_: self.done.append("show"))
        monkeypatch.setattr(table, "show_accounts", lambda *_: self.done.append("accounts"))
        monkeypatch.setattr(pictures, "take_all", lambda *told: self.done.append(str(told[-1])))

    def converge(self, node: demo_content.Node) -> None:
        self.done.append(f"converge {node.ssh}")

    def fill(self, spaces: list[Space], *_: object, renew: bool = False) -> t.Any:
        self.done.append(f"fill {' '.join(one.slug for one in spaces)}{' anew' * renew}")
        return [], self.failed

    def run(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["demo", *arguments])
        return demo.main()


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    return Lab(monkeypatch, tmp_path)


class TestVerbs:
    @pytest.mark.parametrize(
        "arguments", [(), ("help",), ("up", "now"), ("tour",), ("tour", "a", "b")]
    )
    def test_usage_is_told(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        lab: Lab,
        arguments: tuple[str, ...],
    ):
        assert lab.run(monkeypatch, *arguments) == 2
        assert "up|password|tour FOLDER|clean" in capsys.readouterr().err
        assert lab.done == []

    def test_up_uses_the_ports_that_the_machine_has_and_names_what_gets_nothing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lab: Lab
    ):
        assert lab.run(monkeypatch, "up") == 0
        assert lab.done == ["up", "converge 3222", "fill velo-ecole", "show"]
        assert '"archipel_https_port": 9443' in demo.VARIABLES.read_text(encoding="utf-8")
        assert "repair_cafe_brest is closed in its file" in capsys.readouterr().out

    def test_content_that_failed_is_told_after_the_table_and_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lab: Lab
    ):
        lab.failed = ["velo-ecole: PUT: 507"]
        assert lab.run(monkeypatch, "up") == 1
        assert lab.done[-1] == "show"
        said = capsys.readouterr().err
        assert "demo: velo-ecole: PUT: 507\nRunning 'make demo' again continues" in said

    def test_a_playbook_that_failed_ends_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lab: Lab
    ):
        def fail(_: object) -> None:
            raise subprocess.CalledProcessError(2, demo.PLAYBOOK)

        monkeypatch.setattr(demo, "_converge", fail)
        assert lab.run(monkeypatch, "up") == 2
        assert lab.done == ["up"]
        assert "ansible-playbook ended with 2" in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", [("password",), ("tour", "build/tour")])
    def test_what_needs_a_demo_says_how_to_make_one(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        lab: Lab,
        arguments: tuple[str, ...],
    ):
        lab.there = False
        assert lab.run(monkeypatch, *arguments) == 1
        assert "there is no demo on this host. Make it: make demo" in capsys.readouterr().err
        lab.there, lab.answers = True, False
        assert lab.run(monkeypatch, *arguments) == 1
        assert "archipel-demo-1 does not answer" in capsys.readouterr().err
        assert lab.done == []

    def test_new_passwords_are_shown(self, monkeypatch: pytest.MonkeyPatch, lab: Lab):
        assert lab.run(monkeypatch, "password") == 0
        assert lab.done == ["fill velo-ecole anew", "accounts"]

    def test_new_passwords_that_failed_are_an_error(
        self, monkeypatch: pytest.MonkeyPatch, lab: Lab
    ):
        lab.failed = ["velo-ecole: no"]
        assert lab.run(monkeypatch, "password") == 1

    def test_pictures_go_where_they_are_wanted(self, monkeypatch: pytest.MonkeyPatch, lab: Lab):
        assert lab.run(monkeypatch, "tour", "somewhere") == 0
        assert lab.done == ["somewhere"]


def test_clean_needs_none_of_the_python_packages():
    """It is what removes the demo where nothing else is left of it."""
    code = "import sys; sys.modules.update(dict.fromkeys(['yaml', 'rich', 'jsonschema_rs']))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; from tools import demo; demo.MACHINE.state"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
