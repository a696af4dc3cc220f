# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Build a release: one Nextcloud code tree, shared by spaces and never modified.

A release is a folder and, beside it, a manifest of what went into it. It is unpacked into
a hidden folder next to its place, checked there, and renamed: it is either whole or absent.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release_build,
    _release_code,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._release_code import (
    Running,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._release_manifest import (
    Application,
    ReleaseError,
    Source,
    Wanted,
)
from ansible_collections.archipel.spaces.plugins.module_utils._web import _managed_files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        NodeDirectory,
    )


def modified(tree: str, built_at: int, owner: int = 0) -> list[str]:
    """Return up to ten paths that were changed after the release was built.

    Args:
        tree: the folder of the release.
        built_at: a unix time, in whole seconds.
        owner: number of the user whose all of it is.

    """
    found: list[str] = []
    for parent, folders, files in os.walk(tree):
        # Folders by their name, so that links to folders are among them.
        for name in [*folders, *files, *(["."] if parent == tree else ())]:
            path = os.path.join(parent, name)
            with contextlib.suppress(FileNotFoundError):
                state = os.lstat(path)
                open_to_others = state.st_mode & 0o022 and not stat.S_ISLNK(state.st_mode)
                if state.st_uid != owner or open_to_others or state.st_mtime > built_at:
                    found.append(os.path.normpath(path))
        if len(found) > 10:
            break
    return sorted(found)[:10]


def make_folder(folder: str, *, check: bool) -> bool:
    """Ensure the releases' folder is root's, readable by all; return whether it was not."""
    parent = os.path.dirname(folder)
    # What it is in is ours only if it was not there.
    wanted = [path for path in (parent, folder) if path == folder or not os.path.isdir(path)]
    items: list[NodeDirectory] = [
        {"path": path, "mode": 0o755, "owner": "root", "group": "root"} for path in wanted
    ]
    return bool(_managed_files.converge_directories(items, check=check))


def converge(
    *,
    folder: str,
    php: str,
    wanted: JsonObject,
    source: JsonObject | None,
    check: bool,
) -> JsonObject:
    """Build a release unless it is there, and return what the module reports.

    Raises:
        ReleaseError: it cannot run or be built here, or what is there is another or was modified.

    """
    release = Wanted(
        **{
            **wanted,
            "applications": [Application(**a) for a in wanted["applications"]],
        }
    )
    found = _release_code.php_version(php)
    if found is not None:
        _release_code.check_php(release, found)
    elif not check:
        raise ReleaseError(f"{php} is not there; install PHP first (role php)")
    manifest = _release_manifest.read_manifest(folder, release.id)
    todo = _release_manifest.plan(release, manifest)
    if manifest is not None:
        touched = modified(f"{folder}/{release.id}", manifest["built_at"])
        if touched:
            raise ReleaseError(
                f"release {release.id} was modified after it was built: {', '.join(touched)}. "
                "Give spaces a release built anew under another id, and remove this one"
            )
    elif not check and source is None:
        raise ReleaseError(f"release {release.id} is absent and no archive was given")
    made = make_folder(folder, check=check)
    if manifest is None and source is not None and not check:
        running = Running(release.version, found or "", _release_code.php_extensions(php))
        manifest = _release_build.build_once(folder, release, Source(**source), running)
    return {
        "changed": bool(todo.build or made),
        "manifest": manifest or {},
        "warnings": todo.warnings,
    }
