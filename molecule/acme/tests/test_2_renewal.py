# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Renewal, of certificates that last a short time too, and an authority that forgot the account."""

from __future__ import annotations

import time

from tests.support.acme import ANY, SIX_DAYS, Authority, Certificates

OWN = "cloud.velo-ecole.example"
SHORT = 120


def serials(authority: Authority, node: Certificates) -> dict[str, str]:
    return {name: authority.shown(name, node.address)["serial"] for name in (ANY, OWN)}


def test_what_has_a_third_left_is_renewed_and_nothing_else(
    authority: Authority, first: Certificates
):
    """The authority was started anew: the account that it no longer knows is replaced."""
    first.settle()
    before = serials(authority, first)
    authority.start(valid=SHORT)
    first.let_end("wildcard", OWN)
    assert first.run() == "success"
    begun = time.monotonic()
    short = serials(authority, first)
    assert not set(short.values()) & set(before.values())
    assert authority.shown(OWN, first.address)["trusted"]
    # More than half of its life is left.
    assert first.run() == "success"
    assert serials(authority, first) == short
    time.sleep(max(0.0, SHORT * 0.7 - (time.monotonic() - begun)))
    authority.start(valid=SIX_DAYS)
    assert first.run() == "success"
    renewed = serials(authority, first)
    assert not set(renewed.values()) & set(short.values())
    until = first.metrics()[f'archipel_certificate_expiry_seconds{{name="{OWN}"}}']
    assert SIX_DAYS - 300 < until - time.time() <= SIX_DAYS


def test_a_renewed_wildcard_is_handed_on(
    authority: Authority, first: Certificates, second: Certificates
):
    second.settle()
    before = second.reloads()
    assert second.run() == "success"
    assert second.reloads() == before + 1
    shown = [authority.shown(ANY, node.address) for node in (first, second)]
    assert shown[0] == shown[1]
    assert shown[0]["trusted"]
    assert second.run() == "success"
    assert second.reloads() == before + 1
