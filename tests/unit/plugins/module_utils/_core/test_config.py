# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""config.php: what is taken out, and that all else stays to the letter."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config

WRITTEN = """\
<?php
$CONFIG = array (
  'passwordsalt' => 'it\\'s',
  'trusted_domains' =>|
  array (
    0 => 'a.example',
    1 => 'b.example',
  ),
  'redis' =>|
  array (
    'host' => '/run/x',
    'dbname' => 'not of the first level',
  ),
  'version' => '33.0.9.1',
  'maintenance' => true,
  'installed' => true,
  'dbname' => 'space_x',
);
""".replace("=>|", "=> ")


def test_a_text_is_read_as_nextcloud_wrote_it():
    assert _config.text_of(WRITTEN, "passwordsalt") == "it's"
    assert _config.text_of(WRITTEN, "version") == "33.0.9.1"
    # Not of the first level; no text; not there.
    assert {_config.text_of(WRITTEN, key) for key in ("host", "installed", "secret")} == {""}


def test_the_keys_of_the_first_level_are_found():
    assert _config.keys(WRITTEN) == {
        "passwordsalt",
        "trusted_domains",
        "redis",
        "version",
        "maintenance",
        "installed",
        "dbname",
    }


def test_managed_keys_go_and_state_stays_to_the_letter():
    text = _config.without(WRITTEN, {"trusted_domains", "dbname", "redis"})
    assert text == (
        "<?php\n$CONFIG = array (\n  'passwordsalt' => 'it\\'s',\n  'version' => '33.0.9.1',\n"
        "  'maintenance' => true,\n  'installed' => true,\n);\n"
    )


def test_nothing_to_take_out_changes_nothing():
    assert _config.without(WRITTEN, {"unknown"}) == WRITTEN


@pytest.mark.parametrize("text", ["", "<?php\n", "<?php\n$CONFIG = array (\n  'dbname' => 'cut of"])
def test_a_file_that_is_not_whole_is_left_alone(text):
    assert _config.without(text, {"dbname"}) == text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("db1.example.org", ("db1.example.org", "")),
        ("db1.example.org:3307", ("db1.example.org", "3307")),
        ("192.0.2.10:3306", ("192.0.2.10", "3306")),
        ("[2001:db8::10]:3306", ("2001:db8::10", "3306")),
        ("[2001:db8::10]", ("2001:db8::10", "")),
        ("2001:db8::10", ("2001:db8::10", "")),
        ("localhost:/run/mysqld/mysqld.sock", ("localhost", "/run/mysqld/mysqld.sock")),
    ],
)
def test_an_address_is_split_as_nextcloud_does(address, expected):
    assert _config.split_address(address) == expected


def test_a_database_at_an_ipv6_address_is_found():
    text = "  'dbhost' => '[2001:db8::10]:3307',\n  'dbpassword' => 'x',\n"
    found = _config.database(text)
    assert (found["host"], found["port"]) == ("2001:db8::10", "3307")


def test_a_text_is_set_and_set_again_and_all_else_stays():
    once = _config.with_text(WRITTEN, "data-fingerprint", "a" * 32)
    assert _config.text_of(once, "data-fingerprint") == "a" * 32
    assert _config.without(once, {"data-fingerprint"}) == WRITTEN
    again = _config.with_text(once, "data-fingerprint", "b" * 32)
    assert _config.text_of(again, "data-fingerprint") == "b" * 32
    assert len(again) == len(once)


def test_what_is_no_state_file_is_not_written_into():
    for text in ("", "<?php\n", "<?php\n$CONFIG = ["):
        assert _config.with_text(text, "data-fingerprint", "a" * 32) == text
