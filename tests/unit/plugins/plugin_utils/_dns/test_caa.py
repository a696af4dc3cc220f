# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether CAA allows an authority: the cases of RFC 8659 and 8657."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._caa import Property, permits

OURS = "letsencrypt.org"


@pytest.mark.parametrize(
    ("records", "host", "wildcard"),
    [
        ([], True, True),
        ([(0, "issue", OURS)], True, True),
        ([(0, "issue", "LetsEncrypt.org ; validationmethods=http-01")], True, False),
        ([(0, "issue", "letsencrypt.org; accounturi=https://acme.example/1")], True, True),
        ([(0, "issue", "other.example")], False, False),
        ([(0, "issue", ";")], False, False),
        ([(0, "issue", "")], False, False),
        ([(0, "issue", "other.example"), (0, "issue", OURS)], True, True),
        # Of wildcards issuewild alone counts, where there is one.
        ([(0, "issue", OURS), (0, "issuewild", ";")], True, False),
        ([(0, "issue", "other.example"), (0, "issuewild", OURS)], False, True),
        ([(0, "issuewild", "other.example")], True, False),
        # Whom to write to forbids nothing; what is critical and unknown forbids everything.
        ([(0, "iodef", "mailto:x@example.org")], True, True),
        ([(128, "issue", OURS)], True, True),
        ([(0, "issue", OURS), (128, "tbs", "x")], False, False),
        ([(0, "issue", OURS), (0, "tbs", "x")], True, True),
    ],
)
def test_who_may_sign(records: list[tuple[int, str, str]], host: bool, wildcard: bool):
    found = [Property(*one) for one in records]
    assert permits(found, [OURS], wildcard=False, method="http-01") is host
    assert permits(found, [OURS], wildcard=True, method="dns-01") is wildcard


def test_one_of_several_authorities_is_enough():
    found = [Property(0, "issue", "second.example")]
    assert permits(found, [OURS, "second.example"], wildcard=False, method="http-01")
