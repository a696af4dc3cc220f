# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""All the French that people read, by where it stands; nothing of it is a command or a value."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from babel.messages.pofile import read_po

from tools import ROOT

APPLICATION = Path("roles/nextcloud/files/apps/archipel")
# Pages that stand in for a space have both languages in one file; those of the form one each.
PAGES, FORM = (
    Path("roles/spaces/templates/srv/www"),
    Path("roles/intake/templates/srv/www/fr.html.j2"),
)
# Programs with a table of words for each language.
PROGRAMS = (
    Path("plugins/plugin_utils/_dns/_letters.py"),
    Path("plugins/plugin_utils/_intake/_letters.py"),
    Path("roles/intake/files/receiver.py"),
    Path("tools/demo_text.py"),
)
POLICY = (Path("group_vars/all/letters.yml"), Path("group_vars/all/intake.yml"))
CATALOGUE = Path("plugins/plugin_utils/_core/locale/fr/LC_MESSAGES/archipel.po")
# What spaces of the demo are filled with; what of it is no word.
CONTENT = Path("tools/content")
NAMES, TITLED = {"language", "people", "id", "color", "day", "at"}, {"files", "lists", "pages"}
# Templates for other people's repositories are written for programs as well.
EXAMPLES = Path("docs/examples")
# In Markdown and in templates: what is no word, and what stands for one.
MARKUP = re.compile(r"```.*?```|\]\([^)]*\)|<[^>]*>|https?://\S+", re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
TEMPLATE = re.compile(r"\{%.*?%\}|\{#.*?#\}|<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)
VALUE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# A mapping as YAML has it, in a message.
MAPPING = re.compile(r"\{\w+: [^}]*\}")
# What a letter or a message has filled in.
FILLED = re.compile(r"\{\w*\}|%(?:\d+\$)?[sd]|%%")


def all_texts(root: Path = ROOT) -> dict[str, str]:
    """Return the French texts of the project, without markup, by file and key."""
    return {
        **dict(_documents(root)),
        **dict(_pictures(root)),
        **dict(_application(root)),
        **dict(_pages(root)),
        **dict(_programs(root)),
        **dict(_policy(root)),
        **dict(_messages(root)),
        **dict(_content(root)),
    }


def plain(text: str) -> str:
    """Return a document without markup; lines stay where they are. Pure."""
    return CODE.sub("x", MARKUP.sub(_lines, text))


def filled(template: str) -> str:
    """Return a template without markup, with 1 for each value; lines stay where they are. Pure."""
    return TEMPLATE.sub(_lines, VALUE.sub("1", template))


def _lines(found: re.Match[str]) -> str:
    return "\n" * found.group().count("\n")


def translated(source: str, text: str) -> str:
    """Return a translation without what it has in common with its source: keys and values. Pure."""
    kept = set(re.findall(r"[\w-]+", source))
    words = FILLED.sub("1", MAPPING.sub("1", plain(text)))
    return re.sub(r"[\w-]+", lambda word: "1" if word.group() in kept else word.group(), words)


def french_of(page: str) -> str:
    """Return the French words of a page that has both languages. Pure."""
    block = page.partition("'fr': {")[2].partition("\n  },\n")[0]
    return "\n".join(re.findall(r'"([^"\n]*)"', block))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _documents(root: Path) -> Iterator[tuple[str, str]]:
    listed = [
        "git",
        "-C",
        str(root),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(listed, capture_output=True, check=True, timeout=60).stdout.decode()
    for name in sorted(names.split("\0")):
        path = root / name
        if name.endswith(".fr.md") and path.is_file() and EXAMPLES not in Path(name).parents:
            yield name, plain(_read(path))


def _pictures(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "docs/images").glob("*.fr.svg")):
        yield str(path.relative_to(root)), filled(_read(path))


def _application(root: Path) -> Iterator[tuple[str, str]]:
    for english, french in json.loads(_read(root / APPLICATION / "l10n/fr.json"))[
        "translations"
    ].items():
        yield f"{APPLICATION}/l10n/fr.json: {english}", FILLED.sub("1", french)
    for path in sorted((root / APPLICATION / "skeleton/fr").iterdir()):
        yield str(path.relative_to(root)), plain(_read(path))


def _pages(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / PAGES).glob("*.html.j2")):
        if words := french_of(_read(path)):
            yield str(path.relative_to(root)), filled(words)
    yield str(FORM), filled(_read(root / FORM))


def _programs(root: Path) -> Iterator[tuple[str, str]]:
    for program in PROGRAMS:
        for table in ast.walk(ast.parse(_read(root / program))):
            if isinstance(table, ast.Dict):
                for key, value in zip(table.keys, table.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "fr":
                        for line, text in _strings(value):
                            yield f"{program}:{line}", FILLED.sub("1", text)


def _strings(node: ast.expr) -> Iterator[tuple[int, str]]:
    """Return the values of a table, not its keys, with their lines."""
    if isinstance(node, ast.Dict):
        for value in node.values:
            yield from _strings(value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value


def _policy(root: Path) -> Iterator[tuple[str, str]]:
    for path in POLICY:
        yield from (
            (f"{path}: {key}", FILLED.sub("1", text))
            for key, text in _below(yaml.safe_load(_read(root / path)), "")
        )


def _messages(root: Path) -> Iterator[tuple[str, str]]:
    with (root / CATALOGUE).open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    for message in messages:
        # Of a text with a plural there are several.
        source, forms = (
            [one or "" for one in ([part] if isinstance(part, str) else part or [])]
            for part in (message.id, message.string)
        )
        for number, text in enumerate(forms):
            yield f"{CATALOGUE.name}: {source[0]} {number}", translated(source[0], text)


def _content(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / CONTENT).glob("*.yml")):
        content = yaml.safe_load(_read(path))
        if content["language"] == "fr":
            for key, text in _words(content, ""):
                yield f"{path.relative_to(root)}: {key}", plain(text)


def _words(value: Any, key: str, *, titled: bool = False) -> Iterator[tuple[str, str]]:
    """Return the words of plain data: its texts, and keys that are titles of something."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in NAMES:
                if titled:
                    yield f"{key} {name}", name
                yield from _words(inner, f"{key}.{name}".strip("."), titled=name in TITLED)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _words(inner, f"{key}.{number}")
    elif isinstance(value, str):
        yield key, value


def _below(value: Any, key: str, *, french: bool = False) -> Iterator[tuple[str, str]]:
    """Return the texts below a key `fr`, anywhere."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _below(inner, f"{key}.{name}".strip("."), french=french or name == "fr")
    elif french and isinstance(value, str):
        yield key, value
