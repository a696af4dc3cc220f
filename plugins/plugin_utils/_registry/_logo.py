# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The logo of a space: a small picture beside its file, of which nothing is believed."""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _bitmap, _drawing

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import Logo

SUFFIXES = ("png", "jpg", "webp", "svg")
LARGEST = 256 * 1024


def _allowed() -> str:
    return _(
        "a picture beside it, its own name with .{suffixes}, of at most 256 KiB and "
        "{pixels} x {pixels} pixels",
        suffixes=", .".join(SUFFIXES),
        pixels=_bitmap.LONGEST,
    )


def read(path: Path) -> tuple[bytes, str]:
    """Return the content of a logo, or why it cannot be one."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return b"", _("it is no plain file")
        if found.st_size > LARGEST:
            return b"", _("it has {size} bytes", size=found.st_size)
        data = path.read_bytes()
    except OSError as error:
        return b"", error.strerror or _("it cannot be read")
    return data, check_content(data, path.suffix[1:])


def check_content(data: bytes, suffix: str) -> str:
    """Return why some bytes are no picture of that kind; empty if they are one. Pure."""
    return _drawing.check(data) if suffix == "svg" else _bitmap.check(data, suffix)


def check(folder: Path, slug: str, name: str) -> str:
    """Return what is wrong with the logo that a file names; empty if nothing is."""
    if name not in {f"{slug}.{suffix}" for suffix in SUFFIXES}:
        return _(
            "found {found}; allowed: {allowed}: for instance {slug}.png",
            found=quoted(name),
            allowed=_allowed(),
            slug=slug,
        )
    _data, reason = read(folder / name)
    if not reason:
        return ""
    return _(
        "found {found}, but {reason}; allowed: {allowed}",
        found=quoted(name),
        reason=reason,
        allowed=_allowed(),
    )


def describe(file: str, name: str | None) -> Logo | None:
    """Return where a checked logo is, and what identifies it; `file` is the space's."""
    if not name:
        return None
    path = Path(file).parent / name
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
