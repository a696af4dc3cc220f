# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What people read is translated: all of it, from these very sources, with everything in it."""

from __future__ import annotations

import ast
import io
import re
import string
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from babel.messages import Catalog

from tests.policy.test_french import WRONG
from tests.policy.tree import ROOT, shown, under
from tools import messages
from tools.french_texts import MAPPING

LANGUAGES = messages.languages()
# Nothing here is said to anybody but in the reader's language.
TRANSLATED = (
    "plugins/inventory",
    "plugins/plugin_utils/_registry",
    "plugins/plugin_utils/_inventory",
    "plugins/plugin_utils/_changes",
    "plugins/plugin_utils/_intake",
)
# Of packages that say other things too.
TRANSLATED_FILES = (
    "plugins/filter/open_applications.py",
    "plugins/filter/registry_summary.py",
    "plugins/plugin_utils/_core/_problem.py",
    "plugins/plugin_utils/_policy/_policy.py",
    "plugins/plugin_utils/_policy/_support.py",
    "plugins/plugin_utils/_policy/_variables.py",
    "tools/check_registry.py",
    "tools/space.py",
    "tools/space_file.py",
)
# Operators are spoken to in English: how to move spaces between nodes.
ENGLISH = (
    "plugins/plugin_utils/_inventory/_moves.py",
    "plugins/plugin_utils/_inventory/_promotion.py",
    "plugins/plugin_utils/_inventory/_proposals.py",
    "plugins/plugin_utils/_inventory/_recovery.py",
    "plugins/plugin_utils/_inventory/_relocation.py",
    "plugins/plugin_utils/_inventory/_relocation_phases.py",
)
SOURCES = [
    path
    for path in (*under(*TRANSLATED, suffix=".py"), *(ROOT / name for name in TRANSLATED_FILES))
    if shown(path) not in ENGLISH
]
# Some words in a row: a sentence, or a part of one.
SENTENCE = re.compile(r"\b[a-z]+ [a-z]+ [a-z]{2,}|[;:] [a-z]+")
# What is said to no reader: files that are written, what placement.yml says, names of packages.
ELSEWHERE = re.compile(
    r"# Where each space lives|# Who is written to|git checkout|mkdir -p"
    r"|no_such_filter|^end of stream$|^contact: |^\.yml: "
    # What is written in both languages already, and the frame of a page.
    r"|^janvier |^to (?:suspend|close) the space$|^<!doctype html>"
)
CALLS = {"_", "mark", "ngettext"}
CODE = re.compile(r"`[^`]*`")


def path_of(language: str) -> Path:
    return messages.FOLDER / language / "LC_MESSAGES/archipel.po"


def catalogue(language: str) -> Catalog:
    return messages.load(path_of(language), language)


def pairs(language: str) -> list[tuple[str, str]]:
    """Return each text with its translations: singular with singular, plural with plural."""
    found = []
    for message in catalogue(language):
        if message.id:
            ids = message.id if isinstance(message.id, tuple | list) else [message.id]
            strings = (
                message.string if isinstance(message.string, tuple | list) else [message.string]
            )
            found += [(ids[min(n, len(ids) - 1)], one or "") for n, one in enumerate(strings)]
    return found


def fields(text: str) -> Counter[str]:
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError:
        return Counter()  # braces that nobody fills in
    return Counter(name for _, name, spec, _ in parsed if name and not spec)


# --- catalogues ---------------------------------------------------------------------------------


def test_french_is_there():
    assert LANGUAGES == ["fr"]
    assert len(pairs("fr")) > 300


def test_the_template_is_what_the_sources_say():
    """Otherwise: make messages."""
    assert messages.TEMPLATE.read_text(encoding="utf-8") == messages.as_text(messages.extract())


@pytest.mark.parametrize("language", LANGUAGES)
class TestCatalogue:
    def test_it_has_every_text_and_no_other(self, language: str):
        """Otherwise: make messages."""
        written = path_of(language).read_text(encoding="utf-8")
        fresh = messages.update(path_of(language), language, messages.extract())
        assert written == messages.as_text(fresh)

    def test_nothing_is_untranslated_or_uncertain(self, language: str):
        assert messages.find_untranslated(catalogue(language)) == []
        assert "fuzzy" not in path_of(language).read_text(encoding="utf-8")

    def test_what_is_compiled_is_what_is_written(self, language: str):
        compiled = path_of(language).with_suffix(".mo").read_bytes()
        is_same = compiled == messages.compiled(catalogue(language))
        assert is_same, "make messages"

    def test_the_same_words_are_filled_in(self, language: str):
        wrong = [(one, other) for one, other in pairs(language) if fields(one) != fields(other)]
        assert [pair for pair in wrong if not _is_singular(*pair)] == []

    def test_code_is_the_same(self, language: str):
        """Commands and YAML that people copy; what French puts into code beside is allowed."""
        wrong = [
            (one, other)
            for one, other in pairs(language)
            if Counter(CODE.findall(one)) - Counter(CODE.findall(other))
        ]
        assert wrong == []

    def test_keys_and_options_are_named(self, language: str):
        """archipel_…, --options and paths of files are nobody's language."""
        name = re.compile(r"archipel_\w+|--[a-z-]+|[\w/]+\.(?:yml|txt|json)\b")
        wrong = [
            (one, other)
            for one, other in pairs(language)
            if set(name.findall(one)) - set(name.findall(other))
        ]
        assert wrong == []

    def test_blanks_at_the_ends_are_kept(self, language: str):
        ends = re.compile(r"^\s*|\s*$")
        wrong = [
            (one, other)
            for one, other in pairs(language)
            if ends.findall(one) != ends.findall(other)
        ]
        assert wrong == []


