# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""make space: asked on a terminal or told by options, it writes a right file, or nothing."""

from __future__ import annotations

import codecs
import datetime
import errno
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _strict_yaml,
    _writing,
)
from tests.unit.environment import ROOT, Environment
from tools import check_registry, space, space_file

OPTIONS = ["--name", "Chorale des Halles", "--email", "chorale@halles.example"]
SLUG = "chorale-des-halles"
PROGRAM = (sys.executable, "-m", "tools.space")
SECONDS = 60


@pytest.fixture(autouse=True)
def _no_language(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_messages._Choice, "language", "")
    # A test has no terminal; who wants one makes it.
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def run(environment: Environment, *options: str) -> int:
    return space.main([str(environment.root), *options])


def written(environment: Environment, slug: str = SLUG) -> dict[str, t.Any]:
    text = (environment.registry / f"{slug}.yml").read_bytes()
    return t.cast("dict[str, t.Any]", _strict_yaml.load(text))


class TestByOptions:
    def test_what_is_not_said_is_proposed(
        self, environment: Environment, capsys: pytest.CaptureFixture[str]
    ):
        assert run(environment, *OPTIONS) == 0
        assert written(environment) == {
            "name": "Chorale des Halles",
            "status": "requested",
            "contact": {"email": "chorale@halles.example"},
            "office": "collabora",
        }
        said = capsys.readouterr().out
        assert f"git add {environment.registry}/{SLUG}.yml && git commit -m {SLUG}" in said
        assert "spaces.yml" not in said.replace(f"{SLUG}.yml", ""), "nobody has decided"

    def test_everything_may_be_said(
        self, environment: Environment, capsys: pytest.CaptureFixture[str]
    ):
        more = ["--slug", "choeur", "--contact-name", "Léa Martin", "--office", "onlyoffice"]
        more += ["--locale", "pt_BR", "--status", "approved", "--by", "moderation"]
        assert run(environment, *OPTIONS, *more) == 0
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        assert written(environment, "choeur") == {
            "name": "Chorale des Halles",
            "status": "approved",
            "contact": {"name": "Léa Martin", "email": "chorale@halles.example"},
            "decision": {"by": "moderation", "on": today},
            "office": "onlyoffice",
            "locale": "pt_BR",
        }
        assert "playbooks/spaces.yml" in capsys.readouterr().out

    def test_the_inventory_takes_it(self, environment: Environment):
        assert run(environment, *OPTIONS, "--status", "approved", "--by", "moderation") == 0
        assert environment.problems() == []
        assert check_registry.main([str(environment.root)]) == 0

    def test_it_explains_itself_in_the_reader_s_language(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("LANGUAGE", "fr")
        assert run(environment, *OPTIONS) == 0
        text = (environment.registry / f"{SLUG}.yml").read_text(encoding="utf-8")
        comments = [line for line in text.splitlines() if line.startswith("#")]
        assert comments[0].startswith("# yaml-language-server: $schema=")
        assert f"# Un fichier, un espace\u00a0: https://{SLUG}.spaces.example.org" in comments
        assert any("comptes, 40\u00a0Go" in line for line in comments)
        assert comments[-1] == "# limits: {accounts: 50, storage_gb: 40}"
        assert "allowed" not in text

    def test_what_it_comments_out_may_be_taken_in(self, environment: Environment):
        assert run(environment, *OPTIONS) == 0
        path = environment.registry / f"{SLUG}.yml"
        path.write_text(path.read_text(encoding="utf-8").replace("# limits:", "limits:"))
        assert environment.problems() == []

    def test_text_of_people_stays_text(self, environment: Environment):
        name = 'A: "b" # {{ c }} & *d !e'
        assert run(environment, "--name", name, *OPTIONS[2:], "--slug", "odd") == 0
        assert written(environment, "odd")["name"] == name
        path = environment.registry / "odd.yml"
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == name

    def test_contacts_of_a_vault_are_not_asked_for(
        self, environment: Environment, capsys: pytest.CaptureFixture[str]
    ):
        environment.policy(archipel_contacts="vaulted")
        assert run(environment, *OPTIONS[:2]) == 0
        assert "contact" not in written(environment)
        said = capsys.readouterr().out
        assert f"ansible-vault edit {environment.home}/contacts.yml" in said
        assert f"{SLUG}: {{email: …, name: …}}" in said

    def test_files_of_others_that_are_wrong_do_not_matter(self, environment: Environment):
        environment.write("spaces/amap.yml", "name: [\n")
        assert run(environment, *OPTIONS) == 0
        assert written(environment)["name"] == "Chorale des Halles"


WRONG: dict[str, tuple[list[str], str]] = {
    "nothing at all": ([], "--name: missing; say it, or run this on a terminal"),
    "no address": (OPTIONS[:2], "--email: missing; say it"),
    "a name of blanks": (["--name", "  ", *OPTIONS[2:]], "--name: missing"),
    "a name with a line break": (
        ["--name", "a\nb", *OPTIONS[2:]],
        '--name: found "a\\nb"; allowed: a text without invisible signs',
    ),
    "a name that turns the writing": (
        ["--name", "a\u202eb", *OPTIONS[2:]],
        '--name: found "a\\u202eb"; allowed: a text without invisible signs',
    ),
    "a name too long": (["--name", "a" * 201, *OPTIONS[2:]], "allowed: a text of 1 to 200"),
    "an address with a space": ([*OPTIONS[:2], "--email", "a b@c.example"], "--email: found"),
    "a slug with accents": ([*OPTIONS, "--slug", "Été"], "for instance ete"),
    "a slug of one letter": ([*OPTIONS, "--slug", "a"], '--slug: found "a"; allowed: 2 to 26'),
    "a path as a slug": ([*OPTIONS, "--slug", "../x"], '--slug: found "../x"; allowed: 2 to 26'),
    "a reserved slug": ([*OPTIONS, "--slug", "www"], 'the name "www" is not free'),
    "the name of a node": ([*OPTIONS, "--slug", "node1"], 'the name "node1" is not free'),
    "the name of a group": ([*OPTIONS, "--slug", "web"], 'the name "web" is not free'),
    "an unknown suite": (
        [*OPTIONS, "--office", "onlyofice"],
        '--office: found "onlyofice"; allowed: collabora, onlyoffice. Did you mean "onlyoffice"?',
    ),
    "an unknown language": ([*OPTIONS, "--locale", "klingon"], '--locale: found "klingon"; allo'),
    "a status that comes later": (
        [*OPTIONS, "--status", "closed"],
        '--status: found "closed"; allowed: requested, approved.',
    ),
    "a decision by nobody": ([*OPTIONS, "--status", "approved"], "--by: missing; say it"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_and_nothing_written(
    environment: Environment, capsys: pytest.CaptureFixture[str], case: str
):
    options, expected = WRONG[case]
    before = environment.tree()
    assert run(environment, *options) == space.WRONG
    said = capsys.readouterr().err
    assert expected in said
    assert said.rstrip().endswith("Nothing was written.")
    assert environment.tree() == before


def test_all_that_is_wrong_is_said_at_once(
    environment: Environment, capsys: pytest.CaptureFixture[str]
):
    assert run(environment, *OPTIONS, "--slug", "A", "--office", "x", "--locale", "y") == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said[:3]] == ["--slug", "--office", "--locale"]


class TestNamesThatAreTaken:
    def test_a_file_is_never_overwritten(
        self, environment: Environment, capsys: pytest.CaptureFixture[str]
    ):
        before = environment.tree()
        assert run(environment, *OPTIONS, "--slug", "velo-ecole") == space.WRONG
        assert "velo-ecole.yml is there already, and is never overwr" in capsys.readouterr().err
        assert environment.tree() == before

    def test_nor_one_that_came_meanwhile(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ):
        real = space_file.compose

        def late(registry: space_file.Registry, answers: space_file.Answers) -> str:
            environment.write(f"spaces/{SLUG}.yml", "somebody else's")
            return real(registry, answers)

        monkeypatch.setattr(space_file, "compose", late)
        assert run(environment, *OPTIONS) == space.WRONG
        assert (environment.registry / f"{SLUG}.yml").read_text() == "somebody else's"

    def test_another_is_proposed(self, environment: Environment):
        assert run(environment, *OPTIONS) == 0
        assert run(environment, *OPTIONS) == 0
        assert (environment.registry / f"{SLUG}-2.yml").is_file()

    def test_a_space_whose_file_is_gone_keeps_its_name(
        self, environment: Environment, capsys: pytest.CaptureFixture[str]
    ):
        environment.placement(f"{SLUG}: {{id: 70000, web: node1, db: node1}}")
        assert run(environment, *OPTIONS, "--slug", SLUG) == space.WRONG
        assert f'the name "{SLUG}" is not free' in capsys.readouterr().err

    def test_a_name_without_letters_has_an_address_all_the_same(self, environment: Environment):
        assert run(environment, "--name", "東京", *OPTIONS[2:]) == 0
        assert written(environment, "asso-00000000")["name"] == "東京"


class TestEnvironments:
    def test_one_that_there_is_not(self, capsys: pytest.CaptureFixture[str]):
        assert space.main(["dmo", *OPTIONS]) == space.WRONG
        assert 'Did you mean "demo"?' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["demo", "production.example"], "demo"),
            (["demo", "production", "production.example"], "production"),
        ],
    )
    def test_the_only_one_of_one_s_own_is_meant(self, names: list[str], expected: str):
        known = {name: Path(name) for name in names}
        assert space.choose_environment("", known) == Path(expected)

    def test_of_several_one_is_to_be_named(self):
        known = {name: Path(name) for name in ("demo", "north", "south")}
        with pytest.raises(ValueError, match="allowed: an environment, demo, north, south"):
            space.choose_environment("", known)

    def test_one_whose_policy_is_wrong(
        self, environment: Environment, capsys: pytest.CaptureFixture[str]
    ):
        environment.policy(archipel_base_domain=None)
        assert run(environment, *OPTIONS) == space.WRONG
        assert "archipel_base_domain: missing" in capsys.readouterr().err

    def test_one_that_cannot_be_written(
        self,
        environment: Environment,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ):
        def full(*_arguments: object) -> t.NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(_writing, "create", full)
        before = environment.tree()
        assert run(environment, *OPTIONS) == space.WRONG
        assert "No space left on device" in capsys.readouterr().err
        assert environment.tree() == before


