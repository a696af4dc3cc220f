# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a copy has of the rows and keys of a space, and what it has not."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _clone_contents
from ansible_collections.archipel.spaces.plugins.module_utils._operations._clone_contents import (
    UnfitError,
)
from tests.unit.plugins.module_utils.cloning import CONFIG

OLD, NEW = "ocsource0001", "occopy000001"


def said(*tables: str, prefix: str = "oc_") -> list[str]:
    return _clone_contents.statements([prefix + one for one in tables], prefix, OLD, NEW)


def test_tables_that_are_not_there_are_passed_over():
    assert said() == []
    assert said("users", "authtoken") == ["DELETE FROM `oc_authtoken`"]


def test_another_prefix():
    assert said("authtoken", prefix="nc_") == ["DELETE FROM `nc_authtoken`"]


def test_nobody_else_is_told_anything():
    (shares,) = said("share")
    assert shares == "DELETE FROM `oc_share` WHERE share_type IN (6, 9)"
    for table in ("share_external", "webhook_listeners", "notifications_pushhash", "activity_mq"):
        assert said(table) == [f"DELETE FROM `oc_{table}`"]


def test_what_is_encrypted_with_another_secret_goes():
    assert said("appconfig") == [
        "DELETE FROM `oc_appconfig` WHERE configvalue LIKE '$AppConfigEncryption$%'"
    ]
    assert said("preferences") == [
        "DELETE FROM `oc_preferences` WHERE configvalue LIKE '$UserConfigEncryption$%'"
    ]


def test_second_factors_stay():
    """A copy is not easier to open than the space."""
    tables = ("twofactor_totp_secrets", "twofactor_providers", "twofactor_backupcodes", "webauthn")
    assert said(*tables) == []


def test_the_folder_of_applications_gets_its_new_name():
    (sql,) = said("filecache")
    path = f"CONCAT('appdata_{NEW}', SUBSTRING(path, 21))"
    assert sql == (
        f"UPDATE `oc_filecache` SET path_hash = MD5({path}), name = IF(path = 'appdata_{OLD}', "
        f"'appdata_{NEW}', name), path = {path} "
        # An underscore of ours is no wildcard.
        f"WHERE path = 'appdata_{OLD}' OR path LIKE 'appdata\\\\_{OLD}/%'"
    )


def test_a_state_file_gets_an_identity_of_its_own():
    text = _clone_contents.with_own_identity(CONFIG, NEW, "another/secret+")
    assert f"'instanceid' => '{NEW}'" in text
    assert "'secret' => 'another/secret+'" in text
    assert "'passwordsalt' => 'a salt of old times'" in text
    assert "relay" not in text
    # It can be done again.
    assert _clone_contents.with_own_identity(text, NEW, "another/secret+") == text


def test_what_is_no_state_file():
    with pytest.raises(UnfitError, match="it has no end"):
        _clone_contents.with_own_identity("<?php\n$CONFIG = array (\n", NEW, "secret")


@pytest.mark.parametrize("text", ["", "<?php\n$CONFIG = array (\n);\n"])
def test_a_space_without_an_id(text: str):
    with pytest.raises(UnfitError, match="instanceid ''"):
        _clone_contents.instance_of(text)


def test_the_prefix_of_tables():
    assert _clone_contents.prefix_of("<?php\n$CONFIG = array (\n);\n") == "oc_"
    assert _clone_contents.prefix_of(CONFIG) == "oc_"
    with pytest.raises(UnfitError, match="allowed: letters"):
        _clone_contents.prefix_of(CONFIG.replace("'oc_'", "'a b'"))
