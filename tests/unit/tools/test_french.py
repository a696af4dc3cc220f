# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The check of French: which texts it sees, what it says, and when it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import french, french_texts

# Knows the words of its list, and says the others as hunspell -l does.
PROGRAM = """#!/usr/bin/python3
import re, sys
KNOWN = {"le", "la", "fichier", "corbeille", "est", "dans"}
for word in re.findall(r"[\\w'.-]+", sys.stdin.read()):
    if word.lower() not in KNOWN:
        print(word)
"""


@pytest.fixture
def hunspell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin/hunspell"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Texts and a list of words of the test's own."""

    def make(words: str, **texts: str) -> None:
        path = tmp_path / "french-words.txt"
        path.write_text(words, encoding="utf-8")
        monkeypatch.setattr(french, "WORDS", path)
        monkeypatch.setattr(french_texts, "all_texts", lambda: texts)

    return make


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("l’espace", " espace"),
        ("Qu'il", " il"),
        ("aujourd’hui", "aujourd'hui"),
        ("jusqu’à", " à"),
        ("dans docs/registry.fr.md !", "dans   !"),
    ],
)
def test_words_are_as_the_dictionary_has_them(text: str, word: str):
    assert french.prepared(text) == word


class TestMain:
    def test_every_word_known(self, project, hunspell: Path, capsys):
        project("# Names.\nArchipel\n", a="Le fichier est dans Archipel, UTF-8.")
        assert french.main() == 0
        assert "1 texts" in capsys.readouterr().out

    def test_a_misspelt_word_is_said_with_its_place(self, project, hunspell: Path, capsys):
        project("", a="Le fichier\nest dans la corbeile.", b="La corbeille")
        assert french.main() == 1
        said = capsys.readouterr().err
        assert said.startswith("a:2: corbeile\n")
        assert "french-words.txt" in said

    def test_a_word_of_the_list_that_nobody_needs_is_said(self, project, hunspell: Path, capsys):
        project("Archipel\nfichier\n", a="Archipel est dans le fichier")
        assert french.main() == 1
        assert "nobody needs fichier; remove them" in capsys.readouterr().err

    def test_without_the_program_it_says_what_to_install(self, project, monkeypatch, capsys):
        project("", a="Le fichier")
        monkeypatch.setenv("PATH", "/nowhere")
        assert french.main() == 1
        assert "apt-get install hunspell hunspell-fr-classical" in capsys.readouterr().err

    def test_without_the_dictionary_too(self, project, hunspell: Path, capsys):
        hunspell.write_text('#!/bin/sh\necho "Can\'t open dictionary fr_FR" >&2\nexit 1\n')
        project("", a="Le fichier")
        assert french.main() == 1
        assert "Can't open dictionary fr_FR; on Debian: apt-get" in capsys.readouterr().err


class TestTexts:
    def test_markup_is_no_text_and_lines_stay(self):
        text = "Un `chemin/de fichier` :\n```sh\nls\n```\n[ici](la/bas.md) <b>et</b> là"
        assert french_texts.plain(text) == "Un x :\n\n\n\n[ici et là"

    def test_a_template_has_values_and_no_tags(self):
        assert (
            french_texts.filled("<p\n class='x'>{{ n | e }} comptes</p>{# no #}") == "\n1 comptes"
        )

    def test_letters_and_reasons_are_there(self):
        kinds = {where.split(":")[0] for where in french_texts.all_texts()}
        assert {str(path) for path in (*french_texts.POLICY, *french_texts.PROGRAMS)} <= kinds
