# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a real Nextcloud answers while its database cannot be reached."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.moving import Account, basic
from tests.support.scenario import Scenario

# Who asks → method and path.
ASKED = {
    "somebody's browser": ("GET", "/login"),
    "a page with a session": ("GET", "/apps/files/"),
    "monitoring": ("GET", "/status.php"),
    "a client's settings": ("GET", "/ocs/v2.php/cloud/user?format=json"),
    "a client's files": ("PROPFIND", "/remote.php/dav/files/nadia/"),
    "an upload": ("PUT", "/remote.php/dav/files/nadia/away.txt"),
}


def test_everybody_is_told_to_come_back_and_then_all_is_well(
    scenario: Scenario,
    cluster: Cluster,
    slug: str,
    account: Account,
    capsys: pytest.CaptureFixture[str],
):
    """Sync clients keep what they have at 503, and people read a page in the space's language."""
    headers = {**basic(account), "OCS-APIRequest": "true", "Depth": "0"}
    given = {"headers": headers, "timeout": 90}
    assert cluster.space("web2", slug, "/status.php").status == 200
    with cluster.cut("db1", scenario.spaces[slug]["web"]):
        answers = {
            who: cluster.space("db1", slug, path, method=method, **given)
            for who, (method, path) in ASKED.items()
        }
    back = cluster.await_status("web2", slug, 200, seconds=60)
    with capsys.disabled():
        rows = [f"{who}: {one.status} in {one.seconds:.1f} s" for who, one in answers.items()]
        print("", *rows, f"served again {back:.1f} s after", sep="\n")
    assert {who: one.status for who, one in answers.items()} == dict.fromkeys(ASKED, 503)
    language = scenario.spaces[slug]["locale"].partition("_")[0]
    for who in ("somebody's browser", "a page with a session", "monitoring"):
        assert f'<html lang="{language}">' in answers[who].text
        assert answers[who].headers["retry-after"] == "60"
    assert max(one.seconds for one in answers.values()) < 60
