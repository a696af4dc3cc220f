# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What makes a repository that people can join: it names what is there, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.policy.test_documents import DOCUMENTS, LINK, commands, text_of
from tests.policy.tree import ROOT, files, load, shown, under
from tools import scenario

INDEX = ROOT / "docs/README.md"
CODE = re.compile(r"`([^`\n]+)`")
# A path of this tree: letters that a path has, and a slash; <…> and … stand for something else.
PATH = re.compile(r"[\w.*{},@-]+(?:/[\w.*{},@-]+)*/?")
# What an entry is about; or an old name and its new one.
SUBJECT = re.compile(r"[A-Za-z][\w.,/ -]* - \S|\S.* → \S")
# What runs make, and what a reader is told to make.
MADE = (
    "build/",
    "inventories/production",
    "registry/production",
    "registry/demo/spaces/chorale-des-halles.yml",
)
TOPS = {path.relative_to(ROOT).parts[0] for path in files()}


def reached(start: Path) -> set[Path]:
    """Return the documents that links lead to, from one on."""
    seen: set[Path] = set()
    queue = [start]
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file() or path.suffix != ".md":
            continue
        seen.add(path)
        queue += [(path.parent / target).resolve() for target in LINK.findall(text_of(path))]
    return seen


@pytest.mark.parametrize("ending", [".md", ".fr.md"])
def test_every_document_is_in_the_index(ending: str):
    """Of its language; those in a folder of their own may be behind that folder's first page."""
    index = INDEX.with_name(f"README{ending}")
    linked = {(index.parent / target).resolve() for target in LINK.findall(text_of(index))}
    documents = {
        path
        for path in DOCUMENTS
        if path.is_relative_to(index.parent)
        and path.name.endswith(ending)
        and path.name.endswith(".fr.md") == (ending == ".fr.md")
    } - {index}
    beside = {path for path in documents if path.parent == index.parent}
    assert [shown(path) for path in sorted(beside - linked)] == []
    assert [shown(path) for path in sorted(documents - reached(index))] == []


def test_the_index_is_for_each_kind_of_reader():
    assert len(re.findall(r"^## (?:I |My )", text_of(INDEX), re.MULTILINE)) == 4


def paths_in(document: Path) -> list[str]:
    """Return what a document names in code and is a path of this tree, not of a machine."""
    text = re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL)
    return sorted(
        {
            word
            for code in CODE.findall(text)
            for word in code.split()
            if "/" in word and PATH.fullmatch(word) and word.split("/")[0] in TOPS
        }
    )


