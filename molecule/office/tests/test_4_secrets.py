# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space and its office server change their secret together, and not while somebody edits."""

from __future__ import annotations

import hashlib
import json
import time

import yaml

from tests.support.coediting import left_open
from tests.support.scenario import Scenario
from tests.support.suites import Inside

SLUG, OTHER = "velo-ecole", "amap-du-val"


def cache_seconds(scenario: Scenario) -> int:
    """How long a shard remembers a secret."""
    settings = scenario.environment / "group_vars/all/zzz-office.yml"
    role = yaml.safe_load(settings.read_text(encoding="utf-8"))
    return int(role["onlyoffice_secret_cache_seconds"])


def configured(scenario: Scenario) -> str:
    """A digest of what the space is configured with for its office servers."""
    path = f"/srv/spaces/{SLUG}/config/managed.config.php"
    return hashlib.sha256(scenario.node.file(path).content).hexdigest()


def test_a_new_secret_waits_until_nobody_edits(scenario: Scenario, inside: Inside):
    rotations = scenario.environment / "group_vars/all/zzzz-rotations.yml"
    rotations.write_text(json.dumps({"archipel_office_rotations": {SLUG: 1}}), encoding="utf-8")
    before = configured(scenario)
    path = scenario.registry(OTHER)
    path.write_text(path.read_text().replace("Du champ au", "Du val au"))
    with left_open(scenario.machine, inside.server(SLUG, "onlyoffice")["url"]):
        said = scenario.refusal("spaces.yml")
        assert f"{SLUG}: people have documents open in it (1 of them); the old secret stays" in said
        assert "1 of 2 spaces could not be converged" in said
        assert "Du val au" in scenario.occ(OTHER, "config:list theming --output=json")
        # Neither side has the new one, and they still know each other.
        assert configured(scenario) == before
        time.sleep(cache_seconds(scenario) + 1)
        assert inside.accepts(SLUG)
    scenario.converge("spaces.yml")
    assert configured(scenario) != before
    time.sleep(cache_seconds(scenario) + 1)
    assert inside.accepts(SLUG)
    assert scenario.converge("spaces.yml") == []
