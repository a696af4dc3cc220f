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

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    did_you_mean,
    escaped,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._ledger import (
    NAME as LEDGER,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

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


def explain(path: str, error: BaseException) -> Problem:
    """Say what is wrong with an inventory's file that Ansible does not take, and what to do."""
    text = _(
        "{error}; allowed: `plugin: archipel.spaces.registry`, and options as "
        "`ansible-doc -t inventory archipel.spaces.registry` has them",
        error=" ".join(str(error).split()).rstrip("."),
    )
    cause: t.Any = error
    while cause is not None and not hasattr(cause, "problem_mark"):
        cause = cause.__cause__ or cause.__context__
    return Problem(path, text, cause.problem_mark.line + 1 if cause else None)


def check_options(
    path: str, found: Mapping[object, object], known: Collection[str]
) -> Iterator[Problem]:
    """Yield the options of an inventory's file that there are not."""
    for key in found:
        if key not in known:
            hint = did_you_mean(str(key), sorted(known))
            yield Problem(path, _("unknown option.{hint}", hint=hint), key=str(key))


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
            text = _(
                "Ansible would read it with `-i {folder}`, as inventories of its own; move it out "
                "of {folder}, and name it in the option `registry`",
                folder=shown(tree),
            )
            yield Problem(str(environment.registry), text)
    for path in _into(environment.folder, registry):
        text = _(
            "leads into the registry {registry}, where Ansible would follow it; remove this link",
            registry=shown(environment.registry),
        )
        yield Problem(str(path), text)
    for source in dict.fromkeys(map(Path, sources)):
        if source.resolve().is_relative_to(registry):
            text = _(
                "Ansible has read this file of the registry as an inventory of its own; "
                "give `-i {folder}` alone",
                folder=shown(environment.folder),
            )
            yield Problem(str(source), text)


def _moved(environment: Environment) -> Iterator[Problem]:
    """What lay inside the environment before the registry had a folder of its own."""
    home = environment.folder
    names = [name for name in (SPACES, LOCK, LEDGER) if (home / name).exists()]
    if names:
        there, files = shown(environment.registry), " ".join(shown(home / name) for name in names)
        text = _(
            "{names} must not lie where Ansible looks for inventories; run `{command}`",
            names=_(" and ").join(names),
            command=f"mkdir -p {there} && git mv {files} {there}/",
        )
        yield Problem(str(home), text)
    if (home / PRIVATE_BEFORE).exists():
        text = _(
            "Ansible would read the keys in {folder}/ as inventories; run `{command}`",
            folder=PRIVATE_BEFORE,
            command=f"mv {shown(home / PRIVATE_BEFORE)} {shown(home / PRIVATE)}",
        )
        yield Problem(str(home), text)


def _links(folder: Path) -> Iterator[Problem]:
    """Links to the policy that are none: Ansible passes over one, and stumbles over the other."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_symlink() and not path.exists():
            text = _(
                "a link to {target}, where nothing is; let it lead to group_vars/all of the "
                "project or of the installed collection",
                target=escaped(str(path.readlink())),
            )
            yield Problem(str(path), text)
        elif not path.suffix and path.is_file() and _is_path(path):
            text = _(
                "a text with the name of a folder, where a link to it belongs; "
                "git made this copy without symbolic links: clone it again on Linux (in WSL: below "
                "your home), or with `git clone -c core.symlinks=true`"
            )
            yield Problem(str(path), text)


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


def doubt_cache(connection: str | None) -> str:
    """Return why what is kept in a folder is not believed; empty if nothing speaks against it.

    What stands there passes for checked. Whoever else may write in it could say what spaces are.
    A connection that leads to no folder is a matter of its plugin.
    """
    if not connection:
        return ""
    folder = Path(os.path.expandvars(connection)).expanduser()
    try:
        found = [folder.stat(), *(path.lstat() for path in folder.iterdir())]
    except OSError:
        return ""
    if all(one.st_uid == os.geteuid() and not one.st_mode & 0o022 for one in found):
        return ""
    return _(
        "{folder}: others may write in it, or have; remove it, or give it to yourself alone",
        folder=shown(folder),
    )
