# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Documents that do not lag behind the tree, in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import ansible_collections
import pytest

from tests.policy.tree import ROOT, load, matching, shown, under

TRANSLATED = ("README", "CONTRIBUTING")
# Templates for other people's repositories are no documents of this one.
EXAMPLES = ROOT / "docs/examples"
DOCUMENTS = [path for path in matching("*.md") if not path.is_relative_to(EXAMPLES)]
FRENCH = [path for path in DOCUMENTS if path.name.endswith(".fr.md")]
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)]+)\)")
VARIABLES = {
    word
    for path in under("playbooks", "roles", "group_vars", suffix=".yml")
    for word in re.findall(r"\b[a-z]\w+\b", path.read_text(encoding="utf-8"))
}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TRANSLATED)
class TestTranslation:
    def test_shows_the_same_commands(self, name: str):
        english, french = (commands(text_of(ROOT / f"{name}{end}.md")) for end in ("", ".fr"))
        assert english == french
        assert english

    def test_names_the_same_commands_in_its_sentences(self, name: str):
        english, french = (spans(text_of(ROOT / f"{name}{end}.md")) for end in ("", ".fr"))
        assert english ^ french == set()
        assert english


@pytest.mark.parametrize("path", FRENCH, ids=shown)
def test_french_documents_have_the_outline_of_the_english_ones(path: Path):
    english = path.with_name(path.name.replace(".fr.md", ".md"))
    assert outline(text_of(path)) == outline(text_of(english))


@pytest.mark.parametrize("path", FRENCH, ids=shown)
def test_french_documents_show_the_commands_of_the_english_ones(path: Path):
    english = path.with_name(path.name.replace(".fr.md", ".md"))
    assert set(commands(text_of(english))) - set(commands(text_of(path))) == set()


@pytest.mark.parametrize("path", FRENCH, ids=shown)
def test_french_documents_lead_to_french_ones(path: Path):
    """Where there are; only the link to this very page leads to English."""
    own = path.name.replace(".fr.md", ".md")
    english = [
        target
        for target in LINK.findall(text_of(path))
        if target.endswith(".md")
        and not target.startswith("http")
        and (path.parent / target.replace(".md", ".fr.md")).is_file()
        and not target.endswith(".fr.md")
        and target != own
    ]
    assert english == []


