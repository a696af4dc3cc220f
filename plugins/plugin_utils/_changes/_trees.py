# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Read what differs between two copies of an environment's files.

Ten thousand files are compared as they are, and the few that differ are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import _states
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _lock_file
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _environment,
    _ledger,
    _registry,
    _strict_yaml,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._states import (
        Difference,
        State,
        Way,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

_Loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENDINGS = (".yml", ".yaml", ".json", "")
# Folders of an inventory whose files are variables.
_OF_VARIABLES = ("group_vars", "host_vars")
# Neither is anybody's to propose.
_APART = (_environment.LOCK, _ledger.NAME)
MARK = ".archipel-build"


class Tree(t.NamedTuple):
    """Where the files of one side lie; a folder that is not there is empty."""

    inventories: tuple[Path, ...]
    registry: Path


def read_states(before: Tree, after: Tree) -> tuple[State, State]:
    """Return both sides, with the files that differ.

    Raises:
        RegistryError: placement.yml of a side is broken.
        OSError: a file cannot be read.

    """
    differing = differ(before.registry / _environment.SPACES, after.registry / _environment.SPACES)
    slugs = {name for name in differing if _is_space(name)}
    others = [f"{_environment.SPACES}/{name}" for name in differing if name not in slugs]
    # Folders beside spaces/ are nobody's, and what they hold is seen in git.
    others += [
        name for name in differ(before.registry, after.registry, deep=False) if name not in _APART
    ]
    policy = _differing_policy(before, after)
    sides: list[State] = []
    for tree in (before, after):
        spaces = tree.registry / _environment.SPACES
        sides.append(
            _states.State(
                spaces={
                    name.removesuffix(_registry.SUFFIX): _read_space(spaces / name)
                    for name in slugs
                    if (spaces / name).is_file()
                },
                files=frozenset(_slugs(spaces)),
                lock=_read_lock(tree.registry / _environment.LOCK),
                ledger=_read_lines(tree.registry / _ledger.NAME),
                variables={name: read_variables(path) for name, path in policy[len(sides)].items()},
                others=frozenset(name for name in others if (tree.registry / name).exists()),
            )
        )
    return sides[0], sides[1]


def _is_space(name: str) -> bool:
    slug, dot, suffix = name.rpartition(".")
    return f"{dot}{suffix}" == _registry.SUFFIX and bool(_registry.SLUG.fullmatch(slug))


def _slugs(spaces: Path) -> Iterator[str]:
    for path in spaces.iterdir() if spaces.is_dir() else ():
        if _is_space(path.name):
            yield path.stem


def _read_space(path: Path) -> Unchecked | None:
    if path.is_symlink() or path.stat().st_size > _strict_yaml.MAX_BYTES:
        return None
    try:
        data = _strict_yaml.load(path.read_bytes())
    except _strict_yaml.StrictYamlError:
        return None
    return data if isinstance(data, dict) else None


def _read_lock(path: Path) -> Mapping[str, Place]:
    return _lock_file.read_lock(path).spaces if path.is_file() else {}


def _read_lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(path.read_text(encoding="utf-8", errors="replace").splitlines())


# --- which differ ------------------------------------------------------------------------


def differ(before: Path, after: Path, *, deep: bool = True) -> list[str]:
    """Return the names of files that only one of two folders has, or that differ."""
    sides = [_files(folder, deep=deep) for folder in (before, after)]
    return sorted(
        name for name in {*sides[0], *sides[1]} if _unlike(sides[0].get(name), sides[1].get(name))
    )


def _files(folder: Path, *, deep: bool) -> dict[str, Path]:
    """Return the files of a folder; links are what they lead to, as for who reads them."""
    found: dict[str, Path] = {}
    top = str(folder)
    for place, folders, names in os.walk(top):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - ten thousand of them
            if os.path.isfile(path):  # noqa: PTH113
                found[os.path.relpath(path, top)] = Path(path)
    return found


def _unlike(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return True
    if one.stat().st_size != other.stat().st_size:
        return True
    return one.read_bytes() != other.read_bytes()


# --- policy ------------------------------------------------------------------------------


def _differing_policy(before: Tree, after: Tree) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the files of the inventories that differ: name → where it lies, on each side."""
    sides: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for old, new in zip(before.inventories, after.inventories, strict=True):
        for name in _differ_with_links(old, new):
            for side, folder in zip(sides, (old, new), strict=True):
                if (folder / name).is_file():
                    side[name] = folder / name
    return sides


def _differ_with_links(before: Path, after: Path) -> list[str]:
    """The same with the folders that links lead to, such as 00-baseline."""
    found = differ(before, after)
    for folder in (*after.glob("*_vars/*"), *after.glob("*_vars/*/*")):
        name = folder.relative_to(after)
        if folder.is_symlink() and folder.is_dir():
            found += [f"{name}/{below}" for below in differ(before / name, folder)]
    return sorted(set(found))


def read_variables(path: Path) -> Mapping[str, str]:
    """Return the variables of a file, each value as JSON; a file that is none has none."""
    parts = path.parts
    if not any(folder in parts for folder in _OF_VARIABLES) or path.suffix not in _ENDINGS:
        return {}
    content = path.read_bytes()
    if content.startswith(b"$ANSIBLE_VAULT"):
        return {"*": json.dumps(_encrypted(content))}
    try:
        tree = yaml.compose(content, Loader=_Loader)
    except yaml.YAMLError:
        return {}
    if not isinstance(tree, yaml.MappingNode):
        return {}
    return {
        str(key.value): json.dumps(_plain(value, 0), ensure_ascii=False)
        for key, value in tree.value
    }


def _plain(node: yaml.Node, depth: int) -> object:
    """Return what a node says, without building anything of it; a vault's value stays closed."""
    if node.tag == "!vault":
        return _encrypted(str(node.value).encode())
    if depth > 20:
        return "…"
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value, depth + 1) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value, depth + 1) for value in node.value]
    text = str(node.value)
    kinds: dict[str, t.Callable[[str], object]] = {
        "tag:yaml.org,2002:int": int,
        "tag:yaml.org,2002:bool": _truth,
    }
    try:
        return kinds.get(node.tag, str)(text)
    except ValueError:
        return text


def _encrypted(content: bytes) -> str:
    """Say that a value is closed, and which one it is."""
    return f"(encrypted, {hashlib.sha256(content).hexdigest()[:8]})"


def _truth(text: str) -> bool:
    return text.lower() in {"true", "yes", "on"}


_KINDS: dict[str, t.Callable[[str], object]] = {
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:bool": _truth,
}


# --- what nodes would hold ------------------------------------------------------------------


def read_rendered(before: Path, after: Path) -> list[Difference]:
    """Return the files that differ between two builds, each with a folder for each node."""
    found: list[Difference] = []
    for node in sorted({*_nodes(before), *_nodes(after)}):
        for name in differ(before / node, after / node):
            if name != MARK:
                sides = ((before / node / name).is_file(), (after / node / name).is_file())
                found.append(_states.Difference(node, name, _way(*sides)))
    return found


def _nodes(build: Path) -> Iterator[str]:
    """Return the folders of a build that are a node's."""
    for folder in build.iterdir() if build.is_dir() else ():
        if (folder / MARK).is_file():
            yield folder.name


def read_running(build: Path, kind: str) -> dict[str, frozenset[str]]:
    """Return the spaces of each node of a build of which it holds a file of a kind."""
    return {
        node: frozenset(path.stem for path in (build / node / kind).glob("*"))
        for node in _nodes(build)
    }


def _way(before: bool, after: bool) -> Way:
    if before and after:
        return "changed"
    return "added" if after else "removed"