class Terminal:
    """The program on a terminal of its own, and what somebody types."""

    def __init__(self, environment: Environment, language: str = "en") -> None:
        self.descriptor, theirs = pty.openpty()
        # On it Ctrl-C is a signal: it is the controlling terminal. Who runs the tests in the
        # background ignores signals, and would hand that on.
        heard = ["env", "--default-signal=INT,QUIT,HUP"]
        self.process = subprocess.Popen(
            [*heard, "setsid", "--ctty", "--wait", *PROGRAM, str(environment.root)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LANGUAGE": language, "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.said = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def _read(self) -> bytes:
        ready, _, _ = select.select([self.descriptor], [], [], SECONDS)
        assert ready, f"nothing was said for {SECONDS} s: {self.said}"
        try:
            return os.read(self.descriptor, 4096)
        except OSError:
            return b""  # the other end is closed

    def until(self, words: str) -> None:
        while words not in self.said:
            got = self._read()
            assert got, f"{words!r} was not said: {self.said}"
            self.said += self._decoder.decode(got)

    def answer(self, question: str, text: str) -> None:
        self.until(question)
        self.said = self.said.partition(question)[2]
        os.write(self.descriptor, f"{text}\n".encode())

    def press(self, key: bytes, expected: str) -> None:
        """Press a key until something is said: a signal just before readline waits is lost."""
        for _ in range(SECONDS):
            os.write(self.descriptor, key)
            while select.select([self.descriptor], [], [], 1)[0]:
                got = self._read()
                self.said += self._decoder.decode(got)
                if expected in self.said or not got:
                    return

    def end(self) -> int:
        while got := self._read():
            self.said += self._decoder.decode(got)
        os.close(self.descriptor)
        return self.process.wait(SECONDS)


class TestOnATerminal:
    def test_everything_is_asked_in_french(self, environment: Environment):
        terminal = Terminal(environment, "fr")
        terminal.answer("tel qu’il s’écrit\u00a0: ", "Chorale des Halles")
        terminal.answer(f"[{SLUG}]\u00a0: ", "")
        terminal.answer("qui l’administrera\u00a0: ", "Léa Martin")
        terminal.answer("adresse électronique\u00a0: ", "chorale@halles.example")
        terminal.answer("(collabora, onlyoffice) [collabora]\u00a0: ", "onlyoffice")
        terminal.answer("Langue [fr]\u00a0: ", "")
        terminal.answer("[requested]\u00a0: ", "approved")
        terminal.answer("Qui a décidé\u00a0: ", "moderation")
        terminal.until("name: Chorale des Halles")
        terminal.answer("[O/n] ", "o")
        assert terminal.end() == 0
        assert "Écrit, et correct\u00a0: " in terminal.said
        assert written(environment)["office"] == "onlyoffice"
        assert environment.problems() == []

    def test_a_wrong_answer_is_asked_for_again(self, environment: Environment):
        terminal = Terminal(environment)
        terminal.answer("as it is written: ", "")
        terminal.answer("as it is written: ", "Chorale")
        terminal.answer("[chorale]: ", "velo-ecole")
        terminal.until("is there already, and is never overwritten")
        terminal.answer("[chorale]: ", "")
        terminal.answer("administer it: ", "")
        terminal.answer("e-mail address: ", "nobody")
        terminal.until('found "nobody"; allowed: one plain e-mail address')
        terminal.answer("e-mail address: ", "a@b.example")
        for question in ("[collabora]: ", "Language [fr]: ", "[requested]: "):
            terminal.answer(question, "")
        terminal.answer("[Y/n] ", "")
        assert terminal.end() == 0
        assert written(environment, "chorale")["contact"] == {"email": "a@b.example"}

    @pytest.mark.parametrize("how", ["ctrl-c", "ctrl-d", "hang up"])
    def test_who_stops_leaves_nothing_behind(self, environment: Environment, how: str):
        before = environment.tree()
        terminal = Terminal(environment)
        terminal.answer("as it is written: ", "Chorale")
        terminal.until("[chorale]: ")
        if how == "hang up":
            terminal.process.send_signal(signal.SIGHUP)
            os.close(terminal.descriptor)
            terminal.process.wait(SECONDS)
        else:
            terminal.press(b"\x03" if how == "ctrl-c" else b"\x04", "Nothing was written.")
            assert terminal.end() == space.STOPPED
            assert "Nothing was written." in terminal.said
            assert "Traceback" not in terminal.said
        assert environment.tree() == before

    def test_who_says_no_at_the_end_too(self, environment: Environment):
        before = environment.tree()
        terminal = Terminal(environment)
        terminal.answer("as it is written: ", "Chorale")
        terminal.answer("[chorale]: ", "")
        terminal.answer("administer it: ", "")
        terminal.answer("e-mail address: ", "a@b.example")
        for question in ("[collabora]: ", "Language [fr]: ", "[requested]: "):
            terminal.answer(question, "")
        terminal.answer("[Y/n] ", "n")
        assert terminal.end() == space.STOPPED
        assert environment.tree() == before


def test_make_hands_options_on():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"-m tools\.space \$\(ENV\) \$\(ARGS\)$", text, re.MULTILINE)
