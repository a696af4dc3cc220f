# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Names of a node: who has them, who gets them, and that no step in between gives one to two."""

from __future__ import annotations

import os
import re
import typing as t
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._system import _tree
from ansible_collections.archipel.spaces.plugins.module_utils._web import _vhosts


def vhost(slug, *names):
    """Return a vhost whose last name is the canonical one: the others lead there."""
    *others, canonical = names
    lines = [f"{name} approved/fr/{slug}@127.112.0.3>{canonical};\n" for name in others]
    return "".join(["# managed\n", *lines, f"{canonical} approved/fr/{slug}@127.112.0.3;\n"])


def known(**spaces):
    """Return what the registry knows: slug → names, or why it is kept as it is."""
    return {
        slug: {
            "domains": [] if isinstance(claimed, str) else list(claimed),
            "exempt": claimed if isinstance(claimed, str) else "",
        }
        for slug, claimed in spaces.items()
    }


class Node:
    """A folder of vhosts and what a run wants of it; it can die before any write."""

    def __init__(self, folder, **there):
        self.folder = folder
        for slug, names in there.items():
            (folder / f"{slug}.conf").write_text(vhost(slug, *names))

    @property
    def names(self):
        return {
            slug: _vhosts.list_names(text) for slug, text in _vhosts.read(str(self.folder)).items()
        }

    @property
    def targets(self):
        """Slug → where pages under its other names lead."""
        there = _vhosts.read(str(self.folder))
        return {slug: set(re.findall(r">([^;]+);", text)) for slug, text in there.items()}

    def is_valid(self):
        """Each name has one owner, and nobody is led to a name that is another's, or nobody's."""
        counts = Counter(name for names in self.names.values() for name in names)
        single = all(count == 1 for count in counts.values())
        return single and all(
            self.targets[slug] <= set(names) for slug, names in self.names.items()
        )

    def converge(self, registry, *, check=False, **wanted):
        """Run; return the report."""
        files = [
            {
                "space": slug,
                "kind": "vhost",
                "path": str(self.folder / f"{slug}.conf"),
                "content": vhost(slug, *names),
                "uid": os.getuid(),
                "gid": os.getgid(),
                "mode": 0o644,
            }
            for slug, names in wanted.items()
        ]
        report = Report()
        payload = {
            "files": files,
            "names": {"directory": str(self.folder), "known": registry},
        }
        _tree.converge_names(payload, report, check=check, diff=False)
        return report


ORPHAN = {"velo": ["velo.example.org", "cloud.velo.example"]}


def test_a_name_that_is_on_the_node_and_in_no_file_is_not_given_away(tmp_path):
    node = Node(tmp_path, **ORPHAN)
    report = node.converge(
        known(amap=["amap.example.org", "cloud.velo.example"], chorale=["chorale.example.org"]),
        amap=["amap.example.org", "cloud.velo.example"],
        chorale=["chorale.example.org"],
    )
    assert node.names == {**ORPHAN, "chorale": ["chorale.example.org"]}
    (why,) = report.failures.values()
    assert why.startswith("cloud.velo.example is answered by velo, which is on this node and in")
    assert "Take its file back from git" in why


@pytest.mark.parametrize(
    ("reason", "word"), [("skipped", "whose file has errors"), ("hold", "take hold out")]
)
def test_a_space_that_is_left_as_it_is_keeps_its_names(tmp_path, reason, word):
    node = Node(tmp_path, **ORPHAN)
    registry = known(velo=reason, amap=["cloud.velo.example"])
    report = node.converge(registry, amap=["cloud.velo.example"])
    assert node.names == ORPHAN
    assert word in report.failures["amap"]


OLD = {"a": ["a.example.org", "moves.example"], "b": ["b.example.org"]}
NEW = {"a": ["a.example.org"], "b": ["b.example.org", "moves.example"]}


@pytest.mark.parametrize("only", [("a", "b"), ("b",), ("a",)])
def test_a_domain_moves_whichever_of_the_two_is_converged_first(tmp_path, only):
    node = Node(tmp_path, **OLD)
    report = node.converge(known(**NEW), **{slug: NEW[slug] for slug in only})
    assert report.failures == {}
    assert node.is_valid()
    assert ("moves.example" in node.names["b"]) == ("b" in only)
    assert "moves.example" not in node.names["a"]
    # The canonical name moved: the other names of its former owner are served as they are.
    assert node.targets["a"] == set()
    assert node.converge(known(**NEW), **NEW).failures == {}
    assert node.names == NEW
    assert node.converge(known(**NEW), **NEW).changes == {}


def test_a_check_foretells_the_same_and_writes_nothing(tmp_path):
    node = Node(tmp_path, **OLD)
    previewed = node.converge(known(**NEW), check=True, b=NEW["b"])
    assert node.names == OLD
    assert previewed.changes == node.converge(known(**NEW), b=NEW["b"]).changes


def test_a_space_that_failed_gives_up_what_is_no_longer_its_own(tmp_path):
    node = Node(tmp_path, **OLD)
    report = Report()
    report.fail("a", "its users")
    files = [
        {"space": "b", "kind": "vhost", "path": str(tmp_path / "b.conf"), "uid": os.getuid()}
        | {"gid": os.getgid(), "mode": 0o644, "content": vhost("b", *NEW["b"])},
    ]
    payload = {"files": files, "names": {"directory": str(tmp_path), "known": known(**NEW)}}
    _tree.converge_names(payload, report, check=False, diff=False)
    assert report.failures == {"a": "its users"}
    assert node.names == NEW
    assert node.is_valid()


