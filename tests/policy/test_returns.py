# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Return values: a key means the same in every module, and what is returned is documented."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policy.tree import ROOT

PLUGINS = "ansible_collections.archipel.spaces.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
UTILS = {path.stem: path for path in (ROOT / "plugins/module_utils").rglob("_*.py")}
# Ansible's own, or of nobody's interest where the run failed.
ANSIBLES = {"changed", "diff", "msg", "skipped"}
REPORT = {"spaces", "failed_spaces", "node"}


def documented(name: str) -> dict[str, Any]:
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    return dict(yaml.safe_load(module.RETURN) or {})


def shared() -> dict[str, Any]:
    fragment = importlib.import_module(f"{PLUGINS}.doc_fragments.spaces").ModuleDocFragment
    return dict(yaml.safe_load(fragment.RETURN))


def sentences(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("name", MODULES)
def test_what_modules_have_in_common_they_say_alike(name: str):
    common, wrong = shared(), []
    for key, one in documented(name).items():
        if key not in common:
            continue
        said, held = sentences(one["description"]), sentences(common[key]["description"])
        alike = all(
            one.get(field) == common[key].get(field) for field in ("type", "returned", "elements")
        )
        if not alike or said[: len(held)] != held:
            wrong.append(key)
    assert wrong == []


def facts_in(source: ast.Module) -> set[str]:
    """Return the keys that code adds to a report, or gives exit_json by name."""
    found: set[object] = set()
    for node in ast.walk(source):
        if isinstance(node, ast.Assign):
            found |= keys_set(node.targets, node.value)
        elif isinstance(node, ast.AugAssign):
            found |= keys_set([node.target], node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".exit_json"):
            found |= {keyword.arg for keyword in node.keywords}
    return {str(key) for key in found if key}


def keys_set(targets: Sequence[ast.expr], value: ast.expr) -> set[object]:
    """Return the keys of a report's facts that one assignment names."""
    found: set[object] = set()
    for target in targets:
        if isinstance(target, ast.Subscript) and is_facts(target.value):
            found.add(getattr(target.slice, "value", None))
        elif is_facts(target) and isinstance(value, ast.Dict):
            found |= {getattr(key, "value", None) for key in value.keys}
    return found


def is_facts(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "facts"


def returned(name: str) -> set[str]:
    """Return the keys that a module may return, as far as its code names them."""
    path = ROOT / f"plugins/modules/{name}.py"
    text = path.read_text(encoding="utf-8")
    source = ast.parse(text)
    whole = "report.result()" in text
    found = facts_in(source) | (REPORT if whole else set())
    if whole:
        for node in ast.walk(source):
            names = [alias.name for alias in getattr(node, "names", ())]
            for other in names if isinstance(node, ast.ImportFrom) else ():
                if other in UTILS:
                    found |= facts_in(ast.parse(UTILS[other].read_text(encoding="utf-8")))
    return found - consumed(name) - ANSIBLES


def consumed(name: str) -> set[str]:
    """Return the keys that an action plugin takes out of what its module returns."""
    path = Path(ROOT, f"plugins/action/{name}.py")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return set(re.findall(r"\.pop\(\"(\w+)\"", text))


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_returns_is_documented(name: str):
    assert returned(name) - set(documented(name)) == set()


def test_a_key_that_nobody_documents_would_be_found():
    source = "report.facts['a'] = 1\nreport.facts |= {'b': 2}\nmodule.exit_json(c=3, **rest)\n"
    assert facts_in(ast.parse(source)) == {"a", "b", "c"}
    assert {"begun", "remaining"} <= returned("spaces_installations")
    assert "wanted_logos" not in returned("spaces_installations")


@pytest.mark.parametrize("name", MODULES)
def test_bulk_modules_document_how_many_spaces_they_know(name: str):
    """The action adds it to what the module says."""
    path = ROOT / f"plugins/action/{name}.py"
    if path.is_file() and "(SpacesAction" in path.read_text(encoding="utf-8"):
        assert "known" in documented(name)
