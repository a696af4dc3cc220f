# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Placeholders in values of the catalogue of office suites."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _placeholders


def test_what_was_filled_in_is_not_read_again():
    assert _placeholders.fill("{slug} {url}", {"slug": "{url}", "url": "x"}) == "{url} x"


def test_json_is_no_word():
    assert _placeholders.find_unknown('{"a": {}}', ()) == []
