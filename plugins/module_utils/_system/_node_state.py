# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a role wants of a node, in one pass: read, compared, done, in an order in which it holds.

Groups come before packages, whose files may belong to them; packages before files, for which they
bring folders; files before units, which read them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _node_parts,
    _node_units,
    _packages,
    _systemd,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Facts
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import NodeState

ERRORS = (_managed_files.FilesError, _node_parts.PartError, _systemd.SystemdError, OSError)


def converge(wanted: NodeState, *, check: bool, diff: bool) -> Facts:
    """Bring a node to the wanted state.

    Returns:
        What the module hands to Ansible. With `missing`, nothing but groups was looked at: these
        packages come first, and installing them is not done here.

    Raises:
        FilesError: a file could not be written, or nginx would refuse it.
        PartError: a group, a link or a setting of the kernel could not be.
        SystemdError: a unit does not obey.

    """
    changes: _node_parts.Changes = {}
    groups = _node_parts.converge_groups(wanted["groups"], changes, check=check)
    missing = [
        name for name in _packages.list_missing(wanted["packages"]) if name not in wanted["pending"]
    ]
    result: Facts = {"groups": groups, "unavailable": [], "due": {}, "loaded": [], "diff": []}
    if missing:
        result |= {"missing": missing, "index": _packages.has_index()}
        return {**result, "changed": bool(changes), "changes": changes}
    _node_parts.converge_absent(wanted["absent"], changes, check=check)
    report = _managed_files.converge_node(wanted, check=check, diff=diff)
    files = {path: shorten(path, words) for path, words in report.changes.items()}
    changes |= files
    _node_parts.converge_links(wanted["links"], changes, check=check)
    _node_parts.converge_users(wanted["sysusers"], changes, check=check)
    result["unavailable"] = _node_parts.converge_sysctls(wanted["sysctls"], changes, check=check)
    _node_units.converge_manager(wanted["manager"], changes, check=check)
    result |= _node_units.converge(wanted["units"], list(files), changes, check=check)
    return {**result, "changed": bool(changes), "changes": changes, "diff": report.diffs}


def shorten(path: str, words: t.Sequence[str]) -> list[str]:
    """Return what was changed of a file without its name, by which it is known. Pure."""
    return [word.removeprefix(f"{path}: ") for word in words]
