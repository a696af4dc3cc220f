# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether some bytes are a whole PNG, JPEG or WebP of a reasonable size. Pure.

Only headers are read, and that nothing is missing: a few kilobytes may unfold to gigabytes.
"""

from __future__ import annotations

import struct
import typing as t
import zlib

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# Pixels of a side.
LONGEST = 4096
Size = tuple[int, int]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Markers of JPEG that begin a frame, and those that have no content.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END = 0xDA, 0xD9


class _Broken(Exception):  # noqa: N818 - a reason, caught below
    """Why it is no picture."""


def check(data: bytes, kind: str) -> str:
    """Return why some bytes are no picture of a kind (png, jpg, webp); empty if they are one."""
    reader = {"png": _png, "jpg": _jpeg, "webp": _webp}[kind]
    try:
        sizes = list(reader(data))
    except _Broken as reason:
        return str(reason) or _("its content is no {kind}", kind=kind)
    except (struct.error, IndexError):
        return _("it is cut off")
    if not sizes:
        return _("it is cut off")
    for width, height in sizes:
        if not (0 < width <= LONGEST and 0 < height <= LONGEST):
            return _("it has {width} x {height} pixels", width=width, height=height)
    return ""


def _png(data: bytes) -> Iterator[Size]:
    """Return the sizes that a PNG says it has.

    Raises:
        _Broken: it is none, or damaged.

    """
    if not data.startswith(_PNG):
        raise _Broken
    kinds: list[bytes] = []
    at = len(_PNG)
    while kinds[-1:] != [b"IEND"]:
        length, kind = struct.unpack_from(">I4s", data, at)
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(data[at + 4 : at + 8 + length]) != checksum:
            raise _Broken(_("it is damaged"))
        if kind == b"IHDR":
            yield struct.unpack_from(">II", data, at + 8)
        kinds.append(kind)
        at += 12 + length
    if kinds[0] != b"IHDR" or b"IDAT" not in kinds:
        raise _Broken


def _jpeg(data: bytes) -> Iterator[Size]:
    """Return the sizes that a JPEG says it has.

    Raises:
        _Broken: it is none, or damaged.

    """
    if not data.startswith(_JPEG):
        raise _Broken
    at = 2
    while True:
        if data[at] != 0xFF:
            raise _Broken(_("it is damaged"))
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _SCAN:
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            yield width, height
        at += 2 + length
    if data.find(bytes((0xFF, _END)), at) < 0:
        raise _Broken(_("it is cut off"))


def _webp(data: bytes) -> Iterator[Size]:
    """Return the sizes that a WebP says it has.

    Raises:
        _Broken: it is none, or cut off.

    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise _Broken
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise _Broken(_("it is cut off"))
    at = 12
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + length]
        if len(content) < length:
            raise _Broken(_("it is cut off"))
        if kind in _WEBP:
            yield _WEBP[kind](content)
        at += 8 + length + length % 2


def _lossy(content: bytes) -> Size:
    """Return the width and height, in pixels, of a lossy WebP.

    Raises:
        _Broken: it begins otherwise.

    """
    if content[3:6] != b"\x9d\x01\x2a":
        raise _Broken
    width, height = struct.unpack_from("<HH", content, 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless(content: bytes) -> Size:
    """Return the width and height, in pixels, of a lossless WebP.

    Raises:
        _Broken: it begins otherwise.

    """
    if content[:1] != b"\x2f":
        raise _Broken
    (bits,) = struct.unpack_from("<I", content, 1)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _canvas(content: bytes) -> Size:
    """Return the width and height, in pixels, of an extended WebP.

    Raises:
        _Broken: it is cut off.

    """
    if len(content) < 10:
        raise _Broken(_("it is cut off"))
    width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (4, 7))
    return width, height


_WEBP = {b"VP8 ": _lossy, b"VP8L": _lossless, b"VP8X": _canvas}