def test_a_file_that_cannot_be_changed_keeps_its_name(tmp_path, monkeypatch):
    node = Node(tmp_path, **OLD)
    put = _files.put

    def stubborn(beside, path):
        if path.endswith("/a.conf"):
            raise PermissionError(1, "immutable")
        put(beside, path)

    monkeypatch.setattr(_files, "put", stubborn)
    report = node.converge(known(**NEW), **NEW)
    assert node.names == OLD
    assert set(report.failures) == {"a", "b"}
    assert "moves.example could not be taken out of the vhost of a" in report.failures["b"]


def test_a_machine_on_which_two_have_a_name_already_is_mended(tmp_path):
    """An older version wrote both."""
    node = Node(
        tmp_path, velo=["cloud.velo.example"], amap=["amap.example.org", "cloud.velo.example"]
    )
    wanted = {
        "amap": ["amap.example.org", "cloud.velo.example"],
        "chorale": ["chorale.example.org"],
    }
    for only in ({"chorale": wanted["chorale"]}, wanted):
        report = node.converge(known(**wanted), **only)
        assert node.is_valid()
        assert ("amap" in report.failures) == ("amap" in only)
    assert node.names["velo"] == ["cloud.velo.example"]
    assert node.names["amap"] == ["amap.example.org"]


PLACES = ("a", "b", "c")
SOME = ("x.example", "y.example")


class KilledError(Exception):
    """The run ended here."""


def arrangements():
    """Return all ways in which two names belong to three spaces."""
    for owners in product(PLACES, repeat=len(SOME)):
        yield {
            slug: [
                f"{slug}.example.org",
                *(n for n, o in zip(SOME, owners, strict=True) if o == slug),
            ]
            for slug in PLACES
        }


@pytest.mark.parametrize("step", range(6))
def test_wherever_a_run_dies_no_name_has_two_owners(tmp_path, monkeypatch, step):
    """From each arrangement to each other; the next run ends as one that was never killed."""
    put = _files.put
    for number, (old, new) in enumerate(product(list(arrangements()), repeat=2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        node, left = Node(folder, **old), [step]

        def dying(beside, path, left=left):
            if not left[0]:
                raise KilledError
            left[0] -= 1
            put(beside, path)

        monkeypatch.setattr(_files, "put", dying)
        try:
            node.converge(known(**new), **new)
        except KilledError:
            assert node.is_valid()
        monkeypatch.setattr(_files, "put", put)
        assert node.converge(known(**new), **new).failures == {}
        assert node.names == new
        assert node.is_valid()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A.example x/y/z; b.example x/y/z;\n", ["a.example", "b.example"]),
        ("# a.example x;\n  b.example\tx/y/z ;", ["b.example"]),
        ("", []),
    ],
)
def test_names_are_read_as_nginx_reads_them(text, names):
    assert _vhosts.list_names(text) == names


def test_the_server_answers_for_names_that_no_file_has():
    there = {"velo": vhost("velo", "velo.example.org", "cloud.velo.example"), "odd": "*.evil; x;"}
    assert _vhosts.list_uncovered(there, ["*.example.org"]) == ["cloud.velo.example"]
    assert _vhosts.list_uncovered(there, ["*.example.org", "cloud.velo.example"]) == []


def own_server(folder: Path) -> dict[str, t.Any]:
    """The file with the server of own domains, and what it is made of."""
    pairs = [[f"{folder}/{name}/fullchain.pem", f"/{name}/key"] for name in ("domains", "wildcard")]
    server = {"listen": "/listen.conf", "answers": "/space.conf", "certificates": pairs}
    return {"path": "/x", "header": "# us", "server": server}


def test_own_domains_have_a_server_with_a_certificate_of_their_own(tmp_path):
    for name in ("domains", "wildcard"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "fullchain.pem").touch()
    item = _vhosts.plan_own_domains(own_server(tmp_path), ["a.example", "b.example"])
    assert item["content"].splitlines() == [
        "# us",
        "server {",
        "    include /listen.conf;",
        "    server_name a.example b.example;",
        f"    ssl_certificate {tmp_path}/domains/fullchain.pem;",
        "    ssl_certificate_key /domains/key;",
        "    include /space.conf;",
        "}",
    ]


def test_a_certificate_that_nginx_finds_by_name_is_there(tmp_path):
    """Which it is, is known when somebody asks for a name."""
    known = own_server(tmp_path)
    known["server"]["certificates"].insert(0, ["$certificate/fullchain.pem", "$certificate/key"])
    content = _vhosts.plan_own_domains(known, ["a.example"])["content"]
    assert "    ssl_certificate $certificate/fullchain.pem;" in content.splitlines()
    assert "    ssl_certificate_key $certificate/key;" in content.splitlines()


def test_without_own_domains_there_is_no_server_for_them(tmp_path):
    assert _vhosts.plan_own_domains(own_server(tmp_path), [])["content"] == "# us\n"


def test_a_certificate_that_is_not_there_does_not_keep_nginx_from_starting(tmp_path):
    (tmp_path / "wildcard").mkdir()
    (tmp_path / "wildcard/fullchain.pem").touch()
    claimed = _vhosts.plan_own_domains(own_server(tmp_path), ["a.example"])["content"]
    assert f"ssl_certificate {tmp_path}/wildcard/fullchain.pem;" in claimed
    assert "ssl_certificate_key /wildcard/key;" in claimed
