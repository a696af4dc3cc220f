# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files are changed value by value: everything else of them stays as people wrote it."""

from __future__ import annotations

import difflib
import json
import random
import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _edit, _strict_yaml

ORDER = ("name", "status", "contact", "request", "decision", "office", "limits")
FILE = """\
# yaml-language-server: $schema=x
# above the name
name: Vélo  # the name

status: "requested"   # waits
contact:
    # who answers
    name: 'Nadia'
    email: a@b.example   # ask first

# below the contact
office: onlyoffice
"""
REFUSE: dict[_edit.Place, _edit.Value] = {
    ("status",): "refused",
    ("decision", "by"): "nadia",
    ("decision", "on"): "2026-11-27",
    ("decision", "reason"): "no: {{ x }} # y",
}


def edit(text: str, changes: dict[_edit.Place, _edit.Value]) -> str:
    return _edit.edit(text.encode(), changes, ORDER).decode()


def changed(before: str, after: str) -> list[str]:
    """Return the lines that went and came."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[:2] in {"- ", "+ "}]


def test_only_the_lines_of_a_change_change():
    assert changed(FILE, edit(FILE, REFUSE)) == [
        '- status: "requested"   # waits',
        '+ status: "refused"   # waits',
        "+ decision:",
        "+   by: nadia",
        "+   on: 2026-11-27",
        '+   reason: "no: {{ x }} # y"',
    ]


def test_a_new_key_goes_where_the_schema_has_it():
    lines = edit(FILE, REFUSE).splitlines()
    assert lines.index("decision:") == lines.index("    email: a@b.example   # ask first") + 1


def test_a_second_change_replaces_the_first():
    once = edit(FILE, REFUSE)
    again = {**REFUSE, ("status",): "approved", ("decision", "reason"): None}
    assert "reason" not in edit(once, again)
    assert changed(edit(FILE, {**REFUSE, ("decision", "reason"): None}), edit(once, again)) == [
        '- status: "refused"   # waits',
        '+ status: "approved"   # waits',
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "status": "requested", "contact": {"email": "a@b.c"}}',
        json.dumps({"name": "x", "status": "requested", "contact": {"email": "a"}}, indent=1),
        "name: x\r\nstatus: requested\r\ndecision: {by: y, on: 2026-01-01, reason: z}\r\n",
        "name: x\nstatus: requested\ndecision:\n  by: y\n  reason: |\n    a\n\n    b\n\n# c\n",
        "name: x\nstatus: requested\ndecision:\n  reason: z # why\n  by: y\nhold:",
        "name: x\nstatus: requested\nhold:\ndecision:\n  by:\n",
        "\ufeffname: x\nstatus: requested",
        "---\nname: x\nstatus: requested\n...\n",
        "name: >-\n  a\n  b\nstatus: requested\ndomains:\n- a.example\n- b.example\n",
    ],
)
def test_files_of_all_forms(text: str):
    many = {**REFUSE, ("decision", "reason"): "two\n\nlines: #"}
    none: dict[_edit.Place, _edit.Value] = {("status",): "approved", ("decision", "reason"): None}
    for changes in (REFUSE, many, none):
        found = _strict_yaml.load(edit(text, changes).encode())
        expected = _strict_yaml.load(text.encode())
        for place, value in changes.items():
            inner = expected
            for step in place[:-1]:
                inner = inner.setdefault(step, {}) if value is not None else inner.get(step, {})
            inner.pop(place[-1], None) if value is None else inner.update({place[-1]: value})
        assert found == expected


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        ("name: x\nname: y\n", REFUSE, "here twice"),
        ("- a\n", {("status",): "x"}, "no mapping"),
        ("decision: x\n", {("decision", "by"): "y"}, "no mapping"),
        ("a: 1\ncontact:\n  email: x\n", {("contact", "email"): None}, "by hand"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, changes: t.Any, said: str):
    with pytest.raises((_edit.EditError, _strict_yaml.StrictYamlError), match=said):
        edit(text, changes)


def test_every_text_is_read_as_what_it_was():
    """Whatever somebody typed: signs of YAML, of templates, 4-byte and invisible characters."""
    signs = [*"abé😀 :#-?{}[]&*!|>'\"%@`,\\\t\n=~", "\u200b", "\u202e", "\x85", "null", "no", "1.0"]
    generator = random.Random(19)
    for _ in range(3000):
        text = "".join(generator.choices(signs, k=generator.randrange(1, 9)))
        assert _strict_yaml.load(_edit.block({"x": text}).encode()) == {"x": text}
        after = _edit.edit(b"x: {a: 1}\ny: z # c\n", {("x", "b"): text, ("y",): text})
        assert _strict_yaml.load(after) == {"x": {"a": 1, "b": text}, "y": text}


def test_other_readers_of_yaml_read_the_same():
    for text in ("yes", "n", "off", "007", "1e3", "0x1f", "12:30", "=", "<<", "~", "1_000", ".5"):
        assert yaml.safe_load(_edit.block({"x": text})) == {"x": text}
