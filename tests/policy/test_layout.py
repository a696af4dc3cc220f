# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors

"""A space's names and places on a node are derived in one module, and spelt in no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.tree import shown, under

# What only the module of the layout spells: names of units, users and databases, and folders.
SPELT = re.compile(
    r"space-(?:php|redis|cron|awake|occ)@|archipel-upgrade-$"
    r"|^space[-_]$|\bspace-%$"
    r"|archipel_(?:kept|previous|proof|verification)_"
    r"|/srv/spaces\b|/etc/nginx/archipel(?![\w-])|/etc/archipel/php\b|/run/archipel/(?:php|redis|reloaded|clients)\b"
    r"|/var/lib/archipel/(?:still|closed|life|upgrade|export|network/hosts)\b"
    r"|/var/log/archipel/upgrade\b|/var/spool/archipel/invitations\b"
    r"|^life-$|^\.(?:kept|previous|restore)-$"
)
# Where a slug ends a path, or begins the name of a file.
BEFORE, AFTER = re.compile(r"/$"), re.compile(r"^(?:/|\.(?:conf|json|cnf|eml|log|sock)\b)")
SLUG = re.compile(r"(?:^|\.)(?:slug|target|source)$|\[['\"](?:slug|space)['\"]\]$")
# File → what it spells all the same, and why.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "_build.py": {
        "f\"applied/{space['slug']}.json\"": "for review on the controller, and on no node"
    },
    "_secrets.py": {
        "f'archipel/1/{purpose}/{slug}/{rotation}'": "what a key is derived for, and no path"
    },
}
FILES = [
    path
    for path in under("plugins", suffix=".py")
    if path.name not in {"_layout.py", "_unit_names.py"} and "/filter/" not in shown(path)
]


def texts(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the texts of a module that are no documentation."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
        if isinstance(node.body[0], ast.Expr)
    } | {
        id(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) in {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    }
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in documentation | inner:
            continue
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            yield node


def spells(node: ast.expr) -> bool:
    """Tell whether a text spells a name or place of a space."""
    if isinstance(node, ast.Constant):
        return bool(SPELT.search(str(node.value)))
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    for number, part in enumerate(parts):
        if isinstance(part, ast.Constant):
            if SPELT.search(str(part.value)):
                return True
            continue
        if isinstance(part, ast.FormattedValue) and SLUG.search(ast.unparse(part.value)):
            before = parts[number - 1] if number else None
            after = parts[number + 1] if number + 1 < len(parts) else None
            begins = isinstance(before, ast.Constant) and BEFORE.search(str(before.value))
            goes_on = isinstance(after, ast.Constant) and AFTER.search(str(after.value))
            if begins and (goes_on or after is None):
                return True
    return False


def found(source: str) -> list[str]:
    return [ast.unparse(node) for node in texts(ast.parse(source)) if spells(node)]


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_names_of_a_space_come_from_the_layout(path: Path):
    allowed = EXCEPTIONS.get(path.name, {})
    assert [text for text in found(path.read_text("utf-8")) if text not in allowed] == []


def test_each_exception_is_still_one():
    for name, allowed in EXCEPTIONS.items():
        (path,) = [path for path in FILES if path.name == name]
        assert set(allowed) <= set(found(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        'unit = f"space-php@{slug}.service"',
        'name = f"space_{slug}"',
        'home = f"{root}/{job.slug}"',
        'config = f"{root}/{slug}/config/config.php"',
        "path = f\"{folder}/{item['space']}.cnf\"",
        'PLACE = "/srv/spaces"',
        'lock = f"life-{slug}"',
    ],
)
def test_a_spelt_name_would_be_found(source: str):
    assert len(found(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""As space-php@velo.service."""',
        'text = f"{slug}: no such space"',
        'only = f"-e only={slug} -e at=latest"',
        'groups = ["space-admins"]',
        'domain = f"{slug}.{base}"',
    ],
)
def test_what_is_no_name_is_left_alone(source: str):
    assert found(source) == []
