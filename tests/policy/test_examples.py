# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What ansible-doc shows of every role, module and filter has examples, and they are right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policy.tree import ROOT, load, roles, shown, under

POINTS = [
    (role, point)
    for role in roles()
    for point in load(role / "meta/argument_specs.yml")["argument_specs"]
]
PLUGINS = [
    path
    for path in under("plugins/modules", "plugins/filter", "plugins/inventory")
    if path.suffix in {".py", ".yml"} and path.name != "__init__.py"
]


def documentation(path: Path) -> tuple[dict[str, Any], str] | None:
    """Return what a plugin says of itself, and its examples; None where another file does."""
    if path.suffix == ".yml":
        found = load(path)
        return found["DOCUMENTATION"], found.get("EXAMPLES", "")
    texts = {
        node.targets[0].id: node.value.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    if "DOCUMENTATION" not in texts:
        return None
    return yaml.safe_load(texts["DOCUMENTATION"]), texts.get("EXAMPLES", "")


DOCUMENTED = {path: found for path in PLUGINS if (found := documentation(path))}


def fragment(name: str) -> set[str]:
    """Return the options of a documentation fragment of this collection."""
    path = ROOT / f"plugins/doc_fragments/{name.split('.')[2]}.py"
    return {
        option
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("\noptions:")
        for option in yaml.safe_load(node.value)["options"]
    }


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Return every mapping in an example: plays, tasks, roles."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from mappings(inner)


def example(role: Path, point: str) -> str:
    return str(load(role / "meta/argument_specs.yml")["argument_specs"][point].get("examples", ""))


@pytest.mark.parametrize(("role", "point"), POINTS, ids=lambda value: getattr(value, "name", value))
class TestRole:
    def test_calls_the_entry_point(self, role: Path, point: str):
        name = f"archipel.spaces.{role.name}"
        found = list(mappings(yaml.safe_load(example(role, point))))
        if point == "main":
            assert any(name in {one.get("role"), one.get("name")} for one in found)
        else:
            assert {"name": name, "tasks_from": point} in found
            assert (role / f"tasks/{point}.yml").is_file()

    def test_gives_it_what_it_takes(self, role: Path, point: str):
        specs = load(role / "meta/argument_specs.yml")["argument_specs"]
        known = {option for spec in specs.values() for option in spec.get("options", {})}
        given = {
            name
            for one in mappings(yaml.safe_load(example(role, point)))
            for name in one.get("vars", {})
        }
        assert given - known == set()


@pytest.mark.parametrize("role", roles(), ids=lambda role: role.name)
def test_the_readme_of_a_role_has_the_same_example(role: Path):
    readme = (role / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Example\n\n```yaml\n(.*?)```", readme, re.DOTALL)
    assert block
    assert block[1] == example(role, "main")


def test_plugins_are_found():
    assert len(DOCUMENTED) > 50


@pytest.mark.parametrize("path", DOCUMENTED, ids=shown)
def test_a_plugin_has_an_example_that_calls_it(path: Path):
    documented, text = DOCUMENTED[path]
    name = documented.get("name") or documented["module"]
    wanted = f"plugin: archipel.spaces.{name}" if "inventory" in path.parts else name
    assert f"archipel.spaces.{name}" in text
    assert wanted.rpartition(".")[2] in text
    assert list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTED if "modules" in path.parts], ids=shown
)
def test_an_example_of_a_module_gives_what_it_takes(path: Path):
    documented, text = DOCUMENTED[path]
    calls = [
        one[f"archipel.spaces.{documented['module']}"]
        for one in mappings(yaml.safe_load(text))
        if f"archipel.spaces.{documented['module']}" in one
    ]
    assert calls
    known = set(documented.get("options", {})) | {
        option
        for name in documented.get("extends_documentation_fragment", [])
        for option in fragment(name)
    }
    assert {name for call in calls for name in call or {}} - known == set()
