# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space's own logo: what lies there, and what is to."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _node


def read(path: str) -> str:
    """Return the SHA-256 of a logo that lies on the node; empty if there is none."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def digest_of(item: _node.Item) -> str:
    """Return the SHA-256 of the logo a space is to have; empty: none. Pure."""
    return item["logo"]["sha256"] if item["logo"] else ""


def put(item: _node.Item, node: _node.Node) -> None:
    """Put a space's logo where its Nextcloud looks for it, or take it away.

    Raises:
        InstallationError: the picture is another than the one that was announced.

    """
    path = Path(_node.layout_of(item, node).logo)
    if not item["logo"]:
        path.unlink()
        return
    data = base64.b64decode(node.logos[item["space"]])
    if hashlib.sha256(data).hexdigest() != digest_of(item):
        raise _node.InstallationError(f"its {path.name} changed while it was read: run again")
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.chmod(0o644)
    beside.replace(path)
