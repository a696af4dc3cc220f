# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The files of this project as the policy tests see them: tracked, or about to be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BLOCKS = ("block", "rescue", "always")
# Words that may stand beside the module in a task.
TASK_SECTIONS = ("tasks", "pre_tasks", "post_tasks", "handlers")


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project; what git ignores is not of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode()
    found = sorted({ROOT / name for name in listed.split("\0") if name})
    return tuple(path for path in found if path.is_file() and not path.is_symlink())


def matching(*patterns: str) -> list[Path]:
    """Return the files whose path from the root matches one of the patterns."""
    return [
        path
        for path in files()
        if any(path.relative_to(ROOT).match(pattern) for pattern in patterns)
    ]


def under(*folders: str, suffix: str = "") -> list[Path]:
    """Return the files below some folders."""
    roots = [ROOT / folder for folder in folders]
    return [
        path
        for path in files()
        if path.name.endswith(suffix) and any(path.is_relative_to(root) for root in roots)
    ]


def shown(path: Path) -> str:
    """Return the name that a reader of a failed test knows a file by."""
    return str(path.relative_to(ROOT))


def roles() -> list[Path]:
    """Return the folder of every role."""
    return sorted({ROOT / "roles" / path.relative_to(ROOT).parts[1] for path in under("roles")})


def load(path: Path) -> Any:
    """Read a YAML file; Ansible's own tags are kept as plain text."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


@dataclass(frozen=True)
class Task:
    """One task, and where it stands."""

    path: Path
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """The task's name, with its file: what a failed test prints."""
        return f"{shown(self.path)}: {self.body.get('name', '(no name)')}"

    def uses(self, *modules: str) -> bool:
        """Tell whether the task calls one of these modules, by full or short name."""
        return any(
            key in modules or key.removeprefix("ansible.builtin.") in modules for key in self.body
        )


def tasks() -> Iterator[Task]:
    """Return every task of every role, playbook and scenario, blocks opened."""
    for path in under("roles", "playbooks", "molecule", suffix=".yml"):
        parts = path.relative_to(ROOT).parts
        if parts[0] == "roles" and parts[2] not in {"tasks", "handlers"}:
            continue
        for entry in load(path) or []:
            if isinstance(entry, dict):
                yield from _tasks_of(path, entry)


def _tasks_of(path: Path, entry: dict[str, Any]) -> Iterator[Task]:
    sections = [key for key in (*BLOCKS, *TASK_SECTIONS) if isinstance(entry.get(key), list)]
    if not {"hosts", "import_playbook", "ansible.builtin.import_playbook"} & entry.keys():
        yield Task(path, entry)
    for section in sections:
        for inner in entry[section]:
            yield from _tasks_of(path, inner)


class _Loader(yaml.SafeLoader):
    """Reads !vault and !unsafe as the text they carry."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))
