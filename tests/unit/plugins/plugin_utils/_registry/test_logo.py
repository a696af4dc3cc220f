# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A logo is a small picture of the kind it says, and can do nothing."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _logo


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int = 1, height: int = 1, lines: bytes = b"\0\0\0\0\0") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(width: int = 1, height: int = 1, frame: int = 0xC0) -> bytes:
    start = b"\xff\xd8" + b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9) + b"\xff"
    size = b"\xff" + bytes([frame]) + struct.pack(">HBHHB", 11, 8, height, width, 1) + bytes(3)
    scan = b"\xff\xda" + struct.pack(">H", 8) + bytes(6) + b"\x12\xff\x00\x34"
    return start + size + scan + b"\xff\xd9"


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def lossy(width: int = 1, height: int = 1) -> tuple[bytes, bytes]:
    return b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"data"


def lossless(width: int = 1, height: int = 1) -> tuple[bytes, bytes]:
    return b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"data"


def canvas(width: int = 1, height: int = 1) -> tuple[bytes, bytes]:
    sizes = (size - 1 for size in (width, height))
    return b"VP8X", bytes(4) + b"".join(size.to_bytes(3, "little") for size in sizes)


PNG = png()
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">'
SVG = f'{HEAD}<path d="M0 0h1v1z"/></svg>'.encode()
PICTURES = {
    "png": [PNG, png(4096, 4096)],
    "jpg": [jpeg(), jpeg(4096, 100, 0xC2)],
    "webp": [webp(lossy()), webp(lossless(300, 4096)), webp(canvas(9, 9), lossy(9, 9))],
    "svg": [SVG],
}


@pytest.mark.parametrize(
    ("data", "suffix"),
    [(data, suffix) for suffix, samples in PICTURES.items() for data in samples],
)
def test_pictures_are_accepted(tmp_path: Path, data: bytes, suffix: str):
    (tmp_path / f"amap.{suffix}").write_bytes(data)
    assert _logo.check(tmp_path, "amap", f"amap.{suffix}") == ""
    described = _logo.describe(str(tmp_path / "amap.yml"), f"amap.{suffix}")
    assert described is not None
    assert described["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<html/>", "its content is no svg"),
        ("<svg", "its content is no svg"),
        (HEAD, "its content is no svg"),
        ('<svg xmlns="http://www.w3.org/1999/xhtml"/>', "its content is no svg"),
        ("<svg><script>alert(1)</script></svg>", "the element script"),
        (
            '<svg xmlns="http://www.w3.org/2000/svg"><foreignObject/></svg>',
            "the element foreignObj",
        ),
        ('<svg onload="alert(1)"/>', "the attribute onload"),
        ('<svg><a href="javascript:alert(1)"/></svg>', "the element a"),
        (
            '<svg xmlns:x="http://www.w3.org/1999/xlink"><use x:href="https://evil.example/"/></svg>',
            "outside itself",
        ),
        (f"{HEAD}<animate attributeName='x'/></svg>", "the element animate"),
        (f"{HEAD}<animateTransform/></svg>", "the element animateTransform"),
        (f"{HEAD}<animateMotion/></svg>", "the element animateMotion"),
        (f"{HEAD}<set/></svg>", "the element set"),
        (f"{HEAD}<a href='#x'/></svg>", "the element a"),
        (f"{HEAD}<feImage x:href='#x'/></svg>", "the element feImage"),
        (f"{HEAD}<sprite/></svg>", "the element sprite"),
        (f"{HEAD}<h:p xmlns:h='http://www.w3.org/1999/xhtml'/></svg>", "the element p"),
        (f"{HEAD}<style>@import 'http://evil.example/x.css';</style></svg>", "outside itself"),
        (f"{HEAD}<style><![CDATA[@ImPort 'x']]></style></svg>", "outside itself"),
        (f"{HEAD}<style>@\\69mport 'x'</style></svg>", "outside itself"),
        (f"{HEAD}<style>a {{ fill: url(http://evil.example/x) }}</style></svg>", "outside itself"),
        (f"{HEAD}<style>a {{ fill: URL( '//evil.example' ) }}</style></svg>", "outside itself"),
        (f"{HEAD}<style>a {{ x: image-set('http://e.example' 1x) }}</style></svg>", "outside its"),
        (f"{HEAD}<path style='fill: url(&quot;https://e.example&quot;)'/></svg>", "outside itself"),
        (f"{HEAD}<path fill='url(https://evil.example/x#y)'/></svg>", "outside itself"),
        (f"{HEAD}<path filter='url(x.svg#y)'/></svg>", "outside itself"),
        (f"{HEAD}<image href='data:image/svg+xml;base64,PHN2Zz4='/></svg>", "outside itself"),
        (f"{HEAD}<image href='DATA:image/SVG+xml,x'/></svg>", "outside itself"),
        (f"{HEAD}<image href='data:text/html,x'/></svg>", "outside itself"),
        (f"{HEAD}<use x:href='data:image/png;base64,x'/></svg>", "outside itself"),
        (f"{HEAD}<g xml:base='http://evil.example'/></svg>", "outside itself"),
        (f"{HEAD}<g src='x.png'/></svg>", "outside itself"),
        (HEAD + "<use href='#x'/>" * 31 + "</svg>", "repeats or nests"),
        (f"{HEAD}{'<g>' * 200}{'</g>' * 200}</svg>", "repeats or nests"),
        (f"<?xml-stylesheet href='x.css'?>{HEAD}</svg>", "a style sheet"),
        (f"{HEAD}<?php phpinfo() ?></svg>", "a style sheet"),
        (f"<?xml version='1.0' encoding='UTF-16'?>{HEAD}</svg>", "not written in UTF-8"),
        (f"<?xml version='1.0' encoding='iso-8859-1'?>{HEAD}</svg>", "not written in UTF-8"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "document type"),
    ],
)
def test_drawings_that_do_something_are_refused(tmp_path: Path, content: str, why: str):
    (tmp_path / "amap.svg").write_text(content)
    assert why in _logo.check(tmp_path, "amap", "amap.svg")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"])
