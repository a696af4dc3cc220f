# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Build the documents as a site: python -m tools.site FOLDER.

One site for each language, the second one in a folder of the first; both work from a folder,
without a server. docs/site/ has what they look like and their navigation.
"""

from __future__ import annotations

import argparse
import logging
import posixpath
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from tools import ROOT, site_check, site_text
from tools.site_text import LANGUAGES, SOURCE, Tree

SITE = ROOT / "docs/site"
# Where readers begin, whose links lead to all others.
FIRST = "docs/README.md"
# For a folder that documents link to: what is in it.
CONTENTS = {"en": "In the folder `{}`:\n\n", "fr": "Dans le dossier `{}` :\n\n"}


def read_tree(root: Path) -> Tree:
    """Return the documents that can be reached from the first one, and what else they link to."""
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
    tracked = {name for name in names.split("\0") if (root / name).is_file()}
    folders = {parent for name in tracked for parent in _parents(name)}
    documents: dict[str, str] = {}
    files: set[str] = set()
    linked_folders: set[str] = set()
    queue = [FIRST]
    while queue:
        path = queue.pop()
        if path in documents or path in files:
            continue
        if path in folders:
            linked_folders.add(path)
            queue += [name for name in tracked if _is_overview(name, path)]
        elif not site_text.is_document(path):
            files.add(path)
        elif path in tracked:
            documents[path] = (root / path).read_text(encoding="utf-8")
            queue += list(_linked(path, documents[path]))
            queue += [one for one in _versions(path) if one in tracked]
    return Tree(documents, frozenset(files & tracked), frozenset(linked_folders))


def _parents(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name


def _is_overview(name: str, folder: str) -> bool:
    return posixpath.dirname(posixpath.dirname(name)) == folder and name.endswith("/README.md")


def _versions(path: str) -> list[str]:
    plain = site_text.source(path)
    return [plain, *(f"{plain.removesuffix('.md')}.{one}.md" for one in LANGUAGES)]


def _linked(path: str, text: str) -> Iterator[str]:
    for found in site_text.LINK.finditer(site_text.FENCE.sub("", text)):
        target = found["target"]
        if target and ":" not in target:
            yield posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def lay_out(tree: Tree, wanted: str, folder: Path) -> None:
    """Write what the site of one language is built from.

    Raises:
        ValueError: a link leads nowhere.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SITE / "assets", folder / "assets")
    for path in {site_text.source(path) for path in tree.documents}:
        text = site_text.page(path, tree, wanted)
        written = site_text.language(site_text.localized(path, wanted, tree.documents))
        if written != wanted:
            text = site_text.with_note(text)
        head = yaml.safe_dump({"written_in": written}, default_flow_style=False)
        _write(folder / site_text.place(path), f"---\n{head}---\n{text}")
    for path in tree.folders:
        overviews = sorted(one for one in tree.documents if _is_overview(one, path))
        _write(folder / site_text.place(f"{path}/README.md"), contents(path, overviews, wanted))
    for path in tree.files:
        target = folder / site_text.place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)


def contents(folder: str, overviews: list[str], wanted: str) -> str:
    """Return the page of a folder: what its own folders say of themselves. Pure."""
    start = posixpath.dirname(site_text.place(f"{folder}/README.md"))
    lines = [
        f"- [{posixpath.basename(posixpath.dirname(path))}]"
        f"({posixpath.relpath(site_text.place(path), start)})\n"
        for path in overviews
    ]
    return f"# {folder}\n\n{CONTENTS[wanted].format(folder)}{''.join(lines)}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def navigation(parts: list[dict[str, Any]], wanted: str) -> list[Any]:
    """Return the navigation in a language as MkDocs has it; pages have their own titles. Pure."""
    found: list[Any] = []
    for part in parts:
        pages = [site_text.place(path) for path in part.get("pages", [])]
        inner = navigation(part.get("parts", []), wanted)
        found.append({part[wanted]: pages + inner})
    return found


def build_site(target: Path, work: Path) -> None:
    """Build the sites of all languages, strictly: a link that leads nowhere is an error.

    Raises:
        MkDocsException: the site has an error, or a warning.
        ValueError: a link leads nowhere.
    """
    tree = read_tree(ROOT)
    structure = yaml.safe_load((SITE / "navigation.yml").read_text(encoding="utf-8"))
    shutil.rmtree(target, ignore_errors=True)
    for wanted in LANGUAGES:
        lay_out(tree, wanted, work / wanted)
        settings = load_config(
            str(SITE / "mkdocs.yml"),
            strict=True,
            docs_dir=str(work / wanted),
            site_dir=str(target if wanted == SOURCE else target / wanted),
            site_description=structure["description"][wanted],
            nav=[site_text.place(FIRST), *navigation(structure["parts"], wanted)],
            theme={**_theme(), "language": wanted},
            extra={**structure["extra"], "language": wanted},
        )
        # Anchors are those of a forge.
        settings.mdx_configs["toc"]["slugify"] = site_text.slug
        build(settings)


def _theme() -> dict[str, Any]:
    """Given whole: what is given replaces what the file says."""
    theme = yaml.safe_load((SITE / "theme.yml").read_text(encoding="utf-8"))
    return {**theme, "custom_dir": str(SITE / "theme")}


def main() -> int:
    """Build and look at it; say where it is, or what is wrong."""
    parser = argparse.ArgumentParser(description="Build the documents as a site.")
    parser.add_argument("folder", type=Path, help="where the site is put; emptied first")
    # What the builder warns of is what is wrong.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    target = parser.parse_args().folder.resolve()
    try:
        build_site(target, target.with_name(f"{target.name}-pages"))
    except (ValueError, MkDocsException) as error:
        print(f"The site was not built: {error}", file=sys.stderr)
        return 1
    if found := site_check.problems(target):
        print("\n".join(found), file=sys.stderr)
        return 1
    print(f"{target}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
