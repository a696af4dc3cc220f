# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Values as PHP reads them."""

from __future__ import annotations

import re

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_php
from tests.render.samples import HOSTILE


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (True, "true"),
        (None, "null"),
        (3, "3"),
        ("it's", r"'it\'s'"),
        ("back\\slash", r"'back\\slash'"),
        ([], "[\n]"),
        ({"a": [1]}, "[\n  'a' => [\n    1,\n  ],\n]"),
        (_render_php.Expression("OC::$SERVERROOT"), "OC::$SERVERROOT"),
    ],
)
def test_php_literals(value, literal):
    assert _render_php.format_literal(value) == literal


def test_a_value_without_a_literal_is_refused():
    with pytest.raises(TypeError, match="no PHP literal"):
        _render_php.format_literal(object())


@pytest.mark.parametrize(
    "text", [HOSTILE, "\\", "'", "\\'", "?>", "${x}", "\\\\'; system('id'); //"]
)
def test_a_php_string_comes_out_literally(text):
    """A single-quoted PHP string knows two escapes only: undo them, and read the text again."""
    literal = _render_php.format_literal(text)
    assert re.fullmatch(r"'(?:[^'\\]|\\[\\'])*'", literal, re.DOTALL)
    assert re.sub(r"\\([\\'])", r"\1", literal[1:-1]) == text
