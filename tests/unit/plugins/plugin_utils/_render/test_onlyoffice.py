# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tenants of Document Servers: what is refused, and what they become."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _onlyoffice

SECRET = "s" * 32


def tenant(slug: str = "velo", **changes: t.Any) -> t.Any:
    entry = {"slug": slug, "host": f"{slug}.office.example", "shard": "first", "secret": SECRET}
    return {**entry, **changes}


def test_good_tenants_have_no_problems():
    assert _onlyoffice.check(["first"], [tenant(), tenant("amap-du-val")]) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slug", "Velo"),
        ("slug", "velo;"),
        ("slug", "velo--a"),
        ("host", "VELO.office.example"),
        ("host", "velo.office.example:8443"),
        # The server's own tenant, which has the shard's secret.
        ("host", "localhost"),
        ("host", "127.0.0.1"),
        # Parts of a path.
        ("host", "..office.example"),
        ("host", "../other.example"),
        ("host", "a/b.example"),
        ("host", ".office.example"),
        # Would end the line of nginx' file.
        ("host", "velo.example first; evil.example"),
        ("host", "velo.example\n"),
        ("host", "*.example"),
        ("host", "-a.example"),
        ("host", ("a" * 64) + ".example"),
        ("shard", "third"),
        ("secret", "short"),
        ("secret", "with a space " * 3),
        ("secret", SECRET + "\n"),
    ],
)
def test_a_value_that_does_not_do_is_named(key: str, value: str):
    problems = _onlyoffice.check(["first", "second"], [{**tenant(), key: value}])
    assert len(problems) == 1
    assert key in problems[0]


def test_a_bad_secret_is_not_quoted():
    (problem,) = _onlyoffice.check(["first"], [tenant(secret="hunter2")])
    assert "hunter2" not in problem


@pytest.mark.parametrize("key", ["host", "shard", "secret"])
def test_a_missing_key_is_named(key: str):
    entry = tenant()
    del entry[key]
    assert _onlyoffice.check(["first"], [entry]) == [
        f"velo: {key} missing; a tenant has slug, host, shard, secret"
    ]


def test_no_two_tenants_share_a_name():
    problems = _onlyoffice.check(["first"], [tenant(), tenant(host="other.example")])
    assert [p.split(" stands")[0] for p in problems] == ["slug 'velo'"]
    problems = _onlyoffice.check(["first"], [tenant(), tenant("amap", host=tenant()["host"])])
    assert [p.split(" stands")[0] for p in problems] == ["host 'velo.office.example'"]


def test_an_unknown_shard_is_named_with_those_there_are():
    (problem,) = _onlyoffice.check([], [tenant()])
    assert "onlyoffice_shards (which is empty)" in problem


def test_what_tenants_become():
    wanted = _onlyoffice.plan(
        ["first", "second"], [tenant("velo"), tenant("amap", shard="second")], "managed"
    )
    assert wanted["secrets"] == {
        "first": {"velo.office.example": SECRET},
        "second": {"amap.office.example": SECRET},
    }
    assert wanted["slugs"] == [
        ("first", "velo.office.example", "velo"),
        ("second", "amap.office.example", "amap"),
    ]
    assert wanted["map"].splitlines()[1:] == [
        "amap.office.example second;",
        "velo.office.example first;",
    ]
    assert wanted["names"].split()[-3:] == [
        "server_name",
        "amap.office.example",
        "velo.office.example;",
    ]


def test_without_tenants_nginx_still_has_a_name_that_nobody_has():
    assert "onlyoffice.invalid;" in _onlyoffice.plan(["first"], [], "managed")["names"]


def test_ten_thousand_tenants_take_a_moment():
    many = [tenant(f"space-{n}") for n in range(10_000)]
    assert _onlyoffice.check(["first"], many) == []
    assert len(_onlyoffice.plan(["first"], many, "managed")["map"]) < 1 << 20
