# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The compiled code of releases: when it is made, who may read it, when it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _opcache
from ansible_collections.archipel.spaces.plugins.module_utils._opcache import World

# Writes beside each name what PHP would: <cache>/<system id>/<path>.bin, for the owner alone.
PHP = """\
#!/usr/bin/python3
import os, sys
os.umask(0o077)
cache = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("opcache.file_cache="))
names = sys.stdin.read().split()
for name in names:
    path = f"{cache}/SYSTEM{name}.bin"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").close()
print(len(names))
"""


@pytest.fixture
def node(tmp_path):
    """A node with one release and a PHP."""
    release(tmp_path, "33.0.9")
    php(tmp_path, "one")
    return tmp_path


def php(node: Path, system: str) -> None:
    path = node / "php"
    path.write_text(PHP.replace("SYSTEM", system))
    path.chmod(0o755)


def release(node: Path, name: str, build: str = "{}") -> None:
    for file in ("lib/base.php", "lib/tests/Base.php", "core/main.css"):
        path = node / "releases" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (node / "releases" / f"{name}.json").write_text(build)


def converge(node: Path, *, check: bool = False):
    return _opcache.converge(
        str(node / "php"), str(node / "opcache"), str(node / "releases"), check=check
    )


def compiled(node: Path, system: str = "one") -> set[str]:
    cache = node / "opcache" / system
    base = cache.joinpath(*(node / "releases").parts[1:])
    return {str(path.relative_to(base)) for path in base.rglob("*.bin")}


def test_code_is_compiled_once(node):
    first, second = converge(node), converge(node)
    assert first["changed"]
    assert first["compiled"] == {"33.0.9": 1}
    assert compiled(node) == {"33.0.9/lib/base.php.bin"}
    assert not second["changed"]
    assert second["system_id"] == "one"


def test_everybody_may_read_it_and_only_its_owner_write(node):
    converge(node)
    for path in (node / "opcache").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_check_mode_says_so_and_writes_nothing(node):
    result = converge(node, check=True)
    assert result["changed"]
    assert list(result["compiled"]) == ["33.0.9"]
    assert not (node / "opcache").exists()


def test_another_php_gets_a_cache_of_its_own_and_the_old_one_goes(node):
    converge(node)
    php(node, "two")
    result = converge(node)
    assert (result["system_id"], result["removed"]) == ("two", ["one"])
    assert compiled(node, "two") == {"33.0.9/lib/base.php.bin"}
    assert not (node / "opcache" / "one").exists()


def test_a_release_built_anew_is_compiled_anew(node):
    converge(node)
    release(node, "33.0.9", build='{"again": true}')
    assert converge(node)["compiled"] == {"33.0.9": 1}


def test_the_code_of_a_release_that_is_gone_goes(node):
    release(node, "32.0.1")
    converge(node)
    (node / "releases" / "32.0.1.json").unlink()
    assert converge(node)["removed"] == ["one/32.0.1"]
    assert compiled(node) == {"33.0.9/lib/base.php.bin"}


def test_a_release_that_is_being_built_is_left_alone(node):
    (node / "releases" / "34.0.0").mkdir()
    assert list(converge(node)["compiled"]) == ["33.0.9"]


def test_a_php_without_opcache_is_named(node):
    (node / "php").write_text("#!/bin/sh\necho 'no such function' >&2\nexit 255\n")
    with pytest.raises(_opcache.OpcacheError, match="no such function"):
        converge(node)


def test_a_machine_without_php_is_no_error_in_check_mode(node):
    (node / "php").unlink()
    assert converge(node, check=True) == {
        "changed": True,
        "system_id": "",
        "compiled": {},
        "removed": [],
    }


def test_an_interrupted_compilation_is_done_again():
    world = World("one", frozenset({"one", ".new-x"}), {})
    assert _opcache.plan(world, {"33.0.9": "{}"}) == (["33.0.9"], [".new-x"])
