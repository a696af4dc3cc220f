# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading the folder: which files, which never, and what the cache may remember."""

from __future__ import annotations

import os
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _registry
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import (
    Cache,
    Record,
)

OLD = time.time() - 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    registry = tmp_path / "spaces"
    registry.mkdir()
    return registry


def accept(_record: Record) -> list[Problem]:
    return []


def read(folder: Path, cache: Cache | None = None) -> _registry.Registry:
    return _registry.read(folder, cache or Cache("1"), accept)


def slugs(registry: _registry.Registry) -> list[str]:
    return [record.slug for record in registry.records]


def sentences(registry: _registry.Registry) -> str:
    return "\n".join(map(str, registry.problems))


def test_files_are_read_in_order(folder: Path):
    for slug in ("zoo", "amap", "velo-ecole"):
        (folder / f"{slug}.yml").write_text(f"name: {slug}\n")
    registry = read(folder)
    assert slugs(registry) == ["amap", "velo-ecole", "zoo"]
    assert registry.records[0].data == {"name": "amap"}
    assert (registry.files, registry.problems) == (3, [])


@pytest.mark.parametrize(
    "name",
    [".hidden.yml", ".velo.yml.swp", "velo.yml~", "#velo.yml#", "velo.yml.bak", "velo.yml.orig",
     "velo.yml.rej", "README.md", "README", "notes.txt", ".gitkeep", "velo.png"],
)  # fmt: skip
def test_leftovers_and_notes_are_passed_over(folder: Path, name: str):
    (folder / name).write_text("[broken")
    registry = read(folder)
    assert (registry.files, registry.records, registry.problems) == (0, [], [])
    # People are told, unless the file is there for them, or hidden.
    assert registry.ignored == ([] if name.startswith((".", "README")) else [name])


def test_a_picture_that_a_file_names_is_not_told(folder: Path):
    (folder / "velo.yml").write_text("theme: {logo: velo.png}\n")
    for name in ("velo.png", "zoo.png"):
        (folder / name).write_bytes(b"")
    assert read(folder).ignored == ["zoo.png"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("velo.yaml", "does not end in .yml; rename it to velo.yml"),
        ("velo.YML", "does not end in .yml; rename it to velo.yml"),
        ("velo.yml.txt", "does not end in .yml; rename it to velo.yml"),
        ("velo.yml.md", "does not end in .yml; rename it to velo.yml"),
        ("velo.YAML.TXT", "does not end in .yml; rename it to velo.yml"),
        ("Vélo École .yml.txt", "does not end in .yml; rename it to velo-ecole.yml"),
        ("velo.yml (1).txt", "does not end in .yml; rename it to velo.yml"),
        ("velo.yml.docx", "does not end in .yml; rename it to velo.yml"),
        ("velo.yml ", "does not end in .yml; rename it to velo.yml"),
        ("README-asso.yml", "rename the file, for instance to readme-asso.yml"),
        ("README.yml", "rename the file, for instance to readme.yml"),
        ("README.yml.txt", "does not end in .yml; rename it to readme.yml"),
        ("velo", "does not end in .yml; move it out of the registry"),
        ("velo.json", "does not end in .yml; move it out of the registry"),
        ("Velo.yml", 'found the slug "Velo"; allowed: 2 to 26 lower-case letters'),
        ("Vélo_École.yml", "rename the file, for instance to velo-ecole.yml"),
        ("1velo.yml", "rename the file, for instance to velo.yml"),
        ("velo-.yml", 'found the slug "velo-"'),
        ("ve--lo.yml", 'found the slug "ve--lo"'),
        ("v.yml", 'found the slug "v"'),
        ("velo.ecole.yml", 'found the slug "velo.ecole"'),
        ("a" * 27 + ".yml", "allowed: 2 to 26"),
        ("日本.yml", "for instance to my-association.yml"),
        ("a\nb.yml", 'found the slug "a\\nb"'),
        ("a\x1b[31mb.yml", 'found the slug "a\\x1b[31mb"'),
    ],
)
def test_a_name_that_is_no_slug_gets_a_proposal(folder: Path, name: str, expected: str):
    (folder / name).write_text("name: x\n")
    registry = read(folder)
    assert registry.records == []
    assert expected in sentences(registry)
    assert "\x1b" not in sentences(registry)


