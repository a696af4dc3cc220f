# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the application in a space may know of Nextcloud, and that tests know as much."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.policy.tree import ROOT, shown

LIB = ROOT / "roles/nextcloud/files/apps/archipel/lib"
CLASSES = sorted(LIB.rglob("*.php"))
# Imported, or named in full; a name in quotes is only talked about.
NAMED = re.compile(r"^use ([\w\\]+);|(?<![\w'\"\\])\\((?:OC|OCP|OCA)\\[\w\\]+)", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def named(path: Path) -> set[str]:
    """Return the classes of others that a file uses."""
    code = COMMENT.sub("", path.read_text(encoding="utf-8"))
    found = {one or other for one, other in NAMED.findall(code)}
    return {name for name in found if not name.startswith("OCA\\Archipel\\")}


def foreign(names: set[str]) -> set[str]:
    """Return those that are the server's own or another application's."""
    return {name for name in names if name.startswith(("OC\\", "OCA\\"))}


def test_the_application_is_there():
    assert len(CLASSES) > 30
    assert named(LIB / "NextcloudSpace.php") >= {"OC\\Installer", "OCP\\Util", "OCP\\Server"}


@pytest.mark.parametrize("path", sorted((LIB / "Converge").rglob("*.php")), ids=shown)
def test_what_is_decided_knows_no_nextcloud(path: Path):
    assert named(path) == set()


@pytest.mark.parametrize("path", CLASSES, ids=shown)
def test_one_class_alone_uses_what_is_not_public(path: Path):
    if path.name == "NextcloudSpace.php":
        assert foreign(named(path)) != set()
    elif path.parent.name != "Nextcloud":
        assert foreign(named(path)) == set()


@pytest.mark.parametrize("path", sorted((LIB / "Nextcloud").rglob("*.php")), ids=shown)
def test_parts_of_that_class_are_nobody_elses(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.search(rf"^trait {path.stem}$", text, re.MULTILINE)
    uses = re.compile(rf"^use OCA\\Archipel\\Nextcloud\\{path.stem};$", re.MULTILINE)
    others = [one for one in CLASSES if uses.search(one.read_text(encoding="utf-8"))]
    assert [one.name for one in others] == ["NextcloudSpace.php"]


@pytest.mark.parametrize("path", CLASSES, ids=shown)
def test_what_a_class_uses_is_among_the_stubs(path: Path):
    """Else PHPUnit would not load the class, and nothing would be said of its methods."""
    stubs = (ROOT / "tests/php/stubs/nextcloud.php").read_text(encoding="utf-8")
    there = set()
    for space, body in re.findall(
        r"^namespace ([\w\\]+) \{(.*?)^\}", stubs, re.DOTALL | re.MULTILINE
    ):
        names = re.findall(
            r"^    (?:final |abstract )*(?:class|interface) (\w+)", body, re.MULTILINE
        )
        there |= {f"{space}\\{name}" for name in names}
    nextcloud = {name for name in named(path) if re.match(r"OC[AP]?\\", name)}
    # Only an icon and its place: nothing of it is decided here.
    assert nextcloud - there <= {"OCP\\Settings\\IIconSection"}