def _is_singular(one: str, other: str) -> bool:
    """French counts nothing as one: its singular names the number even where English does not."""
    return fields(other) - fields(one) == Counter(["n"]) and not fields(one) - fields(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'espace : prêt ; « oui » ?", "l’espace\u00a0: prêt\u202f; «\u00a0oui\u00a0»\u202f?"),
        ("lancez `a 'b' : c ; d`", "lancez `a 'b' : c ; d`"),
        ("256 Kio, {n} Go", "256\u00a0Kio, {n}\u00a0Go"),
        ("80 % ; https://x", "80\u00a0%\u202f; https://x"),
        ('entre "10%" et x!y', 'entre "10%" et x!y'),
    ],
)
def test_french_is_typeset(text: str, expected: str):
    assert messages.typeset(text) == expected
    assert messages.typeset(expected) == expected


def test_french_is_typeset_in_the_catalogue():
    wrong = [
        other for _, other in pairs("fr") if WRONG.search(MAPPING.sub("x", CODE.sub("x", other)))
    ]
    assert wrong == []


def test_what_is_put_together_first_is_refused(tmp_path: Path):
    path = tmp_path / "a.py"
    path.write_text('_(f"found {x}")\n')
    with pytest.raises(ValueError, match=r"a\.py:1: _\(\) needs a whole text"):
        messages._texts(path)


def test_texts_are_found_wherever_they_are(tmp_path: Path):
    path = tmp_path / "a.py"
    path.write_text(
        'x = f"{_(\'inside\')}"\ny = mark("a" " b")\nz = ngettext("{n} c", "{n} d", _(x))\n_("")\n'
    )
    assert messages._texts(path) == ["inside", "a b", ("{n} c", "{n} d")]


def test_what_is_missing_is_found():
    found = Catalog(locale="fr")
    found.add("one", "un")
    found.add("two", "")
    found.add(("a", "b"), ("x", ""))
    found.add("three", "trois", flags=["fuzzy"])
    assert messages.find_untranslated(found) == ["two", "a", "three"]


def test_a_catalogue_has_no_date():
    file = io.BytesIO(messages.as_text(messages.extract()).encode())
    assert b"Date" not in file.getvalue()


# --- code ---------------------------------------------------------------------------------------


def untranslated(tree: ast.AST) -> list[str]:
    """Return the sentences of a program that are given to nobody who translates."""
    known = {id(one) for one in (*_documentation(tree), *_keys(tree))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            known |= {id(one) for one in node.args}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in known
        and SENTENCE.search(node.value)
        and not ELSEWHERE.search(node.value)
    ]


def _keys(tree: ast.AST) -> t.Iterator[ast.AST | None]:
    """What programs know values by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from node.keys
        if isinstance(node, ast.Subscript):
            yield node.slice


def _documentation(tree: ast.AST) -> list[ast.AST]:
    """Docstrings, and what Ansible reads of plugins."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            found.append(body[0].value)
        names = [getattr(one, "id", "") for one in getattr(node, "targets", ())]
        if {"DOCUMENTATION", "EXAMPLES", "RETURN"}.intersection(names):
            found.append(t.cast("ast.Assign", node).value)
    return found


def test_there_are_sources():
    assert len(SOURCES) > 30


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_sentences_are_given_to_be_translated(path: Path):
    assert untranslated(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        'x = "found a thing"',
        'x = f"found {y}; allowed: a text"',
        'Problem(path, "not a file; remove it")',
        'x = _(f"{y}", hint="write it out")',
    ],
)
def test_one_that_is_not_would_be_found(source: str):
    assert len(untranslated(ast.parse(source))) == 1


def test_what_is_said_to_nobody_is_let_be():
    source = '"""A line of documentation."""\nDOCUMENTATION = "a b c d"\nx = _("found one thing")\n'
    assert untranslated(ast.parse(source)) == []
