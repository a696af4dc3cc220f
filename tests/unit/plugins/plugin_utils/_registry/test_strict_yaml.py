# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The YAML of strangers: what is read, and what is refused with its line."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _strict_yaml
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._strict_yaml import (
    StrictYamlError,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: 1", {"on": 1}),
        ("locale: no", {"locale": "no"}),
        ("hold: yes", {"hold": "yes"}),
        ("hold: true", {"hold": True}),
        ("hold: False", {"hold": False}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: ''", {"a": ""}),
        ("on: 2024-05-30", {"on": "2024-05-30"}),
        ("on: 2024-05-30 10:00:00", {"on": "2024-05-30 10:00:00"}),
        ("a: 010", {"a": "010"}),
        ("a: 0", {"a": 0}),
        ("a: +7", {"a": 7}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: -7", {"a": -7}),
        ("a: 1.5", {"a": "1.5"}),
        ("a: 50.0", {"a": "50.0"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: '50'", {"a": "50"}),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
        ("2024: a", {"2024": "a"}),
        ("true: a", {"true": "a"}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("a: [x, {b: c}]", {"a": ["x", {"b": "c"}]}),
        ("just a text", "just a text"),
        ("# only the first line\na: é", {"a": "é"}),
    ],
)
def test_values_are_what_people_mean(text: str, value: t.Any):
    assert _strict_yaml.load(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"", 1, "the file is empty"),
        (b"# nothing but a comment\n", 1, "the file is empty"),
        (b"a: 1\nb: 2\na: 3\n", 3, 'the key "a" is here twice (first on line 1)'),
        (b"a: 1\n---\nb: 2\n", 2, "a second document begins here"),
        (b"a: &x 1\nb: *x\n", 1, 'found the anchor "&x"'),
        (b"a: 1\nb: *x\n", 2, 'found the alias "*x"'),
        (b"a: !!python/object/apply:os.system [id]\n", 1, "found the tag"),
        (b"a: !vault x\n", 1, 'found the tag "!vault"'),
        (b"? [a, b]\n: 1\n", 1, "a key must be a plain word"),
        (b"a: 1\nb: caf\xe9\n", 2, "not UTF-8 text"),
        (b"a: 1\nb: \x01\n", 2, "control characters are not allowed"),
        (b"a: [1, 2\n", 1, "not readable as YAML"),
        (b"a: b: c\n", 1, "mapping values are not allowed"),
        (b"a: 'open\nb: 1\n", 1, "the quote that opens here is never closed; close it"),
        (b'b: 1\na: "open\nb: 1\n', 2, "the quote that opens here is never closed; close it"),
        (b'a: "\\q"\n', 1, "found unknown escape character"),
        (b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", 2, "found a merge conflict"),
        (b"a: 1\n=======\r\nb: 2\n", 2, "found a merge conflict"),
        (b"a:\n\tb: 1\n", 2, "not readable as YAML"),
        (b'a: "\\ud800"\n', 1, "invalid Unicode character"),
        (b"[" * 60_000, 1, "nested deeper than 8 levels"),
        (b"{a: " * 15_000, 1, "nested deeper than 8 levels"),
        (b"- " * 30_000, 1, "nested deeper than 8 levels"),
        (b"? " * 30_000, 1, "a key must be a plain word"),
        (b"a: " + b"x" * 70_000, None, "more than 65536 bytes"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: bytes, line: int | None, reason: str):
    with pytest.raises(StrictYamlError) as caught:
        _strict_yaml.load(text)
    assert reason in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029"])
def test_lines_are_counted_as_editors_count_them(sign: str):
    """Its parser begins a line at signs that people do not see."""
    lines: _strict_yaml.Lines = {}
    text = f'a: "x{sign}{sign} y"\r\nb: 1\rc:\n  - &x 1\n'
    with pytest.raises(StrictYamlError, match="anchor") as caught:
        _strict_yaml.load(text.encode(), lines)
    assert caught.value.line == 4
    assert lines == {("a",): 1, ("b",): 2, ("c",): 3, ("c", 0): 4}
    with pytest.raises(StrictYamlError) as caught:
        _strict_yaml.load(f"{sign}{sign}'".encode())
    assert caught.value.line == 1


@pytest.mark.parametrize("text", ["? {}\n: 1\n? {}\n: 1\n", "a: &{}\n", "a: !{} 1\n"])
def test_what_strangers_name_is_said_shortly(text: str):
    with pytest.raises(StrictYamlError) as caught:
        _strict_yaml.load(text.replace("{}", "k" * 20_000).encode())
    assert len(str(caught.value)) < 300


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    bomb = ["a0: &a0 [x, x]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(StrictYamlError, match="anchor"):
        _strict_yaml.load("\n".join(bomb).encode())


def test_lines_of_keys_and_items():
    lines: _strict_yaml.Lines = {}
    _strict_yaml.load(b"a: 1\nb:\n  c: 2\n  d:\n    - x\n    - y\n", lines)
    assert lines == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "d"): 4,
        ("b", "d", 0): 5,
        ("b", "d", 1): 6,
    }