@pytest.mark.parametrize("slug", ["ab", "a1", "a" * 26, "a-b-c", "x1-2y"])
def test_slugs_that_are_fine(folder: Path, slug: str):
    (folder / f"{slug}.yml").write_text("name: x\n")
    assert slugs(read(folder)) == [slug]
    assert len(f"space-{slug}") <= 32, "longer names are no unix users"


def test_every_proposal_is_a_slug():
    for text in ("", "-", "é", "9 lives", "Ça & là", "x" * 80, "a-" * 40, "É.É.É", "_a_"):
        assert _registry.SLUG.fullmatch(_registry.suggest_slug(text)), text


class TestWhatIsNoPlainFile:
    def test_a_link_out_of_the_registry_is_refused(self, folder: Path):
        secret = folder.parent / "secret"
        secret.write_text("name: stolen\n")
        (folder / "velo.yml").symlink_to(secret)
        registry = read(folder)
        assert registry.records == []
        assert "velo.yml: a link to " in sentences(registry)
        assert "outside the registry" in sentences(registry)

    def test_a_chain_of_links_out_of_the_registry_is_refused(self, folder: Path):
        (folder / ".inside").symlink_to("/etc/hostname")
        (folder / "velo.yml").symlink_to(".inside")
        assert "outside the registry" in sentences(read(folder))

    def test_a_link_inside_the_registry_is_read(self, folder: Path):
        """Mounted configuration often looks like this."""
        (folder / ".data").mkdir()
        (folder / ".data" / "velo.yml").write_text("name: x\n")
        (folder / "velo.yml").symlink_to(".data/velo.yml")
        assert slugs(read(folder)) == ["velo"]

    def test_a_link_to_nowhere(self, folder: Path):
        (folder / "velo.yml").symlink_to("gone.yml")
        assert "velo.yml: cannot be read (No such file or directory)" in sentences(read(folder))

    def test_links_that_lead_to_each_other(self, folder: Path):
        (folder / "velo.yml").symlink_to("cine.yml")
        (folder / "cine.yml").symlink_to("velo.yml")
        (folder / "amap.yml").symlink_to("amap.yml")
        said = sentences(read(folder))
        assert said.count("cannot be read (Too many levels of symbolic links)") == 3

    def test_a_folder(self, folder: Path):
        (folder / "velo.yml").mkdir()
        assert "velo.yml: not a plain file" in sentences(read(folder))

    def test_a_pipe_does_not_block(self, folder: Path):
        os.mkfifo(folder / "velo.yml")
        assert "velo.yml: not a plain file" in sentences(read(folder))

    def test_a_large_file(self, folder: Path):
        (folder / "velo.yml").write_text("a: b\n" * 20_000)
        assert "found 100000 bytes; allowed: at most 65536" in sentences(read(folder))

    def test_a_file_this_user_may_not_read(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        (folder / "velo.yml").write_text("name: x\n")
        (folder / "velo.yml").chmod(0)
        folder.chmod(0o755)
        monkeypatch.chdir(folder)
        user = os.geteuid()
        # Root may read anything: be nobody for a moment.
        os.seteuid(user or 65534)
        try:
            registry = read(Path())
        finally:
            os.seteuid(user)
        text = "velo.yml: cannot be read (Permission denied); let the user who runs Ansible read it"
        assert sentences(registry) == text

    @pytest.mark.parametrize("mode", [0o744, 0o654, 0o645])
    @pytest.mark.parametrize("name", ["velo.yml", "velo.png", "README.md", ".velo.swp"])
    def test_a_program(self, folder: Path, name: str, mode: int):
        """By whatever name: Ansible runs what is executable where it looks for inventories."""
        (folder / "amap.yml").write_text("name: x\n")
        (folder / name).write_text("name: x\n")
        (folder / name).chmod(mode)
        registry = read(folder)
        assert slugs(registry) == ["amap"]
        assert f"{name}: executable, and a registry is data; run `chmod a-x " in sentences(registry)

    def test_a_program_behind_a_link(self, folder: Path):
        (folder / ".data").mkdir()
        (folder / ".data/velo.yml").write_text("name: x\n")
        (folder / ".data/velo.yml").chmod(0o755)
        (folder / "velo.yml").symlink_to(".data/velo.yml")
        assert "velo.yml: executable" in sentences(read(folder))

    def test_all_files_are_programs(self, folder: Path):
        """Where a file system knows no permissions, that is the problem, and it is one."""
        for slug in ("amap", "velo"):
            (folder / f"{slug}.yml").write_text("name: x\n")
            (folder / f"{slug}.yml").chmod(0o777)
        with pytest.raises(RegistryError) as caught:
            read(folder)
        assert len(caught.value.problems) == 1
        assert "in WSL: not below /mnt" in str(caught.value)

    def test_a_line_for_a_program(self, folder: Path):
        (folder / "velo.yml").write_text("#!/bin/sh\nname: x\n")
        assert "velo.yml:1: begins with #!, like a program" in sentences(read(folder))

    def test_no_folder_at_all(self, folder: Path):
        with pytest.raises(RegistryError) as caught:
            read(folder / "nothing")
        assert "cannot be read (No such file or directory); create it" in str(caught.value)


class TestCache:
    @staticmethod
    def write(folder: Path, text: str = "name: first\n", age: float = OLD) -> Path:
        path = folder / "velo.yml"
        path.write_text(text)
        os.utime(path, (age, age))
        return path

    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch: pytest.MonkeyPatch):
        """As if every file had rested long enough to be remembered."""
        monkeypatch.setattr(_registry, "_RACY_NS", -1)

    def warm(self, folder: Path) -> str:
        cache = Cache("1")
        read(folder, cache)
        return cache.dumps()

    def test_a_file_that_did_not_change_is_not_opened(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        self.write(folder)
        text = self.warm(folder)
        monkeypatch.setattr(_registry, "_bytes", None)
        registry = read(folder, Cache("1", text))
        assert registry.records[0].data == {"name": "first"}

    def test_an_edited_file_is_seen(self, folder: Path):
        self.write(folder)
        text = self.warm(folder)
        self.write(folder, "name: other\n")  # same size, same modification time
        assert read(folder, Cache("1", text)).records[0].data == {"name": "other"}

    def test_a_replaced_file_is_seen(self, folder: Path):
        path = self.write(folder)
        text = self.warm(folder)
        beside = folder.parent / "beside"
        beside.write_text("name: other\n")
        os.utime(beside, (OLD, OLD))
        beside.replace(path)
        assert read(folder, Cache("1", text)).records[0].data == {"name": "other"}

    def test_a_removed_file_is_gone(self, folder: Path):
        self.write(folder).unlink()
        assert read(folder, Cache("1", self.warm(folder))).records == []

    def test_a_young_file_is_not_remembered(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        """It could change again within one tick of the clock."""
        monkeypatch.setattr(_registry, "_RACY_NS", 60_000_000_000)
        self.write(folder)
        assert self.warm(folder).splitlines()[1:] == ["{}"]

    def test_a_wrong_file_is_not_remembered(self, folder: Path):
        self.write(folder)
        cache = Cache("1")
        _registry.read(folder, cache, lambda record: [record.problem("wrong", "name")])
        assert cache.dumps().splitlines()[1:] == ["{}"]

    @pytest.mark.parametrize("old, new", [("first", "forst"), ("name", "nbme"), ("velo", "vela")])
    def test_a_damaged_cache_is_no_cache(self, folder: Path, old: str, new: str):
        """A disk may change a word and leave it JSON."""
        self.write(folder)
        text = self.warm(folder)
        assert old in text
        assert read(folder, Cache("1", text.replace(old, new))).records[0].data == {"name": "first"}

    def test_what_other_code_has_read_is_read_again(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        self.write(folder)
        text = self.warm(folder)
        monkeypatch.setattr(_registry, "_code_version", lambda: "other")
        reader = Mock(wraps=_registry._bytes)
        monkeypatch.setattr(_registry, "_bytes", reader)
        read(folder, Cache("1", text))
        assert reader.call_count == 1

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "1"}', "null", "{}\n[]", "1\n2"])
    def test_a_cache_of_somebody_else_is_no_cache(self, folder: Path, text: str):
        self.write(folder)
        assert slugs(read(folder, Cache("1", text))) == ["velo"]

    def test_another_schema_checks_again(self, folder: Path):
        self.write(folder)
        checked: list[str] = []

        def check(record: Record) -> list[Problem]:
            checked.append(record.slug)
            return []

        _registry.read(folder, Cache("2", self.warm(folder)), check)
        assert checked == ["velo"]


def test_a_problem_names_the_line_of_the_nearest_key(folder: Path):
    (folder / "velo.yml").write_text("name: x\n\nlimits:\n  accounts: 7\n")
    record = read(folder).records[0]
    assert record.problem("x", "limits", "accounts").line == 4
    assert record.problem("x", "limits", "storage_gb").line == 3
    assert record.problem("x", "office").line == 1
