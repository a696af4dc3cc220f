# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Write what the nodes would hold into a folder of the controller: for review, and for CI."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from jinja2 import Environment

from ansible_collections.archipel.spaces.plugins.module_utils._core._masking import mask_secrets
from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import Limit
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import State, Statement
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import (
    plan as plan_database,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _space
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_common,
    _render_context,
    _render_database,
    _render_files,
    _render_nextcloud,
)

# A folder without this mark is not ours to clean.
MARK = ".archipel-build"
# What stands for the master key where secrets are left out.
NO_KEY = "check-only-" * 4


class ForeignDirectoryError(ValueError):
    """The folder holds something that this code did not write."""


def format_sql(statement: Statement) -> str:
    """Return a statement to read: names in quotes, passwords left out."""
    sql, values = statement
    # The first two values are the account's name and host; what follows is a secret.
    shown = [f"'{value}'" if number < 2 else "'(hidden)'" for number, value in enumerate(values)]
    return (sql % tuple(shown) if shown else sql) + ";\n"


def format_quota(wanted: Limit) -> str:
    """Return a space's limit as `setquota -b` reads it: id, then soft and hard KiB and files."""
    return f"{wanted['id']} 0 {wanted['bytes'] // 1024} 0 {wanted['files']}\n"


def render_documents(
    spaces: t.Sequence[_space.SpaceEntry],
    databases: t.Sequence[_space.SpaceEntry],
    context: _render_context.Context,
    environment: Environment,
) -> dict[str, str]:
    """Return every file of the build of one node, by path below its folder. Pure."""
    found: dict[str, str] = {}
    for file in _render_files.render_files(spaces, context, environment):
        kind = file["kind"]
        text = mask_secrets(file["content"]) if kind == "config" else file["content"]
        found[f"{kind}/{file['space']}.{'php' if kind == 'config' else 'conf'}"] = text
    found.update(_render_applied(spaces, context))
    empty = State({}, {})
    for space in databases:
        if space["status"] in _render_common.PRESENT:
            steps = plan_database(_render_database.plan_database(space, context), empty)
            found[f"database/{space['slug']}.sql"] = "".join(
                format_sql(statement) for _, statement in steps
            )
    present = _render_common.select_present(spaces)
    if present:
        found["quota.txt"] = "".join(map(format_quota, _render_files.list_quotas(present, context)))
        found["tmpfiles.conf"] = _render_files.render_tmpfiles(
            _render_files.list_directories(present, context)
        )
        found["sysusers.conf"] = (
            "\n".join(_render_files.render_sysusers(present, context).values()) + "\n"
        )
    return found


def _render_applied(
    spaces: t.Sequence[_space.SpaceEntry], context: _render_context.Context
) -> dict[str, str]:
    """Return what only Nextcloud itself is given: what all have in common, and what each has alone.

    Said once, what the policy gives to all is neither written nor read ten thousand times.
    """
    running = [space for space in spaces if space["status"] in _render_common.RUNNING]
    if not running:
        return {}
    common = {
        **context["applied_state"],
        "apps": _render_nextcloud.list_applications(context),
        "settings": context["applications"].get("settings", {}),
        "release": sorted({space["release"] for space in running}),
    }
    # No key of anybody's: connectors' secrets are derived from it.
    alone: _render_context.Context = {
        **context,
        "applied_state": {"app_config": {}},
        "applications": {},
        "master_key": NO_KEY,
    }
    found = {"applied.json": _as_json(common)}
    for space in running:
        applied = dict(_render_nextcloud.render_applied(space, alone))
        # Who is invited is personal, and what is built may be anybody's to read.
        applied.pop("admin")
        found[f"applied/{space['slug']}.json"] = _as_json(applied)
    return found


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def list_existing(directory: Path) -> set[str]:
    """Return the files below a folder.

    Raises:
        ForeignDirectoryError: there are some, and they are not ours.

    """
    names = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    if names and MARK not in names:
        raise ForeignDirectoryError(
            f"{directory} holds files that are not from here: name another folder, or empty it"
        )
    return names - {MARK}


class Change(t.NamedTuple):
    """A file that was, or would be, written or removed."""

    name: str
    before: str
    after: str | None

    def __str__(self) -> str:
        return self.name if self.after is not None else f"{self.name} removed"


def write(directory: Path, wanted: t.Mapping[str, str], *, check: bool) -> list[Change]:
    """Make a folder hold exactly these files; return what changed."""
    gone = sorted(list_existing(directory) - set(wanted))
    changed = [Change(name, _text(directory / name), None) for name in gone]
    for name in gone if not check else ():
        (directory / name).unlink()
    for name, text in wanted.items():
        path = directory / name
        if path.exists() and path.read_bytes() == text.encode():
            continue
        changed.append(Change(name, _text(path), text))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    if not check:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MARK).touch()
    return changed


def _text(path: Path) -> str:
    """What a file of ours holds; nothing, if it is not there."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
