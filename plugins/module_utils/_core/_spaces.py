# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What all modules of spaces share: the desired state's way to the node, and the report."""

from __future__ import annotations

import base64
import json
import platform
import typing as t
import zlib

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Facts, Spec

# Ids of spaces (unix user, group and quota project): above Debian's own users, and up to where
# the ranges of login users begin.
IDS = range(70_000, 100_000)

PAYLOAD_OPTION: Spec = {"type": "str", "required": True, "no_log": True}


def distribution() -> dict[str, str]:
    """Return what roles must know of the node, as facts: named as those of `setup`."""
    return {"distribution_release": platform.freedesktop_os_release()["VERSION_CODENAME"]}


def pack(value: t.Any) -> str:
    """Return a value as compressed text: thousands of spaces are very alike."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(data, 1)).decode()


def unpack(text: str) -> t.Any:
    """Return what `pack` was given."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


class Report:
    """What a module found and did, space by space."""

    def __init__(self) -> None:
        self.changes: dict[str, list[str]] = {}
        self.node_changes: list[str] = []
        self.failures: dict[str, str] = {}
        self.diffs: list[dict[str, str]] = []
        self.facts: Facts = {}

    def change(self, space: str, what: str) -> None:
        """Note one change of a space (in check mode: one that would be made)."""
        self.changes.setdefault(space, []).append(what)

    def node_change(self, what: str) -> None:
        """Note a change that concerns the node, not one space."""
        self.node_changes.append(what)

    def fail(self, space: str, reason: str) -> None:
        """Note that a space could not be converged; the first reason is kept."""
        self.failures.setdefault(space, reason)

    def diff(self, header: str, before: str, after: str) -> None:
        """Note a difference to show with `--diff`."""
        self.diffs.append(
            {"before_header": header, "after_header": header, "before": before, "after": after}
        )

    def add(self, other: Report) -> None:
        """Take over what another report says, after what this one does."""
        for space, changes in other.changes.items():
            self.changes.setdefault(space, []).extend(changes)
        self.node_changes += other.node_changes
        self.failures = {**other.failures, **self.failures}
        self.diffs += other.diffs
        self.facts |= other.facts

    def result(self) -> Facts:
        """Return what the module hands to Ansible."""
        return {
            "changed": bool(self.changes or self.node_changes),
            "node": self.node_changes,
            "spaces": {name: self.changes[name] for name in sorted(self.changes)},
            "failed_spaces": {name: self.failures[name] for name in sorted(self.failures)},
            "diff": self.diffs,
            **self.facts,
        }
