# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Write the catalogues of what people read: python -m tools.messages, or make messages.

English is in the code and in the schemas; French is in fr/LC_MESSAGES/archipel.po, typeset here.
What is compiled of it, archipel.mo, is kept in git beside it: the collection runs from a checkout
too, where nothing is built, and Python reads it without any package.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import typing as t
from pathlib import Path

import yaml
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "plugins/plugin_utils/_core/locale"
TEMPLATE = FOLDER / "archipel.pot"
# What is read by people, and where.
SOURCES = ("playbooks", "plugins", "tools")
# What a playbook says.
_SAID = re.compile(r"'([^']+)'\s*\|\s*archipel\.spaces\.said\b")
# Function → how many of its first arguments are texts.
KEYWORDS = {"_": 1, "mark": 1, "ngettext": 2}
_HEADER = """\
# What Archipel says to people. English is in the code; `make messages` writes this file.
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
#"""
_CODE = re.compile(r"(`[^`]*`)")
# Before these French has a blank that never breaks: a narrow one, and a wide one.
_NARROW = re.compile(r"[ \u00a0\u202f](?=[;!?](?!\w))")
_WIDE = re.compile(
    r"[ \u00a0\u202f](?=[:»%](?!\w))|(?<=«)[ \u00a0\u202f]|(?<=[\d}]) (?=(?:[KMGT]?o|[KMG]io)\b)"
)
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")


def extract() -> Catalog:
    """Return every text of the sources, in the order of files and lines."""
    catalogue = Catalog(charset="utf-8")
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            name = str(path.relative_to(ROOT))
            for text in _texts(path):
                catalogue.add(text, None, [(name, 1)])
    return catalogue


def _texts(path: Path) -> list[str | tuple[str, ...]]:
    if path.name.endswith(".schema.json"):
        return list(dict.fromkeys(_descriptions(json.loads(path.read_text(encoding="utf-8")))))
    if path.suffix == ".yml" and "playbooks" in path.parts:
        return _SAID.findall("\n".join(_scalars(path)))
    if path.suffix != ".py":
        return []
    found = _Calls(path)
    found.visit(ast.parse(path.read_text(encoding="utf-8")))
    return found.texts


def _scalars(path: Path) -> t.Iterator[str]:
    """The texts of a playbook as Ansible has them: folded lines are one."""
    tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    queue = [tree] if tree else []
    while queue:
        node = queue.pop(0)
        if isinstance(node, yaml.ScalarNode):
            yield node.value
        for below in node.value if isinstance(node.value, list) else ():
            queue += below if isinstance(below, tuple) else [below]


class _Calls(ast.NodeVisitor):
    """Texts of a program, in their order. Babel's own reader does not look into f-strings."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.texts: list[str | tuple[str, ...]] = []

    def visit_Call(self, node: ast.Call) -> None:
        """Note the texts of a call.

        Raises:
            ValueError: they are put together before they are translated.

        """
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = node.args[: KEYWORDS.get(name, 0)]
        if any(isinstance(one, ast.JoinedStr | ast.BinOp | ast.IfExp) for one in texts):
            place = f"{self._path}:{node.lineno}"
            raise ValueError(f"{place}: {name}() needs a whole text; fill in {{words}} afterwards")
        known = [str(one.value) for one in texts if isinstance(one, ast.Constant)]
        if known and known != [""]:
            self.texts.append(tuple(known) if name == "ngettext" else known[0])
        self.generic_visit(node)


def _descriptions(node: t.Any) -> t.Iterator[str]:
    """The descriptions below a schema; its own is for who reads the schema."""
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for one in below:
        if isinstance(one, dict) and isinstance(one.get("description"), str):
            yield one["description"]
        yield from _descriptions(one)


class _Plain(Catalog):
    """A catalogue whose header says what programs need: who wrote it, and when, is in git."""

    @property  # type: ignore[misc]
    def mime_headers(self) -> list[tuple[str, str]]:
        """The lines of the header."""
        found = [("Content-Type", "text/plain; charset=utf-8")]
        if self.locale:
            forms = f"nplurals={self.num_plurals}; plural={self.plural_expr};"
            found += [("Language", str(self.locale)), ("Plural-Forms", forms)]
        return found


def _plain(catalogue: Catalog) -> Catalog:
    plain = _Plain(locale=catalogue.locale, charset="utf-8", fuzzy=False, header_comment=_HEADER)
    # What the catalogue says itself: CLDR has a third form, of millions, which nothing here counts.
    forms = {"_num_plurals": catalogue.num_plurals, "_plural_expr": catalogue.plural_expr}
    plain.__dict__.update(forms)
    for one in catalogue:
        if one.id:
            plain.add(one.id, one.string, one.locations, one.flags)
    return plain


def as_text(catalogue: Catalog) -> str:
    """Return a catalogue as the text of a file."""
    file = io.BytesIO()
    write_po(file, _plain(catalogue), width=100, include_lineno=False, sort_output=False)
    return file.getvalue().decode("utf-8")


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue as programs read it."""
    file = io.BytesIO()
    write_mo(file, _plain(catalogue))
    return file.getvalue()


def load(path: Path, language: str) -> Catalog:
    """Read a catalogue."""
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8")


def typeset(text: str) -> str:
    """Return French as it is printed: blanks that do not break, and apostrophes; code as it is."""
    parts = _CODE.split(text)
    return "".join(part if part.startswith("`") else _typeset(part) for part in parts)


def _typeset(text: str) -> str:
    text = _NARROW.sub("\u202f", _WIDE.sub("\u00a0", text))
    return _APOSTROPHE.sub("’", text)


def _typeset_all(strings: t.Any) -> t.Any:
    if isinstance(strings, tuple | list):
        return tuple(typeset(one or "") for one in strings)
    return typeset(strings or "")


def update(path: Path, language: str, template: Catalog) -> Catalog:
    """Return the catalogue of a language with every text of the sources, and no others."""
    found = load(path, language)
    found.update(template, no_fuzzy_matching=True)
    found.obsolete.clear()
    for message in found:
        if message.id and language == "fr":
            message.string = _typeset_all(message.string)
    return found


def find_untranslated(catalogue: Catalog) -> list[str]:
    """Return the texts that a language has no words for."""
    found = []
    for message in catalogue:
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        if message.id and (not all(strings) or message.fuzzy):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return found


def languages() -> list[str]:
    """Return the languages that there are catalogues of."""
    return sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/archipel.po"))


def main() -> int:
    """Write all of them; name what is not translated yet."""
    template = extract()
    TEMPLATE.write_text(as_text(template), encoding="utf-8")
    missing = []
    for language in languages():
        path = FOLDER / language / "LC_MESSAGES/archipel.po"
        catalogue = update(path, language, template)
        path.write_text(as_text(catalogue), encoding="utf-8")
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        missing += [f"{language}: {text}" for text in find_untranslated(catalogue)]
    for line in missing:
        print(f"not translated: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
