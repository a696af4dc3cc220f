# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The variables archipel_… of an environment, with the file and the line that set each of them.

Ansible says what a variable is worth in the end. Here is what people wrote, wherever it stands:
a name that nobody reads is found, and a value that another file overrides is checked as well.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

Place = tuple[str | int, ...]
PREFIX = "archipel_"
ALL = "all"
# In place of a file, for what a command says.
COMMAND_LINE = "--extra-vars"
_ENDINGS = (".yml", ".yaml", ".json")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_TEMPLATE = re.compile(r"\{[{%#]")
_VAULTED = b"$ANSIBLE_VAULT"
_Loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unknown(Exception):  # noqa: N818 - no error: what nobody can know here
    """A value that depends on a node, or on a secret."""


Evaluate = Callable[[str], t.Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable in one place."""

    name: str
    # As Ansible has read it: templates are text.
    raw: t.Any
    file: str
    # For every node: what the policy is.
    shared: bool
    # Where it stands, as YAML's own tree; nothing for what is no YAML.
    node: yaml.Node | None = field(default=None, repr=False)
    line: int | None = None

    def problem(self, text: str, *place: str | int) -> Problem:
        """A problem of this variable, at the line of a key in it or of the nearest around it."""
        key = ".".join(map(str, (self.name, *place)))
        return Problem(self.file, text, self._line(place), key)

    def _line(self, place: Place) -> int | None:
        line, node = self.line, self.node
        for step in place:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line


@dataclass(slots=True)
class Value:
    """What a variable says, as plain values."""

    plain: t.Any
    # Places of what is only known on a node or with a password.
    unknown: set[Place] = field(default_factory=set)
    # Numbers that are not written as whole numbers are: 50.0, 010.
    written: dict[Place, str] = field(default_factory=dict)

    def is_known(self, place: Place) -> bool:
        """Whether something at this place can be judged."""
        return not any(
            place[: len(other)] == other or other[: len(place)] == place for other in self.unknown
        )


def read_value(variable: Variable, evaluate: Evaluate) -> Value:
    """Read a variable; templates are evaluated where it is the same for every node."""
    found = Value(None)
    found.plain = _plain(variable.raw, variable.node, (), found, evaluate)
    return found


def _plain(
    raw: t.Any, node: yaml.Node | None, place: Place, found: Value, evaluate: Evaluate
) -> t.Any:
    if isinstance(raw, EncryptedString):
        found.unknown.add(place)
        return None
    if isinstance(raw, dict):
        return {
            str(key): _plain(one, _node(node, key), (*place, str(key)), found, evaluate)
            for key, one in raw.items()
        }
    if isinstance(raw, list | tuple):
        return [
            _plain(one, _node(node, number), (*place, number), found, evaluate)
            for number, one in enumerate(raw)
        ]
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, int | float):
        text = node.value if isinstance(node, yaml.ScalarNode) else str(raw)
        if not _WHOLE.fullmatch(text):
            found.written[place] = text
        return int(raw) if isinstance(raw, int) else float(raw)
    return _text(raw if isinstance(raw, str) else str(raw), place, found, evaluate)


def _text(text: str, place: Place, found: Value, evaluate: Evaluate) -> t.Any:
    if not _TEMPLATE.search(text):
        return "".join(text)  # without what Ansible has hung on to it
    try:
        result = json.loads(json.dumps(evaluate(text)))
    except (Unknown, TypeError):
        found.unknown.add(place)
        return None
    return _plain(result, None, place, found, _once)


def _once(_text: str) -> t.NoReturn:
    """What came out of a template is none.

    Raises:
        Unknown: it needs what only a run knows.

    """
    raise Unknown


# --- where they stand ----------------------------------------------------------------


def read(loader: DataLoader, inventory: InventoryData, sources: Sequence[str]) -> list[Variable]:
    """Every variable of ours beside the inventory and in it.

    Args:
        loader: what Ansible reads files with; it remembers them.
        inventory: the nodes and their groups.
        sources: the files the inventory was read from.

    Raises:
        RegistryError: a file that everything needs is encrypted, and there is no password.

    """
    files = [Path(source) for source in sources if Path(source).is_file()]
    roots = dict.fromkeys(file.absolute().parent for file in files)
    found: list[Variable] = []
    for root in roots:
        for folder in ("group_vars", "host_vars"):
            found += _in_folder(loader, root / folder)
    return [*found, *_in_inventory(inventory, files)]


def _in_folder(loader: DataLoader, folder: Path) -> Iterator[Variable]:
    if not folder.is_dir():
        return
    names = dict.fromkeys(
        entry.stem if entry.suffix in _ENDINGS else entry.name
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".")
    )
    for name in names:
        shared = folder.name == "group_vars" and name == ALL
        for file in loader.find_vars_files(str(folder), name):
            yield from _in_file(loader, str(file), shared)


def _in_file(loader: DataLoader, file: str, shared: bool) -> Iterator[Variable]:
    """Return the variables of one file, each with its line.

    Raises:
        RegistryError: the file cannot be read by who is to share it.

    """
    try:
        # As Ansible's own plugin for these folders asks: the answer is read once.
        content = loader.load_from_file(file, cache="all", unsafe=True, trusted_as_template=True)
    except AnsibleError:
        if shared and _is_vaulted(file):
            text = _(
                "encrypted as a whole, and there is no password that opens it; encrypt the values "
                "in it and not the file, or give --ask-vault-pass"
            )
            raise RegistryError([Problem(file, text)]) from None
        return  # Ansible says so itself as soon as somebody needs it
    names = [name for name in content or () if _is_ours(name)] if _is_mapping(content) else []
    tree = _tree(file) if names else None
    for name in names:
        line, node = _child(tree, name) or (None, None)
        yield Variable(str(name), content[name], file, shared, node, line)


def _is_ours(name: object) -> bool:
    return isinstance(name, str) and name.startswith(PREFIX)


def _is_mapping(content: object) -> bool:
    return isinstance(content, dict)


def _is_vaulted(file: str) -> bool:
    with Path(file).open("rb") as content:
        return content.read(len(_VAULTED)) == _VAULTED


def _in_inventory(inventory: InventoryData, files: Sequence[Path]) -> Iterator[Variable]:
    trees = [(str(file), _tree(str(file))) for file in files if file.suffix in _ENDINGS]
    owners: list[tuple[str, bool, Unchecked]] = [
        *((host.name, False, host.vars) for host in inventory.hosts.values()),
        *((group.name, group.name == ALL, group.vars) for group in inventory.groups.values()),
    ]
    for owner, shared, variables in owners:
        for name, raw in variables.items():
            if _is_ours(name):
                file, line, node = _written(owner, name, trees)
                yield Variable(str(name), raw, file or str(files[0]), shared, node, line)


def _written(
    owner: str, name: str, trees: Sequence[tuple[str, yaml.Node | None]]
) -> tuple[str, int | None, yaml.Node | None]:
    """Where an inventory gives a variable to a node or a group."""
    for file, tree in trees:
        for below in _named(owner, tree):
            for node in (below, _node(below, "vars")):
                if found := _child(node, name):
                    return file, *found
    return "", None, None


def _named(name: str, node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Every value of this key, however deep."""
    for key, below in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == name:
            yield below
        yield from _named(name, below)


# --- YAML's own tree -----------------------------------------------------------------


def _tree(file: str) -> yaml.Node | None:
    try:
        with Path(file).open(encoding="utf-8") as content:
            return yaml.compose(content, Loader=_Loader)
    except (OSError, ValueError, yaml.YAMLError):
        return None  # no YAML: there are no lines to name


def _child(node: yaml.Node | None, step: object) -> tuple[int, yaml.Node] | None:
    """The line and the node of a key or an item."""
    if isinstance(node, yaml.MappingNode):
        for key, below in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, below
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        below = node.value[step]
        return below.start_mark.line + 1, below
    return None


def _node(node: yaml.Node | None, step: object) -> yaml.Node | None:
    found = _child(node, step)
    return found[1] if found else None
