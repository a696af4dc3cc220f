# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where an edge leads names to."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.filter.edge_names import edge_names


def space(slug: str, web: str, *domains: str, locale: str = "fr") -> t.Any:
    return {"slug": slug, "web": web, "domains": list(domains), "locale": locale}


def test_every_name_leads_to_the_node_of_its_space():
    spaces = [
        space("velo", "web2", "velo.spaces.example", "cloud.velo.example"),
        space("amap", "web1", "amap.spaces.example", locale="en_GB"),
    ]
    assert edge_names(spaces) == (
        "amap.spaces.example web1/amap/en\n"
        "cloud.velo.example web2/velo/fr\n"
        "velo.spaces.example web2/velo/fr\n"
    )


def test_a_space_whose_file_is_wrong_keeps_its_names():
    skipped = {
        "slug": "cine",
        "id": 70_000,
        "web": "web1",
        "db": "db1",
        "domains": ["cine.example"],
    }
    # It is known on its web node and on its database node.
    assert edge_names([], t.cast("t.Any", [skipped, skipped])) == "cine.example web1/cine/en\n"


def test_the_form_is_a_name_too():
    assert edge_names([], services={"demande.example": "web1"}) == "demande.example web1/-/en\n"


def test_without_spaces_there_is_nothing():
    assert edge_names([]) == ""