@pytest.mark.parametrize(
    "head", ['<!DOCTYPE svg [<!ENTITY x "y">]>', "<?xml-stylesheet href='http://e.example/x'?>", ""]
)
def test_no_other_encoding_hides_anything(encoding: str, head: str):
    text = f'<?xml version="1.0" encoding="{encoding}"?>{head}{HEAD}<path d="é"/></svg>'
    why = _logo.check_content(text.encode(encoding), "svg")
    assert "not written in UTF-8" in why or "declares a document type" in why


@pytest.mark.parametrize(
    "content",
    [
        "<style>.a { fill: url(#g); stroke: #fff }</style><path class='a' fill='url(#g)'/>",
        "<image href='data:image/png;base64,iVBORw0KGgo='/><use x:href='#a'/>",
        "<metadata><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></metadata>",
        "<i:namedview xmlns:i='http://www.inkscape.org/namespaces/inkscape' i:zoom='1'/>",
        "<!-- x --><text xml:space='preserve'>L’été</text><filter id='f'><feBlend/></filter>",
    ],
)
def test_drawings_of_drawing_programs_are_accepted(content: str):
    assert (
        _logo.check_content(f"\ufeff<?xml version='1.0'?>{HEAD}{content}</svg>".encode(), "svg")
        == ""
    )


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (png(30_000, 30_000), "png"),
        (png(4097, 1), "png"),
        (png(0, 1), "png"),
        (jpeg(65_535, 65_535), "jpg"),
        (jpeg(1, 5000, 0xC2), "jpg"),
        (jpeg(1, 0), "jpg"),
        (webp(lossy(16_383, 16_383)), "webp"),
        (webp(lossless(16_384, 2)), "webp"),
        (webp(canvas(16_777_216, 1), lossy()), "webp"),
        (webp(canvas(), lossy(16_383, 1)), "webp"),
    ],
)
def test_what_would_unfold_is_refused(data: bytes, suffix: str):
    assert re.fullmatch(r"it has \d+ x \d+ pixels", _logo.check_content(data, suffix))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_no_part_of_a_picture_may_be_missing(suffix: str):
    for data in PICTURES[suffix]:
        for length in range(len(data) - 1):
            assert _logo.check_content(data[:length], suffix) != "", length


def test_a_damaged_picture_is_none():
    assert _logo.check_content(PNG.replace(b"IDAT", b"IDAt"), "png") == "it is damaged"
    assert _logo.check_content(jpeg().replace(b"\xff\xc0", b"\x00\xc0"), "jpg") != ""
    assert _logo.check_content(webp(lossy()).replace(b"\x9d\x01\x2a", b"abc"), "webp") != ""
    assert _logo.check_content(webp((b"EXIF", b"x")), "webp") != ""
    without = PNG.replace(chunk(b"IDAT", zlib.compress(b"\0\0\0\0\0")), b"")
    assert _logo.check_content(without, "png") == "its content is no png"


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
    assert _logo.describe(str(tmp_path / "amap.yml"), None) is None
