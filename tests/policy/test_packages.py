# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The packages of plugins/: who may import whom is what docs/architecture.md says, and no more."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
from pathlib import Path

import pytest

from tests.policy.tree import ROOT, shown, under

OURS = "ansible_collections.archipel.spaces.plugins."
DOCUMENT = "docs/architecture.md"
FILE_LINES = 400
HELPERS = under("plugins/module_utils", "plugins/plugin_utils", suffix=".py")
PLUGINS = under("plugins", suffix=".py")
ROW = re.compile(r"^\| `plugins/(\w+/\w+)/` \|([^|]*)\|([^|]*)\|$", re.MULTILINE)


@functools.cache
def table() -> dict[str, tuple[set[str], str]]:
    """Return package → what it may import beside itself, and what it holds, as documented."""
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    return {
        name: (set(may.replace("`", "").split()), holds.strip())
        for name, may, holds in ROW.findall(text)
    }


def package(module: str) -> str:
    """Return `module_utils/_core` of `module_utils._core._files`."""
    return "/".join(module.split(".")[:2])


def name_of(path: Path) -> str:
    """Return `module_utils._core._files` of a file."""
    return ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts)


NAMES = {name_of(path).removesuffix(".__init__") for path in HELPERS}


def imported(source: ast.Module) -> set[str]:
    """Return the helpers that a file imports, by `from package` or `from module`."""
    found: set[str] = set()
    for node in ast.walk(source):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            module = (node.module or "").removeprefix(OURS)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)} & NAMES
    # A package is named on the way to its modules.
    return {name for name in found if name.count(".") == 2}


@functools.cache
def graph() -> dict[str, set[str]]:
    """Return module → helpers that it imports, of all helpers."""
    return {
        name_of(path): imported(ast.parse(path.read_text(encoding="utf-8"))) for path in HELPERS
    }


def test_the_document_names_every_package():
    assert set(table()) == {package(name) for name in NAMES}


@pytest.mark.parametrize("name", sorted(table()))
def test_a_package_says_what_the_document_says(name: str):
    source = (ROOT / "plugins" / name / "__init__.py").read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)) == table()[name][1]


@pytest.mark.parametrize("name", sorted(graph()))
def test_imports_go_the_way_that_the_document_allows(name: str):
    here = package(name)
    assert {package(one) for one in graph()[name]} - {here} <= table()[here][0]


def test_no_permission_is_left_over():
    """What nobody needs any more is taken out, or the next one takes it for the way to go."""
    used: dict[str, set[str]] = {name: set() for name in table()}
    for name, others in graph().items():
        used[package(name)] |= {package(one) for one in others} - {package(name)}
    assert used == {name: may for name, (may, _) in table().items()}


def test_there_is_no_circle():
    """Neither of packages nor, within one, of modules."""
    graphlib.TopologicalSorter({name: may for name, (may, _) in table().items()}).prepare()
    graphlib.TopologicalSorter(graph()).prepare()


def test_a_circle_would_be_found():
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_imports_of_both_forms_are_seen():
    source = (
        f"from {OURS}module_utils._core import _files\n"
        f"from {OURS}module_utils._core._files import replace\n"
        "from json import loads\n"
    )
    assert imported(ast.parse(source)) == {"module_utils._core._files"}


def test_the_flat_folders_hold_packages_alone():
    assert [shown(path) for path in HELPERS if len(name_of(path).split(".")) != 3] == []


@pytest.mark.parametrize("path", PLUGINS, ids=shown)
def test_a_file_has_one_subject(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", HELPERS, ids=shown)
def test_what_is_private_to_a_module_stays_there(path: Path):
    """A name with an underscore belongs to the file that defines it."""
    source = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [
        alias.name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS)
        for alias in node.names
        if alias.name.startswith("_")
        # Alone it is the name that everybody has for gettext.
        and alias.name != "_"
        and (node.module or "").removeprefix(OURS).count(".") == 2
    ]
    wrong += [
        ast.unparse(node)
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id.startswith("_")
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
    ]
    assert wrong == []


@pytest.mark.parametrize("path", under("tests/unit/plugins", suffix=".py"), ids=shown)
def test_tests_lie_as_what_they_test(path: Path):
    parts = path.relative_to(ROOT / "tests/unit/plugins").parts
    if len(parts) == 3 and parts[0] in {"module_utils", "plugin_utils"}:
        subject = path.stem.removeprefix("test")
        modules = [one.stem for one in (ROOT / "plugins" / parts[0] / parts[1]).glob("_*.py")]
        assert any(subject == one or subject.startswith(f"{one}_") for one in modules)
