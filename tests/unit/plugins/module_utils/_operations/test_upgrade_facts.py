# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What decides about an upgrade is read once, and what is wrong with it is named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_facts
from tests.unit.plugins.module_utils.planning import CODE, TARGET, Server, item, made, root

__all__ = ["root"]


def test_a_release_says_what_it_upgrades_from():
    assert _upgrade_facts.versions_before(CODE) == ("33.0", "34.0")


def test_code_that_says_nothing_upgrades_from_nothing_known():
    assert _upgrade_facts.versions_before("<?php\n$OC_Version = [34, 0, 4, 1];\n") == ()


def test_only_spaces_that_are_to_move_are_asked_about(root):
    server = Server()
    plan = made(root, ["new"], server)
    assert plan["new"].kind == "done"
    assert server.asked == []


def test_a_space_is_moved_with_what_it_has_on(root):
    plan = made(root, ["new", "old"], Server())
    assert (plan["old"].kind, plan["old"].size) == ("upgrade", 4096)
    assert plan["old"].enabled == frozenset({"files"})


def test_it_is_asked_with_what_people_log_in(root):
    """Names as the providers of three applications have them; that of backup codes is nobody's."""
    providers = ("totp", "webauthn", "twofactor_nextcloud_notification", "backup_codes")
    server = Server(factors={"space_old": providers})
    asked = _upgrade_facts.ask([item("old")], server, ConnectionError)
    assert asked["old"].factors == {
        "twofactor_totp",
        "twofactor_webauthn",
        "twofactor_nextcloud_notification",
        "twofactor_backup_codes",
    }
    assert "FROM `space_old`.oc_twofactor_providers WHERE enabled = 1" in server.asked[-1]


def test_where_there_is_no_table_of_factors_nobody_has_one(root):
    asked = _upgrade_facts.ask([item("old")], Server(), ConnectionError)
    assert asked["old"].factors == frozenset()


def test_a_server_that_is_down_is_said_once(root):
    with pytest.raises(ConnectionError, match="no server"):
        made(root, ["old"], Server(broken=True))


@pytest.mark.parametrize("folder", ["bad", "bad/config"])
def test_a_file_where_a_folder_should_be_is_one_spaces_own_matter(root, folder):
    (root / folder).parent.mkdir(exist_ok=True)
    (root / folder).touch()
    plan = made(root, ["bad", "old"], Server())
    assert plan["bad"].kind == "refused"
    assert plan["bad"].reason == f"{root}/bad/config/config.php: Not a directory"
    assert plan["old"].kind == "upgrade"


def test_a_target_that_is_built_is_read_from_its_code(tmp_path):
    (tmp_path / "34.0.4").mkdir()
    (tmp_path / "34.0.4/version.php").write_text(CODE)
    manifest = {
        "version_full": "34.0.4.1",
        "capabilities": {"apps": {"files": "34"}},
        "applications": {"deck": {"version": "2"}},
    }
    (tmp_path / "34.0.4.json").write_text(json.dumps(manifest))
    wanted = {"id": "34.0.4", "version": "34.0.4", "mariadb": {"min": "10.6"}, "without": ["x"]}
    assert _upgrade_facts.read_target(str(tmp_path), wanted) == replace(
        TARGET, mariadb=("10.6", ""), without=frozenset({"x"})
    )
    # What could not be had when it was built does not hold a space back.
    (tmp_path / "34.0.4.json").write_text(json.dumps({**manifest, "left_out": {"deck": "gone"}}))
    assert _upgrade_facts.read_target(str(tmp_path), wanted).without == {"x", "deck"}


@pytest.mark.parametrize("text", ["", "{", '{"seconds": "nan"}', "[]", "{}"])
def test_a_rate_that_is_none_is_unknown(tmp_path, text):
    (tmp_path / "rate.json").write_text(text)
    assert _upgrade_facts.read_rate(str(tmp_path / "rate.json")) == 0.0