def expanded(path: str) -> list[str]:
    """Return the patterns of a path with `{a,b}`."""
    match = re.search(r"\{([^}]*)\}", path)
    if not match:
        return [path]
    head, tail = path[: match.start()], path[match.end() :]
    if "," not in match[1]:
        # A word that is filled in.
        return expanded(f"{head}*{tail}")
    return [one for part in match[1].split(",") for one in expanded(head + part + tail)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_paths_that_are_named_are_there(document: Path):
    missing = [
        path
        for path in paths_in(document)
        for one in expanded(path)
        if not one.startswith(MADE) and not list(ROOT.glob(one.rstrip("/")))
    ]
    assert missing == []


def test_a_path_that_is_not_there_would_be_found(tmp_path: Path):
    document = tmp_path / "a.md"
    document.write_text(
        "`plugins/module_utils/_*.py`, `roles/nowhere/`, `/etc/nginx`, `a/b`, `tests/{unit,no}`"
    )
    assert paths_in(document) == ["plugins/module_utils/_*.py", "roles/nowhere/", "tests/{unit,no}"]
    assert expanded("tests/{unit,no}") == ["tests/unit", "tests/no"]
    assert expanded("docs/{name}.md") == ["docs/*.md"]


def test_architecture_names_paths():
    assert len(paths_in(ROOT / "docs/architecture.md")) > 10


def test_architecture_names_every_variable():
    """Those that people set, that the inventory gives and that a node may have."""
    section = text_of(ROOT / "docs/architecture.md").partition("\n## Variables\n")[2]
    named = set(re.findall(r"`(archipel_\w+)`", section.partition("\n## ")[0]))
    known = set(json.loads(text_of(ROOT / "schema/policy.schema.json"))["properties"])
    assert known - named == set()
    assert named - known == set()


def test_cleaning_up_knows_every_machine_of_a_scenario():
    text = text_of(ROOT / "Makefile").replace("\\\n", " ")
    (names,) = re.findall(r"for machine in ([\w\s-]+);", text)
    made = {name for machines in scenario.FURTHER.values() for name in machines.values()}
    assert {f"archipel-{name}" for name in names.split()} == made


def test_hooks_call_targets_that_exist():
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    hooks = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        program, target = hook["entry"].split()
        assert (program, target in targets) == ("make", True), hook["entry"]


def pins() -> dict[str, str]:
    text = text_of(ROOT / "requirements.txt")
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


def test_the_execution_environment_has_the_same_pins():
    environment = load(ROOT / "execution-environment/execution-environment.yml")["dependencies"]
    named = [*environment["python"], environment["ansible_core"]["package_pip"]]
    assert dict(one.split("==") for one in named).items() <= pins().items()
    runtime = text_of(ROOT / "requirements.txt").partition("# development")[0]
    wanted = set(re.findall(r"^([\w.-]+)==", runtime, re.MULTILINE)) - {"ansible", "rich"}
    assert {one.split("==")[0] for one in named} == wanted


def test_the_execution_environment_has_the_collections_that_galaxy_names():
    environment = load(ROOT / "execution-environment/execution-environment.yml")["dependencies"]
    there = {one["name"]: one.get("version") for one in environment["galaxy"]["collections"]}
    assert load(ROOT / "galaxy.yml")["dependencies"].items() <= there.items()


def test_renovate_leaves_the_catalogue_alone():
    rules = json.loads(text_of(ROOT / "renovate.json"))
    assert set(rules["enabledManagers"]) == {"pip_requirements", "ansible-galaxy"}


def test_no_version_is_released_that_galaxy_does_not_name_yet():
    released = yaml.safe_load(text_of(ROOT / "changelogs/changelog.yaml"))["releases"]
    current = load(ROOT / "galaxy.yml")["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", current)
    newer = [v for v in released if [*map(int, v.split("."))] > [*map(int, current.split("."))]]
    assert newer == []


def test_a_fragment_says_what_each_entry_is_about():
    """A subject, a hyphen and a sentence: the changelog sorts entries by them."""
    wrong = []
    # None is there right after a version was made.
    for path in under("changelogs/fragments", suffix=".yml"):
        sections = load(path)
        entries = [e for name, some in sections.items() if name != "release_summary" for e in some]
        wrong += [f"{shown(path)}: {entry}" for entry in entries if not SUBJECT.match(entry)]
        if not path.read_text(encoding="utf-8").startswith("---\n"):
            wrong.append(f"{shown(path)}: its first line is not ---")
    assert wrong == []


@pytest.mark.parametrize(
    ("entry", "right"),
    [
        ("backup - one node makes the repository.", True),
        ("upgrade, status - a file is no folder.", True),
        ("``kept`` → ``previous`` (option)", True),
        ("A backup is made once.", False),
    ],
)
def test_what_names_no_subject_would_be_found(entry: str, right: bool):
    assert bool(SUBJECT.match(entry)) is right


def test_a_version_can_be_made_as_it_is_written_down():
    """What antsibull-changelog writes passes our own style, and git ignores its cache."""
    ignored = subprocess.run(
        ["git", "check-ignore", "changelogs/.plugin-cache.yaml"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0
    for settings, key in ((".yamllint", "ignore"), (".ansible-lint", "exclude_paths")):
        assert "changelogs/changelog.yaml" in load(ROOT / settings)[key]
    # Where the last version took all fragments away the folder stays.
    assert (ROOT / "changelogs/fragments/.gitkeep").is_file()


def test_security_says_where_to_write_and_invents_nobody():
    text = text_of(ROOT / "SECURITY.md")
    assert re.search(r"[\w.]+@[\w.]+", text) is None
    assert "Do not open an issue" in text


def test_the_licence_is_the_same_twice():
    assert text_of(ROOT / "LICENSE") == text_of(ROOT / "LICENSES/AGPL-3.0-or-later.txt")


def test_documents_are_called_by_their_commands():
    """The programs that docs/releasing.md calls are those of the project."""
    for line in commands(text_of(ROOT / "docs/releasing.md")):
        program = line.split()[0]
        assert program in {".", "antsibull-changelog", "ansible-galaxy", "git", "make", "sed"}, line
