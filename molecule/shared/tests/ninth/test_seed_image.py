# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space made from the release's seed image is the space the installer would have made."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from tests.support.layout import Layout
from tests.support.scenario import Scenario

SLUG = "chorale-des-halles"
MANIFEST = "/srv/nextcloud/seed-images/{release}/manifest.json"
# What two spaces of one release do not have in common: (application, key).
OF_ONE_SPACE = {
    # Who they are, and how much they may hold.
    ("core", "oc_id"),
    ("theming", "*"),
    ("archipel", "given"),
    ("archipel", "office_policy"),
    ("archipel", "storage"),
    ("files", "default_quota"),
    ("files_trashbin", "trashbin_size"),
    # When things were done first, and since.
    ("core", "installedat"),
    ("core", "lastupdatedat"),
    ("core", "lastcron"),
    ("core", "vendor"),
    ("core", "theming.variables"),
    ("backgroundjob", "lastjob"),
    # How far jobs have come that take some of their work at a time.
    ("circles", "maintenance_run"),
    ("circles", "maintenance_update"),
    ("core", "metadataGenerationDone"),
    ("core", "previewMovedDone"),
    ("files_trashbin", "background_job_expire_trash_offset"),
    ("photos", "lastPlaceMappedUser"),
    ("photos", "lastPlaceMappingDone"),
    # What was looked up or generated when somebody used the space.
    ("*", "public_key"),
    ("*", "private_key"),
    ("dav", "hasCustomDefaultContact"),
    ("spreed", "signaling_token_privkey_es256"),
    ("spreed", "signaling_token_pubkey_es256"),
}
READ = 'require "/srv/spaces/$argv[1]/config/config.php"; echo json_encode($CONFIG);'


@pytest.fixture(scope="module")
def pair(scenario: Scenario, node: Host) -> tuple[str, str]:
    """The databases of the space the seed image was taken from, and of one made from it."""
    release = scenario.spaces[SLUG]["release"]
    manifest = node.file(MANIFEST.format(release=release))
    # Only a release whose installer insists on an account (before 30) has none.
    assert manifest.exists
    source = str(json.loads(manifest.content_string)["database"])
    slug = like(scenario, source)
    # The other has lived for some time: what a release has to do but once is done there.
    node.check_output("systemctl start space-cron@%s.service", slug)
    return source, Layout(slug).database


def like(scenario: Scenario, database: str) -> str:
    """Return a space of the same release and office suite: a suite's application has tables."""
    approved = scenario.in_status("approved")
    source = approved[database.removeprefix("space_")]
    # The newest first: it was made in another run than the image.
    others = [approved.pop(SLUG), *approved.values()]
    return next(
        other["slug"]
        for other in others
        if other["slug"] != source["slug"]
        and (other["release"], other["office"]) == (source["release"], source["office"])
    )


def both(scenario: Scenario, pair: tuple[str, str], statement: str) -> list[set[tuple[str, ...]]]:
    """Return the rows of the same question to both databases."""
    return [{tuple(row) for row in scenario.sql(statement.format(database=name))} for name in pair]


def test_the_tables_are_the_same(scenario: Scenario, pair: tuple[str, str]):
    installed, copied = both(
        scenario,
        pair,
        "SELECT table_name, column_name, column_type, is_nullable, column_default, extra,"
        " collation_name FROM information_schema.columns WHERE table_schema = '{database}'",
    )
    assert installed
    assert copied == installed


def test_the_indexes_are_the_same(scenario: Scenario, pair: tuple[str, str]):
    installed, copied = both(
        scenario,
        pair,
        "SELECT table_name, index_name, seq_in_index, column_name, non_unique"
        " FROM information_schema.statistics WHERE table_schema = '{database}'",
    )
    assert installed
    assert copied == installed


def test_the_settings_of_applications_are_the_same(scenario: Scenario, pair: tuple[str, str]):
    # Values may have lines: keys that a program made do.
    installed, copied = both(
        scenario, pair, "SELECT appid, configkey, MD5(configvalue) FROM `{database}`.oc_appconfig"
    )
    assert installed
    differing = {(row[0], row[1]) for row in installed ^ copied}
    expected = {
        (app, key) for app, key in differing if {(app, key), (app, "*"), ("*", key)} & OF_ONE_SPACE
    }
    assert differing - expected == set()


def test_the_jobs_are_the_same(scenario: Scenario, pair: tuple[str, str]):
    installed, copied = both(scenario, pair, "SELECT class FROM `{database}`.oc_jobs")
    assert copied == installed


def test_the_keys_of_the_state_file_are_the_same_and_its_secrets_are_not(
    node: Host, pair: tuple[str, str]
):
    slugs = [name.removeprefix("space_") for name in pair]
    states = [json.loads(node.check_output("php -r %s %s", READ, slug)) for slug in slugs]
    assert set(states[0]) == set(states[1])
    for key in ("instanceid", "passwordsalt", "secret"):
        assert len(states[0][key]) == len(states[1][key])
        assert states[0][key] != states[1][key]
    assert states[0]["version"] == states[1]["version"]
