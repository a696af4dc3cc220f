# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The base comes out of git, whole and at its place, and nothing that is checked out moves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import _snapshot, _trees
from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._snapshot import (
    SnapshotError,
    below,
)

NAMES = ("-c", "user.name=Nadia", "-c", "user.email=nadia@example.org")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *NAMES, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a change", "--allow-empty")
    return git(folder, "rev-parse", "HEAD")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {
        "inventories/lab/nodes.yml": "web: {}\n",
        "inventories/lab/.private/key": "secret",
        "group_vars/all/policy.yml": "archipel_x: 1\n",
        "registry/lab/spaces/velo.yml": "name: Vélo\n",
        "registry/lab/placement.yml": "next_id: 70000\nspaces: {}\n",
        "roles/x.yml": "x",
    }.items():
        write(folder / name, text)
    (folder / "inventories/lab/group_vars/all").mkdir(parents=True)
    (folder / "inventories/lab/group_vars/all/00-baseline").symlink_to("../../../../group_vars/all")
    git(tmp_path, "init", "-qb", "main", str(folder))
    commit(folder)
    return folder


def take(project: Path, target: Path, base: str = "main") -> Path:
    roots = [project / "inventories/lab", project / "registry/lab"]
    repository = _snapshot.find_base(project / "registry/lab", base)
    target.mkdir(exist_ok=True)
    _snapshot.take(repository, roots, target)
    return below(target, project)


def test_has_the_files_of_the_base_at_their_place(project: Path, tmp_path: Path):
    git(project, "checkout", "-qb", "proposal")
    write(project / "registry/lab/spaces/velo.yml", "name: other\n")
    write(project / "group_vars/all/policy.yml", "archipel_x: 2\n")
    before = git(project, "status", "--porcelain")
    there = take(project, tmp_path / "t")
    assert (there / "registry/lab/spaces/velo.yml").read_text() == "name: Vélo\n"
    # The policy is that of the base as well: the link leads to it.
    link = there / "inventories/lab/group_vars/all/00-baseline"
    assert (link / "policy.yml").read_text() == "archipel_x: 1\n"
    assert not (there / "roles").exists()
    assert git(project, "status", "--porcelain") == before
    assert git(project, "rev-parse", "--abbrev-ref", "HEAD") == "proposal"


def test_is_what_a_proposal_began_with(project: Path, tmp_path: Path):
    """What others changed on the branch since then is not what the proposal changes."""
    git(project, "checkout", "-qb", "proposal")
    git(project, "checkout", "-q", "main")
    write(project / "registry/lab/spaces/amap.yml", "name: AMAP\n")
    commit(project)
    git(project, "checkout", "-q", "proposal")
    there = take(project, tmp_path / "t")
    assert not (there / "registry/lab/spaces/amap.yml").exists()


def test_a_policy_elsewhere_is_taken_as_it_is(project: Path, tmp_path: Path):
    """An installed collection has one, and no repository."""
    write(tmp_path / "collection/group_vars/all/policy.yml", "archipel_x: 9\n")
    link = project / "inventories/lab/group_vars/all/00-baseline"
    for target in (
        tmp_path / "collection/group_vars/all",
        "../../../../../collection/group_vars/all",
    ):
        link.unlink()
        link.symlink_to(target)
        commit(project)
        there = take(project, tmp_path / f"t-{str(target)[:2].strip('/.')}")
        found = there / "inventories/lab/group_vars/all/00-baseline/policy.yml"
        assert found.read_text() == "archipel_x: 9\n"


def test_an_inventory_in_another_repository_is_taken_as_it_is(project: Path, tmp_path: Path):
    inventory = tmp_path / "mine/inventories/lab"
    write(inventory / "nodes.yml", "web: {}\n")
    write(inventory / ".private/key", "secret")
    target = tmp_path / "t"
    target.mkdir()
    repository = _snapshot.find_base(project / "registry/lab", "main")
    _snapshot.take(repository, [inventory, project / "registry/lab"], target)
    assert (below(target, inventory) / "nodes.yml").is_file()
    # Keys are copied nowhere.
    assert not (below(target, inventory) / ".private").exists()


def test_what_was_not_there_is_not_there(project: Path, tmp_path: Path):
    (tmp_path / "t").mkdir()
    repository = _snapshot.find_base(project, "main")
    _snapshot.take(repository, [project / "registry/new"], tmp_path / "t")
    assert not below(tmp_path / "t", project / "registry/new").exists()


def test_names_of_all_kinds_are_names(project: Path, tmp_path: Path):
    name = "registry/lab/spaces/:(glob)* \n-é.yml"
    write(project / name, "x")
    commit(project)
    assert (take(project, tmp_path / "t") / name).read_text() == "x"


@pytest.mark.parametrize(
    "base", ["", "--upload-pack=touch /tmp/x", "-n", "a b", "main;id", "$(id)", "a\nb", "🚲", ":/x"]
)
def test_a_base_that_is_no_name_is_refused(project: Path, base: str):
    with pytest.raises(SnapshotError, match="allowed: a branch, a tag or a commit"):
        _snapshot.find_base(project, base)


def test_a_base_that_is_not_there_is_said_with_what_to_do(project: Path):
    with pytest.raises(SnapshotError, match='"origin/main": no such commit; fetch it'):
        _snapshot.find_base(project, "origin/main")


