# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Whoever calls a function reads what it raises: `Raises:` names each error, and when it comes.

An error that is only passed on (`raise` alone) is its source's matter, and what a function within
another one raises is the outer one's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.tree import shown, under

SECTION = re.compile(r"^\s*Raises:\n((?:\s+\S.*\n?|\n)+)", re.MULTILINE)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(node: ast.AST) -> Iterator[Function]:
    """Return the functions of a module and its classes, without those within them."""
    for below in ast.iter_child_nodes(node):
        if isinstance(below, Function):
            yield below
        else:
            yield from functions(below)


def raised(function: Function) -> list[str]:
    """Return what a function raises itself: the names of classes, or what stands for one."""
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            found.append(ast.unparse(what).rpartition(".")[2])
    # An abstract method has nothing to say.
    return [name for name in found if name != "NotImplementedError"]


def undocumented(source: str) -> list[str]:
    """Return the functions of a file that do not say what they raise."""
    found = []
    for function in functions(ast.parse(source)):
        names = raised(function)
        section = SECTION.search(f"{ast.get_docstring(function) or ''}\n")
        # A variable, or a function that makes an error, has another name than its class.
        classes = {name for name in names if name.lstrip("_")[:1].isupper()}
        said = section[1] if section else ""
        lacking = sorted(name for name in classes if not re.search(rf"\b{name}\b", said))
        if names and (section is None or lacking):
            found.append(f"{function.name}: {', '.join(lacking) or 'no section'}")
    return found


@pytest.mark.parametrize("path", under("plugins", suffix=".py"), ids=shown)
def test_what_raises_says_so(path: Path):
    assert undocumented(path.read_text(encoding="utf-8")) == []


def test_one_that_says_nothing_would_be_found():
    head = 'def f():\n    """Do it.\n\n    Raises:\n        ValueError: it is wrong.\n    """\n'
    assert undocumented(f"{head}    raise ValueError") == []
    assert undocumented(f"{head}    raise x.KeyError('y')") == ["f: KeyError"]
    assert undocumented("def f():\n    raise error") == ["f: no section"]
    assert undocumented("def f():\n    try:\n        g()\n    except E:\n        raise") == []
    nested = "class C:\n    def f(self):\n        def g():\n            raise ValueError\n"
    assert undocumented(nested) == ["f: ValueError"]