@pytest.mark.parametrize("path", FRENCH, ids=shown)
def test_what_is_typed_is_not_typeset_as_french(path: Path):
    """A shell takes a curly apostrophe for a letter."""
    sentences = CODE.sub("", text_of(path))
    assert [code for code in INLINE.findall(sentences) if "\u2019" in code] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_links_lead_somewhere(path: Path):
    targets = [t for t in LINK.findall(text_of(path)) if not t.startswith(("http", "mailto"))]
    assert [t for t in targets if not (path.parent / t).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_links_lead_to_headings_that_are_there(path: Path):
    wrong = []
    for target, anchor in ANCHOR.findall(text_of(path)):
        document = path.parent / target if target else path
        if not target.startswith("http") and anchor not in anchors(document):
            wrong.append(f"{target}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_options_of_playbooks_that_documents_name_exist(path: Path):
    """A variable that nobody reads would be taken without a word."""
    named = set(re.findall(r"-e (\w+)=", text_of(path)))
    assert named - VARIABLES == set()


@pytest.mark.parametrize("name", ["registry", "registry.fr"])
def test_every_key_of_a_registry_file_is_described(name: str):
    """In both languages, and no key that is none."""
    rows = re.findall(r"^\| (`[^|]*`) \|", text_of(ROOT / f"docs/{name}.md"), re.MULTILINE)
    described = {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row)}
    known = keys(json.loads(text_of(ROOT / "schema/space.schema.json")))
    assert known - described == set()
    # Other tables of the page begin with statuses.
    assert {
        key for key in described if key.split(".")[0] in {k.split(".")[0] for k in known}
    } <= known


@pytest.mark.parametrize("path", matching("playbooks/*.yml"), ids=shown)
def test_every_playbook_is_in_the_readme(path: Path):
    assert f"playbooks/{path.name}" in text_of(ROOT / "README.md")


def test_every_make_target_that_documents_name_exists():
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {
        target
        for path in DOCUMENTS
        for block in re.findall(r"`{1,3}[^`]*`{1,3}", text_of(path))
        for target in re.findall(r"(?:`|\n)make ([a-z][a-z-]*)", block)
    }
    assert named - targets == set()


def test_every_dependency_is_pinned_and_has_a_reason():
    reasons = text_of(ROOT / "docs/dependencies.md").lower()
    lines = [
        line
        for line in text_of(ROOT / "requirements.txt").splitlines()
        if line and not line.startswith("#")
    ]
    pinned = re.compile(r'[A-Za-z0-9_.-]+==[0-9.]+(; platform_machine == "x86_64")?')
    unpinned = [line for line in lines if not pinned.fullmatch(line)]
    unexplained = [line for line in lines if f"`{line.split('==')[0].lower()}`" not in reasons]
    assert (unpinned, unexplained) == ([], [])


def test_the_ansible_bundle_carries_the_collections_we_name():
    """So that pip alone installs everything: Galaxy is not needed."""
    bundle = [Path(place) for place in ansible_collections.__path__]
    wanted = {
        entry["name"]: entry["version"] for entry in load(ROOT / "requirements.yml")["collections"]
    }
    missing = []
    for name, version in wanted.items():
        manifests = [place / name.replace(".", "/") / "MANIFEST.json" for place in bundle]
        found = [json.loads(text_of(m)) for m in manifests if m.is_file()]
        if not found or number(found[0]["collection_info"]["version"]) < number(version):
            missing.append(f"{name} {version}")
    assert missing == []


def test_galaxy_names_the_same_collections():
    """Who installs the collection gets what it uses."""
    listed = load(ROOT / "galaxy.yml")["dependencies"]
    wanted = {e["name"]: e["version"] for e in load(ROOT / "requirements.yml")["collections"]}
    assert {name: wanted.get(name) for name in listed} == listed


def test_the_collection_in_place_is_this_tree():
    """The links under collections/ lead to the folders beside it, and to all of them."""
    place = ROOT / "collections/ansible_collections/archipel/spaces"
    links = {link.name: link.resolve() for link in place.iterdir()}
    assert links == {name: ROOT / name for name in links}
    assert links.keys() >= {"galaxy.yml", "meta", "playbooks", "plugins", "roles"}


def test_every_document_is_reachable_from_the_readme():
    seen: set[Path] = set()
    queue = [ROOT / "README.md", ROOT / "README.fr.md"]
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        if path.suffix == ".md":
            targets = LINK.findall(text_of(path))
            queue += [(path.parent / t).resolve() for t in targets if not t.startswith("http")]
    ours = [path for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")]
    assert [shown(path) for path in ours if path not in seen] == []


def commands(text: str) -> list[str]:
    """Return what a reader is told to type; the comments beside it are translated."""
    return [
        line.split("#")[0].strip()
        for block in re.findall(r"```(?:console|sh|shell)\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.split("#")[0].strip()
    ]


def spans(text: str) -> set[str]:
    """Return what a sentence tells to type: code of more than one word."""
    found = (" ".join(code.split()) for code in INLINE.findall(CODE.sub("", text)))
    return {code for code in found if " " in code}


def outline(text: str) -> list[str]:
    return HEADING.findall(CODE.sub("", text))


def keys(schema: dict[str, Any], prefix: str = "") -> set[str]:
    """Return the keys of a schema, those of mappings with a point."""
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= keys(part, f"{prefix}{name}.") or {f"{prefix}{name}"}
    return found


def anchors(document: Path) -> set[str]:
    """Return what a forge makes of a document's headings."""
    heads = re.findall(r"^#+ (.*)$", CODE.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
