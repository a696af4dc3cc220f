# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The logo of a space: a small picture beside its file, of which nothing is believed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from xml.etree import ElementTree

SUFFIXES = ("png", "jpg", "webp", "svg")
LARGEST = 256 * 1024
ALLOWED = f"a picture beside it, its own name with .{', .'.join(SUFFIXES)}, of at most 256 KiB"
# How each kind begins; a WebP has its length in between.
BEGINNINGS = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
# Elements of SVG that run or show something else.
ACTIVE = {"script", "foreignObject", "iframe", "embed", "object", "handler", "set", "animate"}


def read(path: Path) -> tuple[bytes, str]:
    """Return the content of a logo, or why it cannot be one."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return b"", "it is no plain file"
        if found.st_size > LARGEST:
            return b"", f"it has {found.st_size} bytes"
        data = path.read_bytes()
    except OSError as error:
        return b"", error.strerror or "it cannot be read"
    return data, fault(data, path.suffix[1:])


def fault(data: bytes, suffix: str) -> str:
    """Return why some bytes are no picture of that kind; empty if they are one. Pure."""
    if suffix == "svg":
        return svg_fault(data)
    return "" if BEGINNINGS[suffix].match(data) else f"its content is no {suffix}"


def svg_fault(data: bytes) -> str:
    """Return why some bytes are no harmless SVG; empty if they are one. Pure."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"<?xml-stylesheet" in data:
        return "it declares a document type, entities or a style sheet"
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError):
        return "its content is no svg"
    if local(root.tag) != "svg":
        return "its content is no svg"
    return next((why for element in root.iter() if (why := element_fault(element))), "")


def element_fault(element: ElementTree.Element) -> str:
    """Return why one element does not belong into a logo; empty if it may. Pure."""
    if local(str(element.tag)) in ACTIVE:
        return f"it holds the element {local(str(element.tag))}, which could run something"
    for name, value in element.attrib.items():
        if local(name).lower().startswith("on"):
            return f"it holds the attribute {local(name)}, which could run something"
        if local(name) == "href" and not value.startswith(("#", "data:image/")):
            return "it refers to something outside itself"
    return ""


def local(name: str) -> str:
    """Return a name of XML without its namespace. Pure."""
    return name.rpartition("}")[2]


def check(folder: Path, slug: str, name: str) -> str:
    """Return what is wrong with the logo that a file names; empty if nothing is."""
    if name not in {f"{slug}.{suffix}" for suffix in SUFFIXES}:
        return f'found "{name}"; allowed: {ALLOWED}: for instance {slug}.png'
    _, why = read(folder / name)
    return f'found "{name}", but {why}; allowed: {ALLOWED}' if why else ""


def describe(folder: Path, name: str | None) -> dict[str, str] | None:
    """Return where a checked logo is, and what identifies it."""
    if not name:
        return None
    path = folder / name
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
