# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The records that names need: what a name server is given, and what people are told."""

from __future__ import annotations

import json
import typing as t

import dns.rdatatype
import dns.zone
import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import (
    _letters,
    _names,
    _records,
)
from tests.unit.plugins.plugin_utils.zones import BASE, names, space, zone

VELO = space("velo-ecole", "velo.example", "cloud.velo.example")


def platform(*spaces: dict[str, t.Any], **changes: t.Any) -> list[tuple[str, str, str]]:
    found = _records.list_platform(names(*spaces, **changes), zone(**changes))
    return [(one.name, one.type, one.value) for one in found]


def test_one_wildcard_serves_spaces_on_nodes_with_the_same_addresses():
    assert platform(VELO, space("amap")) == [
        (BASE, "CAA", '0 issue "letsencrypt.org"'),
        (BASE, "CAA", '0 issuewild "letsencrypt.org"'),
        (BASE, "CAA", '0 iodef "mailto:us@example.org"'),
        (f"*.{BASE}", "A", "192.0.2.10"),
        (f"*.{BASE}", "AAAA", "2001:db8::10"),
    ]


def test_on_several_nodes_each_space_has_its_own():
    assert platform(VELO, space("amap", web="node2"), authorities=[]) == [
        (f"amap.{BASE}", "A", "192.0.2.20"),
        (f"velo-ecole.{BASE}", "A", "192.0.2.10"),
        (f"velo-ecole.{BASE}", "AAAA", "2001:db8::10"),
    ]


def test_an_edge_is_where_all_spaces_and_the_form_lead():
    """Whichever node they are on; office servers have none in front."""
    edge, listed = ["192.0.2.9"], [VELO, space("amap", web="node2")]
    made = zone(edge=edge, authorities=[], services={f"demande.{BASE}": "node2"})
    servers: t.Any = {"node2": [{"domain": f"collabora1.{BASE}"}]}
    found = [*names(*listed, edge=edge), *_names.list_services(servers, made)]
    assert [(one.name, one.value) for one in _records.list_platform(found, made)] == [
        (f"*.{BASE}", "192.0.2.9"),
        (f"collabora1.{BASE}", "192.0.2.20"),
        (f"demande.{BASE}", "192.0.2.9"),
    ]


def test_the_address_of_an_edge_is_one():
    with pytest.raises(_names.ZoneError, match='found "edge1" for the edge; allowed: a list of'):
        zone(edge=["edge1"])


def test_office_servers_are_named_beside_the_wildcard():
    """They may be elsewhere than the spaces; with a name for each space they are a wildcard."""
    servers: t.Any = {
        "node2": [{"domain": f"collabora1.{BASE}"}, {"domain": "*.docs.example"}],
    }
    listed = [*names(VELO), *_names.list_services(servers, zone())]
    found = _records.list_platform(listed, zone(authorities=[]))
    assert [(one.name, one.value) for one in found if one.type == "A"] == [
        (f"*.{BASE}", "192.0.2.10"),
        ("*.docs.example", "192.0.2.20"),
        (f"collabora1.{BASE}", "192.0.2.20"),
    ]


def test_the_form_has_a_name_too():
    """The wildcard leads to it on one node; on several its own record does."""
    where = zone(authorities=[], services={f"demande.{BASE}": "node1"})
    listed = [*names(VELO, space("amap", web="node2")), *_names.list_services({}, where)]
    found = _records.list_platform(listed, where)
    assert [one.value for one in found if one.name == f"demande.{BASE}"] == [
        "192.0.2.10",
        "2001:db8::10",
    ]


def test_a_zone_is_read_by_name_servers():
    """With absolute names for what lies elsewhere."""
    listed = [
        *names(VELO),
        *_names.list_services(t.cast("t.Any", {"node2": [{"domain": "o.example"}]}), zone()),
    ]
    text = _records.render_zone(_records.list_platform(listed, zone()), zone())
    assert "\no.example. " in text
    read = dns.zone.from_text(
        text.replace("\no.example. ", "\n; "), check_origin=False, relativize=False
    )
    found = {
        (str(name), dns.rdatatype.to_text(data.rdtype), ttl)
        for name, ttl, data in read.iterate_rdatas()
    }
    assert found == {
        (f"{BASE}.", "CAA", 3600),
        (f"*.{BASE}.", "A", 3600),
        (f"*.{BASE}.", "AAAA", 3600),
    }


def test_an_own_domain_follows_the_space_and_what_was_registered_has_addresses():
    """No CNAME may stand beside the SOA of a zone."""
    own = {one.name: one for one in names(VELO) if one.kind == "own"}
    rows = {
        name: [(record.type, record.value) for record in _records.list_own(one, zone())]
        for name, one in own.items()
    }
    assert rows == {
        "cloud.velo.example": [("CNAME", f"velo-ecole.{BASE}.")],
        "velo.example": [("A", "192.0.2.10"), ("AAAA", "2001:db8::10")],
    }


@pytest.mark.parametrize(
    ("locale", "language", "said"),
    [
        ("fr", "fr", "Pour que cloud.velo.example mène à votre espace"),
        ("fr_CA", "fr", "Pour que cloud.velo.example"),
        ("en", "en", "For cloud.velo.example to lead to your space"),
        ("eu", "en", "For cloud.velo.example"),
    ],
)
def test_an_association_is_told_in_its_language(locale: str, language: str, said: str):
    listed = names({**VELO, "locale": locale}, space("amap"))
    files = _records.render(listed, zone())
    (path,) = (name for name in files if name.startswith("associations/"))
    assert path == f"associations/velo-ecole.{language}.txt"
    text = files[path]
    assert said in text
    assert '0 issue "letsencrypt.org"' in text
    assert f"cloud.velo.example  CNAME  3600  velo-ecole.{BASE}." in text
    assert "velo.example  AAAA  3600  2001:db8::10" in text


def test_the_files_say_the_same():
    files = _records.render(names(VELO), zone())
    rows = json.loads(files["records.json"])
    header, *lines = files["records.txt"].splitlines()
    assert header.split() == ["name", "type", "ttl", "value"]
    assert [line.split(maxsplit=3) for line in lines] == [
        [row["name"], row["type"], str(row["ttl"]), row["value"]] for row in rows
    ]


def test_a_space_whose_file_is_wrong_keeps_its_records():
    known: t.Any = {"slug": "amap", "web": "node2", "domains": [f"amap.{BASE}", "amap.example"]}
    listed = list(_names.list_spaces([], [known, known], zone()))
    assert [(one.name, one.kind, one.language) for one in listed] == [
        (f"amap.{BASE}", "platform", "en"),
        ("amap.example", "own", "fr"),
    ]


@pytest.mark.parametrize("listed", [[], ["node1.example"], ["192.0.2.300"], ["192.0.2.1/24"]])
def test_addresses_are_asked_for_where_there_are_none(listed: list[str]):
    with pytest.raises(
        _names.ZoneError, match=r"archipel_public_addresses: found .* for node9; all"
    ):
        zone(addresses={"node9": listed})


def test_both_languages_say_everything():
    english, french = _letters.TEXTS["en"], _letters.TEXTS["fr"]
    assert english.keys() == french.keys()
    for key, text in english.items():
        words = {part.split("}")[0] for part in text.split("{")[1:]}
        assert words == {part.split("}")[0] for part in french[key].split("{")[1:]}, key
