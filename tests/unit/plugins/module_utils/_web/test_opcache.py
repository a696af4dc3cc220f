# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The compiled code of releases: when it is made, who may read it, when it goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._web import _compilation, _opcache
from ansible_collections.archipel.spaces.plugins.module_utils._web._compilation import Program


def compiler(system: str):
    """Return what writes, like PHP, a file for its owner alone beside each name it is given."""

    def run(_program: str, cache: str, lists) -> int:
        names = [name for path in lists for name in Path(path).read_text().splitlines()]
        for name in names:
            path = Path(f"{cache}/{system}{name}.bin")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        return len(names)

    return run


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node with one release and two programs of PHP."""
    release(tmp_path, "33.0.9")
    php(tmp_path, monkeypatch, fpm="one", cli="uno")
    return tmp_path


def php(node: Path, monkeypatch, **systems: str) -> None:
    """Install a PHP: a file that changes, and the system ids of its programs."""
    binary = node / "php"
    binary.unlink(missing_ok=True)
    binary.write_text(f"{systems}")
    made = [
        Program(name, str(binary), (str(binary),), compiler(system))
        for name, system in systems.items()
    ]
    monkeypatch.setattr(_compilation, "list_programs", lambda _version: made)


def release(node: Path, name: str, build: str = "{}") -> None:
    for file in ("lib/base.php", "lib/tests/Base.php", "core/main.css"):
        path = node / "releases" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (node / "releases" / f"{name}.json").write_text(build)


def converge(node: Path, *, check: bool = False):
    opcache, releases = str(node / "opcache"), str(node / "releases")
    return _opcache.converge("8.4", opcache, releases, dropins(node), check=check)


def dropins(node: Path) -> list[str]:
    return [str(node / "sandbox" / "opcache.conf"), str(node / "php.d" / "20-opcache.conf")]


def compiled(node: Path, system: str = "one") -> set[str]:
    cache = node / "opcache" / system
    base = cache.joinpath(*(node / "releases").parts[1:])
    return {str(path.relative_to(base)) for path in base.rglob("*.bin")}


def test_code_is_compiled_once_for_each_program(node):
    first, second = converge(node), converge(node)
    assert first["changed"]
    assert first["compiled"] == {"fpm": {"33.0.9": 1}, "cli": {"33.0.9": 1}}
    assert compiled(node) == compiled(node, "uno") == {"33.0.9/lib/base.php.bin"}
    assert not second["changed"]
    assert second["system_ids"] == {"fpm": "one", "cli": "uno"}


def test_everybody_may_read_it_and_only_its_owner_write(node):
    converge(node)
    for path in (node / "opcache" / "one").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_check_mode_says_so_and_writes_nothing(node):
    result = converge(node, check=True)
    assert result["changed"]
    assert result["compiled"] == {"fpm": {"33.0.9": 0}, "cli": {"33.0.9": 0}}
    assert result["system_ids"] == {}
    assert not (node / "opcache").exists()


def test_units_know_where_it_is(node):
    first, again = converge(node), converge(node)
    assert first["dropins"] == sorted(dropins(node))
    assert again["dropins"] == []
    for path in dropins(node):
        text = Path(path).read_text()
        for system in ("one", "uno"):
            # An update of PHP removes the folder: a space must wake all the same.
            assert f"BindReadOnlyPaths=-{node}/opcache/{system}:/run/opcache/{system}\n" in text
        assert "-d opcache.file_cache=/run/opcache" in text


def test_units_changed_by_hand_are_mended(node):
    converge(node)
    Path(dropins(node)[0]).write_text("")
    Path(dropins(node)[1]).unlink()
    assert converge(node, check=True)["dropins"] == sorted(dropins(node))
    assert Path(dropins(node)[0]).read_text() == ""
    assert converge(node)["changed"]
    assert "file_cache" in Path(dropins(node)[0]).read_text()
    assert not converge(node)["changed"]


def test_without_a_folder_units_know_of_none(node):
    converge(node)
    found = _opcache.converge("8.4", "", str(node / "releases"), dropins(node), check=False)
    assert found["changed"]
    assert not any(os.path.exists(path) for path in dropins(node))
    again = _opcache.converge("8.4", "", str(node / "releases"), dropins(node), check=False)
    assert not again["changed"]


def test_another_php_gets_a_cache_of_its_own_and_the_old_one_goes(node, monkeypatch):
    converge(node)
    php(node, monkeypatch, fpm="two", cli="uno")
    result = converge(node)
    assert (result["system_ids"]["fpm"], result["removed"]) == ("two", ["one"])
    assert compiled(node, "two") == {"33.0.9/lib/base.php.bin"}
    assert not (node / "opcache" / "one").exists()


def test_a_change_of_php_by_hand_is_noticed(node):
    converge(node)
    # A program of the same size and time, in another place on the disk.
    info = (node / "php").stat()
    text = (node / "php").read_text()
    (node / "php").unlink()
    (node / "php").write_text(text)
    os.utime(node / "php", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert converge(node, check=True)["changed"]


def test_a_release_built_anew_is_compiled_anew(node):
    converge(node)
    release(node, "33.0.9", build='{"again": true}')
    assert converge(node)["compiled"] == {"fpm": {"33.0.9": 1}, "cli": {"33.0.9": 1}}


def test_the_code_of_a_release_that_is_gone_goes(node):
    release(node, "32.0.1")
    converge(node)
    (node / "releases" / "32.0.1.json").unlink()
    assert converge(node)["changed"]
    assert compiled(node) == {"33.0.9/lib/base.php.bin"}
    assert not converge(node)["changed"]


def test_a_release_that_is_being_built_is_left_alone(node):
    (node / "releases" / "34.0.0").mkdir()
    assert list(converge(node)["compiled"]["fpm"]) == ["33.0.9"]


def test_a_cache_that_somebody_removed_is_made_again(node):
    converge(node)
    os.rename(node / "opcache" / "one", node / "gone")
    assert converge(node)["compiled"] == {"fpm": {"33.0.9": 1}, "cli": {}}


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"fpm": []}', '{"fpm": {"other": 1}}'])
def test_an_index_that_cannot_be_read_counts_for_nothing(node, text):
    converge(node)
    (node / "opcache" / "index.json").write_text(text)
    assert converge(node)["compiled"]["fpm"] == {"33.0.9": 1}


def test_what_an_interrupted_run_left_goes(node):
    converge(node)
    (node / "opcache" / ".new-x").mkdir()
    assert converge(node)["removed"] == [".new-x"]


def test_a_php_that_compiles_nothing_is_named(node, monkeypatch):
    made = [Program("fpm", "/usr/sbin/php-fpm8.4", (), lambda *_: 0)]
    monkeypatch.setattr(_compilation, "list_programs", lambda _version: made)
    with pytest.raises(_compilation.CompilationError, match="is opcache on"):
        converge(node)


def test_the_index_decides_only_for_the_php_it_was_made_with():
    kept = _opcache.Compiled("then", "one", {"33.0.9": "a"})
    assert _opcache.plan(kept, "then", {"33.0.9": "a"}, ["one"]) == ([], [])
    assert _opcache.plan(kept, "now", {"33.0.9": "a"}, ["one"]) == (["33.0.9"], ["33.0.9"])