def test_a_history_of_its_own_is_said_with_what_to_do(project: Path):
    git(project, "checkout", "-q", "--orphan", "other")
    write(project / "other.txt", "x")
    commit(project)
    with pytest.raises(SnapshotError, match="no commit in common; fetch the whole history"):
        _snapshot.find_base(project, "main")


def test_a_folder_without_git_is_said(tmp_path: Path):
    with pytest.raises(SnapshotError, match="not a git repository"):
        _snapshot.find_base(tmp_path, "main")


def test_a_computer_without_git_is_told_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SnapshotError, match="git is not installed"):
        _snapshot.find_base(project, "main")


def test_files_elsewhere_are_listed(project: Path):
    repository = _snapshot.find_base(project, "main")
    write(project / "roles/x.yml", "y")
    write(project / "new.txt", "y")
    write(project / "registry/lab/spaces/a.yml", "y")
    assert _snapshot.list_outside(repository, [project / "registry/lab"]) == (
        "new.txt",
        "roles/x.yml",
    )


# --- what differs between two copies ---------------------------------------------------


def tree(folder: Path) -> _trees.Tree:
    return _trees.Tree((folder / "inventories/lab",), folder / "registry/lab")


@pytest.fixture
def sides(project: Path, tmp_path: Path) -> tuple[Path, Path]:
    return take(project, tmp_path / "t"), project


def test_of_two_copies_only_what_differs_is_read(sides: tuple[Path, Path]):
    before, after = sides
    write(after / "registry/lab/spaces/amap.yml", "name: AMAP\n")
    write(after / "registry/lab/spaces/logo.svg", "<svg/>")
    write(after / "registry/lab/contacts.yml", "$ANSIBLE_VAULT;1.1;AES256\n00\n")
    old, new = _trees.read_states(tree(before), tree(after))
    assert old.spaces == {}
    assert new.spaces == {"amap": {"name": "AMAP"}}
    assert new.files == {"amap", "velo"}
    assert new.others == {"contacts.yml", "spaces/logo.svg"}
    assert old.variables == new.variables == {}


@pytest.mark.parametrize("text", ["a: [", "- list\n", "x: " + "y" * 70_000, "\x00", ""])
def test_a_file_that_is_none_is_known_as_wrong(sides: tuple[Path, Path], text: str):
    before, after = sides
    write(after / "registry/lab/spaces/velo.yml", text)
    assert _trees.read_states(tree(before), tree(after))[1].spaces == {"velo": None}


def test_a_link_is_not_followed(sides: tuple[Path, Path], tmp_path: Path):
    write(tmp_path / "secret.yml", "name: secret\n")
    (sides[1] / "registry/lab/spaces/amap.yml").symlink_to(tmp_path / "secret.yml")
    assert _trees.read_states(tree(sides[0]), tree(sides[1]))[1].spaces == {"amap": None}


def test_a_policy_is_compared_by_its_variables(sides: tuple[Path, Path]):
    before, after = sides
    text = "archipel_x: {a: 2, b: [yes, 1.5, ~]}\nsecret: !vault |\n  $ANSIBLE_VAULT;1.1\n  6162\n"
    write(after / "group_vars/all/policy.yml", text)
    write(after / "inventories/lab/nodes.yml", "web: {hosts: {node1: {}}}\n")
    old, new = _trees.read_states(tree(before), tree(after))
    (name,) = [file for file in new.variables if file != "nodes.yml"]
    assert name == "group_vars/all/00-baseline/policy.yml"
    assert old.variables[name] == {"archipel_x": "1"}
    assert new.variables[name]["archipel_x"] == '{"a": 2, "b": [true, "1.5", "~"]}'
    assert new.variables[name]["secret"].startswith('"(encrypted, ')
    assert "6162" not in new.variables[name]["secret"]
    assert new.variables["nodes.yml"] == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", {"*"}),
        ("a: [", set()),
        ("- a\n", set()),
        ("", set()),
        ("a: &x {b: *x}\n", {"a"}),
    ],
)
def test_a_policy_that_is_none_stops_nothing(tmp_path: Path, text: str, names: set[str]):
    path = tmp_path / "group_vars/all/x.yml"
    write(path, text)
    assert set(_trees.read_variables(path)) == names


def test_builds_are_compared_file_by_file(tmp_path: Path):
    for side, files in {"a": ("same", "old", "gone"), "b": ("same", "new!", "come")}.items():
        write(tmp_path / side / "node1/.archipel-build", side)
        write(tmp_path / side / "node1/config/same.php", "x")
        write(tmp_path / side / "node1/config/other.php", files[1])
        write(tmp_path / side / f"node1/config/{files[2]}.php", "x")
        write(tmp_path / side / "changes/changes.md", side)
    found = _trees.read_rendered(tmp_path / "a", tmp_path / "b")
    assert [tuple(one) for one in found] == [
        ("node1", "config/come.php", "added"),
        ("node1", "config/gone.php", "removed"),
        ("node1", "config/other.php", "changed"),
    ]
    assert _trees.read_running(tmp_path / "b", "config") == {
        "node1": frozenset({"same", "other", "come"})
    }
