# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the files of an environment lie, and that Ansible itself reads none of the registry.

Ansible takes every file below an inventory for an inventory of its own: it runs what is executable,
and trusts the templates of the others. A setting that keeps files out counts only where ansible.cfg
is read, which it is neither from another folder nor in one that everybody may write. So what
associations write lies where nobody's `-i` leads.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    escaped,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._ledger import (
    NAME as LEDGER,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SPACES = "spaces"
LOCK = "placement.yml"
CONTACTS = "contacts.yml"
# Keys and the authority of an environment. Ansible passes over names that begin with a dot.
PRIVATE, PRIVATE_BEFORE = ".private", "private"
# Folders of environments, which somebody may well name as a whole.
COLLECTIONS = frozenset({"inventories", "inventory"})
CONFIGURATIONS = ("spaces.yml", "spaces.yaml")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: the folder that Ansible reads, and the registry, which it does not."""

    folder: Path
    registry: Path

    @classmethod
    def of(cls, folder: Path, option: str | None) -> Environment:
        """Find the registry where the inventory file says, else in ../../registry/<name>."""
        there = option or f"../../registry/{folder.name}"
        return cls(folder, Path(os.path.normpath(folder / there)))

    @property
    def spaces(self) -> Path:
        """The associations' files."""
        return self.registry / SPACES

    @property
    def lock(self) -> Path:
        """Where each space lives."""
        return self.registry / LOCK

    @property
    def ledger(self) -> Path:
        """What was purged."""
        return self.registry / LEDGER

    @property
    def contacts(self) -> Path:
        """Who is written to about which space, where the associations' files do not say it."""
        return self.registry / CONTACTS

    @property
    def project(self) -> Path:
        """The folder around inventories/ and registry/."""
        above = self.folder.parent
        return above.parent if above.name in COLLECTIONS else above

    def build(self, name: str) -> Path:
        """What runs leave on the controller, of the environment of that name.

        Beside the inventory and not beside the playbooks: an installed collection may lie where
        nobody may write, and is no place for anybody's data.
        """
        return self.project / "build" / name


def check(environment: Environment, sources: Iterable[str]) -> Iterator[Problem]:
    """Everything that Ansible reads, or would read, and must not.

    `sources` are the files that it has read and the folders it was given.
    """
    if moved := [*_moved(environment), *_links(environment.folder / "group_vars" / "all")]:
        # The rest would only say the same again.
        yield from moved
        return
    registry = environment.registry.resolve()
    for tree in dict.fromkeys([environment.folder, *_folders(environment, sources)]):
        if registry.is_relative_to(tree.resolve()):
            text = f"Ansible would read it with `-i {shown(tree)}`, as inventories of its own"
            remedy = f"move it out of {shown(tree)}, and name it in the option `registry`"
            yield Problem(str(environment.registry), f"{text}; {remedy}")
    for path in _into(environment.folder, registry):
        text = (
            f"leads into the registry {shown(environment.registry)}, where Ansible would follow it"
        )
        yield Problem(str(path), f"{text}; remove this link")
    for source in dict.fromkeys(map(Path, sources)):
        if source.resolve().is_relative_to(registry):
            remedy = f"give `-i {shown(environment.folder)}` alone"
            text = (
                f"Ansible has read this file of the registry as an inventory of its own; {remedy}"
            )
            yield Problem(str(source), text)


def _moved(environment: Environment) -> Iterator[Problem]:
    """What lay inside the environment before the registry had a folder of its own."""
    home = environment.folder
    names = [name for name in (SPACES, LOCK, LEDGER) if (home / name).exists()]
    if names:
        there, files = shown(environment.registry), " ".join(shown(home / name) for name in names)
        text = f"{' and '.join(names)} must not lie where Ansible looks for inventories"
        remedy = f"mkdir -p {there} && git mv {files} {there}/"
        yield Problem(str(home), f"{text}; run `{remedy}`")
    if (home / PRIVATE_BEFORE).exists():
        text = f"Ansible would read the keys in {PRIVATE_BEFORE}/ as inventories"
        remedy = f"mv {shown(home / PRIVATE_BEFORE)} {shown(home / PRIVATE)}"
        yield Problem(str(home), f"{text}; run `{remedy}`")


def _links(folder: Path) -> Iterator[Problem]:
    """Links to the policy that are none: Ansible passes over one, and stumbles over the other."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_symlink() and not path.exists():
            there = escaped(str(path.readlink()))
            remedy = "let it lead to group_vars/all of the project or of the installed collection"
            yield Problem(str(path), f"a link to {there}, where nothing is; {remedy}")
        elif not path.suffix and path.is_file() and _is_path(path):
            text = "a text with the name of a folder, where a link to it belongs"
            remedy = (
                "git made this copy without symbolic links: clone it again on Linux (in WSL: below "
                "your home), or with `git clone -c core.symlinks=true`"
            )
            yield Problem(str(path), f"{text}; {remedy}")


def _is_path(path: Path) -> bool:
    """Whether a file holds nothing but a relative path, as git leaves it in place of a link."""
    with path.open("rb") as file:
        return bool(re.fullmatch(rb"(\.\.?/)[^\s:]*\s*", file.read(4096)))


def _folders(environment: Environment, sources: Iterable[str]) -> Iterator[Path]:
    """Folders that are, or could well be, given with -i."""
    yield from (path for path in map(Path, sources) if path.is_dir())
    above = environment.folder.parent
    others = (above.glob(f"*/{name}") for name in CONFIGURATIONS)
    if above.name in COLLECTIONS or any(
        path.parent != environment.folder for found in others for path in found
    ):
        yield above


def _into(folder: Path, registry: Path) -> Iterator[Path]:
    """Links of an environment that lead into the registry, however far down."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place).resolve()
        if here in seen or here.is_relative_to(registry):
            folders.clear()
            continue
        seen.add(here)
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink() and path.resolve().is_relative_to(registry):
                yield path
