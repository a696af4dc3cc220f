# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A logo is a small picture of the kind it says, and can do nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils import _logo

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1v1z"/></svg>'


@pytest.mark.parametrize(
    ("data", "suffix"),
    [(PNG, "png"), (b"\xff\xd8\xff\xe0", "jpg"), (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"), (SVG, "svg")],
)
def test_pictures_are_accepted(tmp_path: Path, data: bytes, suffix: str):
    (tmp_path / f"amap.{suffix}").write_bytes(data)
    assert _logo.check(tmp_path, "amap", f"amap.{suffix}") == ""
    described = _logo.describe(tmp_path, f"amap.{suffix}")
    assert described is not None
    assert described["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<html/>", "its content is no svg"),
        ("<svg", "its content is no svg"),
        ("<svg><script>alert(1)</script></svg>", "the element script"),
        (
            '<svg xmlns="http://www.w3.org/2000/svg"><foreignObject/></svg>',
            "the element foreignObj",
        ),
        ('<svg onload="alert(1)"/>', "the attribute onload"),
        ('<svg><a href="javascript:alert(1)"/></svg>', "outside itself"),
        (
            '<svg xmlns:x="http://www.w3.org/1999/xlink"><use x:href="https://evil.example/"/></svg>',
            "outside itself",
        ),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "document type"),
    ],
)
def test_drawings_that_do_something_are_refused(tmp_path: Path, content: str, why: str):
    (tmp_path / "amap.svg").write_text(content)
    assert why in _logo.check(tmp_path, "amap", "amap.svg")


@pytest.mark.parametrize("name", ["other.png", "amap.gif", "../amap.png", "amap.PNG", "amap"])
def test_a_logo_has_the_name_of_its_space(tmp_path: Path, name: str):
    assert "for instance amap.png" in _logo.check(tmp_path, "amap", name)


def test_what_lies_there_is_looked_at(tmp_path: Path):
    path = tmp_path / "amap.png"
    assert "No such file" in _logo.check(tmp_path, "amap", "amap.png")
    path.write_bytes(SVG)
    assert "its content is no png" in _logo.check(tmp_path, "amap", "amap.png")
    path.write_bytes(PNG + b"\0" * _logo.LARGEST)
    assert f"it has {len(PNG) + _logo.LARGEST} bytes" in _logo.check(tmp_path, "amap", "amap.png")
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert "it is no plain file" in _logo.check(tmp_path, "amap", "amap.png")
    path.unlink()
    path.mkdir()
    assert "it is no plain file" in _logo.check(tmp_path, "amap", "amap.png")


def test_no_logo_is_no_logo(tmp_path: Path):
    assert _logo.describe(tmp_path, None) is None
