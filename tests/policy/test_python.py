# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Rules for our own Python, PHP and shell that no linter knows."""

from __future__ import annotations

import ast
import functools
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.policy.tree import ROOT, files, shown, under

FUNCTION_LINES = 40
MAIN_LINES = 20
PYTHON = under("plugins", "roles", "tools", "tests", "molecule", suffix=".py")
NODE_SIDE = under("plugins/modules", "plugins/module_utils", suffix=".py")
# Nodes have a Debian's own Python and nothing else.
NODE_IMPORTS = {"ansible", "ansible_collections", "pymysql"}
OURS = "ansible_collections.archipel.spaces.plugins"


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def length(function: ast.FunctionDef) -> int:
    """Count the lines of the body: documentation is not what makes a function long."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", PYTHON, ids=shown)
def test_functions_fit_on_a_screen(path: Path):
    long = {f.name: length(f) for f in functions(path) if length(f) > FUNCTION_LINES}
    assert long == {}


@pytest.mark.parametrize("path", under("plugins/modules", suffix=".py"), ids=shown)
def test_the_main_of_a_module_is_short(path: Path):
    """A module is documentation, an argument specification and a few lines."""
    assert [length(f) for f in functions(path) if f.name == "main" and length(f) > MAIN_LINES] == []


@pytest.mark.parametrize("path", [p for p in PYTHON if p.stat().st_size], ids=shown)
def test_python_files_name_their_licence_and_future(path: Path):
    text = path.read_text(encoding="utf-8")
    # REUSE-IgnoreStart
    assert "# SPDX-License-Identifier: AGPL-3.0-or-later" in text.split("\n\n", 1)[0]
    # REUSE-IgnoreEnd
    if imports(path):
        assert "from __future__ import annotations" in text


@pytest.mark.parametrize("path", NODE_SIDE, ids=shown)
def test_what_runs_on_a_node_imports_only_what_nodes_have(path: Path):
    top = {name.split(".")[0] for name in imports(path) if name}
    assert top - NODE_IMPORTS - set(sys.stdlib_module_names) == set()
    assert not any(name.startswith(f"{OURS}.plugin_utils") for name in imports(path))


@pytest.mark.parametrize("path", under("plugins/plugin_utils", suffix=".py"), ids=shown)
def test_helpers_of_the_controller_do_not_import_plugins(path: Path):
    """Plugins are thin and call helpers, never the other way round."""
    allowed = (f"{OURS}.plugin_utils", f"{OURS}.module_utils")
    wrong = [n for n in imports(path) if n.startswith(OURS) and not n.startswith(allowed)]
    assert wrong == []


@pytest.mark.parametrize("path", under("tests", "molecule", suffix=".py"), ids=shown)
def test_no_test_is_left_out(path: Path):
    """A test that is skipped, or expected to fail, proves nothing."""
    words = {"skip", "skipif", "xfail", "importorskip"}
    used = {n.attr for n in ast.walk(tree(path)) if isinstance(n, ast.Attribute)}
    assert used & words == set()


def test_no_file_names_the_machine_it_was_written_on():
    here = {str(ROOT), str(ROOT.parent / "shared"), str(Path.home() / ".cache")}
    wrong = []
    for path in files():
        content = path.read_bytes()
        wrong += [shown(path) for place in here if place.encode() in content]
    assert wrong == []


def test_scripts_stop_at_the_first_error():
    scripts = [p for p in files() if p.read_bytes()[:20].startswith((b"#!/bin/bash", b"#!/bin/sh"))]
    assert scripts
    assert [shown(p) for p in scripts if "set -eu" not in p.read_text(encoding="utf-8")] == []


@functools.cache
def outcomes() -> dict[tuple[str, str], str]:
    """Return (module, function) → what kind of failure its value tells of."""
    found = {}
    for path in PYTHON:
        for function in functions(path):
            returns = ast.unparse(function.returns) if function.returns else ""
            if returns.rpartition(".")[2] in {"Failures", "Outcome"}:
                found[path.stem, function.name] = returns
    return found


def dropped(module: str, source: ast.Module) -> list[str]:
    """Return the calls whose value tells of a failure, and is looked at by nobody."""
    found = []
    for node in ast.walk(source):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        call, text = node.value, ast.unparse(node.value)
        name = ast.unparse(call.func)
        key = tuple(name.split(".")) if "." in name else (module, name)
        checked = any(
            one.arg == "check" and ast.unparse(one.value) == "True" for one in call.keywords
        )
        if key in outcomes() or (name == "subprocess.run" and not checked):
            found.append(f"line {node.lineno}: {text[:70]}")
    return found


@pytest.mark.parametrize("path", under("plugins", "roles", "tools", suffix=".py"), ids=shown)
def test_no_failure_is_dropped(path: Path):
    """A function that returns what failed does not raise: whoever calls it must look."""
    assert dropped(path.stem, tree(path)) == []


def test_a_dropped_failure_would_be_found():
    source = "_systemd.run_sliced(units, 'stop')\nsubprocess.run(command, check=False)\n"
    assert len(dropped("example", ast.parse(source))) == 2
    kept = "failed = _systemd.run_sliced(units, 'stop')\nsubprocess.run(command, check=True)\n"
    assert dropped("example", ast.parse(kept)) == []


def executed(source: ast.AST) -> t.Iterator[ast.AST]:
    """Every node but those that a type checker alone reads."""
    yield source
    for node in ast.iter_child_nodes(source):
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield from executed(node)


@pytest.mark.parametrize("role", ["backup", "spaces"])
def test_programs_that_carry_our_modules_carry_all_of_them(role: str):
    """What one of them imports is put onto the node beside it; types do not travel."""
    text = (ROOT / f"roles/{role}/vars/main.yml").read_text(encoding="utf-8")
    carried = set(yaml.safe_load(text)[f"__{role}_modules"])
    here = {
        f"{path.parent.name}/{path.stem}": path
        for path in under("plugins/module_utils", suffix=".py")
    }
    needed = {
        module
        for name in carried
        for node in executed(tree(here[name]))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS)
        for path in [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        if (module := "/".join(path.split(".")[-2:])) in here
    }
    assert needed - carried == set()
