# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the operator imposes in config.php."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _secrets
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_config,
    _render_php,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Relay
from tests.render.samples import KEY, ROOT, SETTINGS, SPACE, context, space


def mail_of(**relay):
    wanted = t.cast("Relay", {"host": "mail.lan", "from": "{slug}@example.org", **relay})
    return _render_config.configure_mail(wanted, SPACE)


def pieces_of_php(value):
    """Return those among keys and values, however deep."""
    if isinstance(value, _render_php.Expression):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from pieces_of_php(pair)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from pieces_of_php(one)


def test_the_configuration_holds_limits_and_no_password_where_none_is_needed():
    config = _render_config.list_managed(SPACE, SETTINGS)
    assert config["dbpassword"] == ""
    assert config["dbhost"] == "localhost:/run/mysqld/mysqld.sock"
    assert config["one-click-instance.user-limit"] == 50
    # With a quota of its own, a team folder of a full space would not even let go of a file.
    assert "groupfolders.quota.default" not in config
    assert config["trusted_domains"] == ["velo-ecole.example.org", "cloud.velo-ecole.example"]
    assert config["mail_smtpmode"] == "null"


def test_a_relay_is_looked_at_as_usual_unless_the_policy_says_otherwise():
    config = mail_of(port=587)
    assert (config["mail_smtphost"], config["mail_smtpport"]) == ("mail.lan", 587)
    assert "mail_smtpstreamoptions" not in config


@pytest.mark.parametrize(
    ("relay", "options"),
    [
        ({"ca": "-----BEGIN CERTIFICATE-----"}, {"cafile": "/etc/ssl/archipel-mail-relay.pem"}),
        ({"certificate_name": "mail.example.org"}, {"peer_name": "mail.example.org"}),
        (
            {"verify": False},
            {"verify_peer": False, "verify_peer_name": False, "allow_self_signed": True},
        ),
        ({"verify": True}, None),
    ],
)
def test_a_relay_with_a_certificate_of_its_own_can_be_used(relay, options):
    assert mail_of(**relay).get("mail_smtpstreamoptions", {}).get("ssl") == options


def test_a_distant_database_is_reached_with_a_derived_password_over_tls():
    config = _render_config.list_managed({**SPACE, "db": "db1"}, SETTINGS)
    assert config["dbhost"] == "db1.example.org"
    assert config["dbpassword"] == _secrets.derive(KEY, "database", "velo-ecole")
    # As PHP reads it: a quoted name is a key that PDO knows nothing of, and there is no TLS.
    options = """
  'dbdriveroptions' => [
    PDO::ATTR_TIMEOUT => 5,
    PDO::MYSQL_ATTR_SSL_CA => '/etc/ssl/certs/ca-certificates.crt',
    PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true,
  ],
"""
    assert options in _render_config.render_managed({**SPACE, "db": "db1"}, SETTINGS)


@pytest.mark.parametrize("place", [{}, {"db": "db1"}])
def test_every_piece_of_php_is_written_as_it_is(place):
    one = space(**place)
    pieces = set(pieces_of_php(_render_config.list_managed(one, SETTINGS)))
    text = _render_config.render_managed(one, SETTINGS)
    assert len(pieces) == 3 + 3 * len(place)
    for piece in pieces:
        assert piece in text
        assert _render_php.format_literal(str(piece)) not in text


@pytest.mark.parametrize(
    ("places", "missing"),
    [
        ({"db": "db2"}, "spaces_database_hosts must name an address for db2"),
        ({"web": "web2"}, "spaces_database_client_hosts must name an address for web2"),
    ],
)
def test_a_machine_whose_address_nobody_said_is_named(places, missing):
    one = space(**{"db": "db1", **places})
    with pytest.raises(ValueError, match=f"^velo-ecole has its files on .*: {missing}, or "):
        _render_config.list_managed(one, SETTINGS)


def test_operator_keys_do_not_override_what_follows_from_the_space():
    settings = context(nextcloud_config={"datadirectory": "/", "loglevel": 2})
    config = _render_config.list_managed(SPACE, settings)
    assert config["datadirectory"] == "/srv/spaces/velo-ecole/data"
    assert config["loglevel"] == 2


@pytest.mark.parametrize(
    ("locale", "folder"),
    [("fr", "fr"), ("fr_CA", "fr"), ("en", "en"), ("oc", "en"), ("pt_BR", "en")],
)
def test_new_accounts_find_first_files_in_the_language_of_the_space(locale, folder):
    text = _render_config.render_managed({**SPACE, "locale": locale}, SETTINGS)
    assert f"OC::$SERVERROOT . '/apps-extra/archipel/skeleton/{folder}'" in text
    skeleton = ROOT / "roles/nextcloud/files/apps/archipel/skeleton" / folder
    assert list(skeleton.iterdir())


def test_mail_may_come_from_an_address_of_the_space():
    relay: Relay = {"host": "mail.example.org", "from": "{slug}@spaces.example.org"}
    config = _render_config.configure_mail(relay, SPACE)
    assert (config["mail_from_address"], config["mail_domain"]) == (
        "velo-ecole",
        "spaces.example.org",
    )


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("2001:db8::10", "[2001:db8::10]"),
        ("[2001:db8::10]:3307", "[2001:db8::10]:3307"),
        ("192.0.2.10", "192.0.2.10"),
        ("db1.example.org:3307", "db1.example.org:3307"),
    ],
)
def test_an_ipv6_address_of_a_database_is_not_taken_for_a_port(address, host):
    settings = context(database_hosts={"db1": address})
    assert _render_config.list_managed(space(db="db1"), settings)["dbhost"] == host
