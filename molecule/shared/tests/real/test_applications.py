# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the collection knows of Nextcloud's archives is what real ones bring.

Run like the other files here, on a scenario with a real release.
"""

from __future__ import annotations

import json

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications
from tests.support.scenario import Scenario

RELEASES = "/srv/nextcloud/releases"


def test_the_policy_leaves_nothing_open(scenario: Scenario):
    """Each release that is built: what it brings is on, off, or always on."""
    found = scenario.node.file(RELEASES).listdir()
    manifests = [name for name in found if name.endswith(".json")]
    assert manifests
    known = _applications._shipped()
    for name in manifests:
        manifest = json.loads(scenario.node.file(f"{RELEASES}/{name}").content_string)
        major = manifest["version"].partition(".")[0]
        able = manifest["capabilities"]
        # A tree made of sources brings applications for developers as well.
        brought = set(able["apps"]) - {"testing"}
        assert set(known[major]["applications"]) == brought, name
        assert known[major]["always"] == able["always_enabled"], name


def test_a_space_has_nothing_on_that_nobody_decided(scenario: Scenario):
    policy = scenario.module("ansible.builtin.debug", var="archipel_applications")
    wanted = policy["archipel_applications"]
    for slug in scenario.in_status("approved"):
        listed = json.loads(scenario.occ(slug, "app:list --output=json"))
        major = scenario.spaces[slug]["release"].partition(".")[0]
        always = _applications._shipped()[major]["always"]
        suites = {"richdocuments", "onlyoffice"}
        said = {*wanted["enabled"], *always, *suites, _applications.OWN}
        assert set(listed["enabled"]) - said == set(), slug
