# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is rendered for a space, and that what people write comes out literally."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.module_utils._spaces import pack, unpack
from ansible_collections.archipel.spaces.plugins.plugin_utils import _build, _render, _secrets

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "{{ lookup('pipe','id') }} '; DROP TABLE x; -- \\' \"$(id)\" 🐙 \u202egnp.exe ?> <script>"
KEY = "0123456789abcdef0123456789abcdef"
SETTINGS = {
    "root": "/srv/spaces",
    "vhost_directory": "/etc/nginx/archipel",
    "own_network": "127.112.0.0/17",
    "php_directory": "/etc/archipel/php",
    "redis_run": "/run/archipel/redis",
    "master_key": KEY,
    "database_socket": "/run/mysqld/mysqld.sock",
    "database_connections": 20,
    "database_hosts": {"db1": "db1.example.org"},
    "database_client_hosts": {"web1": "192.0.2.10"},
    "database_ca": "/etc/ssl/certs/ca-certificates.crt",
    "php_children": 8,
    "php_memory": "512M",
    "nextcloud_config": {"appstoreenabled": False},
    "mail_relay": {},
    "applied_state": {"app_config": {"core": {"backgroundjobs_mode": "cron"}}},
    "applications": {
        "enabled": ["calendar"],
        "disabled": ["survey_client"],
        "settings": {"core": {"shareapi_allow_links": "yes"}},
    },
    "office_suites": {
        "collabora": {"name": "Collabora Online", "application": "richdocuments"},
        "onlyoffice": {"name": "ONLYOFFICE Docs", "application": "onlyoffice"},
        "other": {"name": "Other", "application": "other"},
    },
    "offices": ["collabora", "onlyoffice"],
    "registration": {"application": "registration", "settings": {"approval": True}},
    "operator": {"name": "Us", "url": "https://us.example", "email": "us@us.example"},
    "administrator": "administration",
    "quotas": {"backend": "auto", "bytes_per_file": 16384, "allow_over": False, "verify": False},
    "retention": {"trash_days": 30, "versions_days": 90, "trash_percent": 25},
}
SPACE = {
    "slug": "velo-ecole",
    "id": 100003,
    "name": HOSTILE,
    "status": "approved",
    "contact": {"name": HOSTILE, "email": "bureau@velo-ecole.example"},
    "office": "collabora",
    "office_pinned": False,
    "registration": False,
    "ring": "stable",
    "release": "33.0.9",
    "accounts": 50,
    "storage_gb": 40,
    "domains": ["velo-ecole.example.org", "cloud.velo-ecole.example"],
    "url": "https://velo-ecole.example.org",
    "locale": "fr",
    "phone_region": "FR",
    "timezone": "Europe/Paris",
    "theme": {"slogan": HOSTILE},
    "hold": False,
    "web": "web1",
    "db": "web1",
}
ENVIRONMENT = _render.templates(_render.template_directory(ROOT))


def files(**changes):
    wanted = _render.files([{**SPACE, **changes}], SETTINGS, ENVIRONMENT)
    return {file.kind: file for file in wanted}


def mapped(configuration: str, variable: str, entry: str) -> str:
    """Return what a map of nginx makes of an entry that has a single expression for it."""
    body = configuration.split(f" ${variable} {{")[1].split("\n}", maxsplit=1)[0]
    ((expression, group),) = re.findall(r'"~([^"]+)" \$(\S+);', body)
    # nginx writes a named group as PCRE does.
    found = re.search(expression.replace("?<", "?P<"), entry)
    default = re.findall(r"default (\S+);", body)[0].strip('"')
    return found[group] if found else default


@pytest.mark.parametrize(
    ("entry", "space", "status"),
    [
        ("approved/fr/velo-ecole@127.112.117.51", "velo-ecole", "approved"),
        # As earlier versions wrote it: spaces on hold, with errors, or in no file keep that.
        ("approved/fr/velo-ecole", "velo-ecole", "approved"),
        ("closed/es_419/amap", "amap", "closed"),
        ("", "", "unknown"),
        ("approved", "", "unknown"),
        ("approved/fr/", "", "unknown"),
        ("approved/fr/velo-ecole/x", "", "unknown"),
    ],
)
def test_nginx_takes_entries_of_earlier_versions(entry, space, status):
    """What has a status has a space: no root is ever that of nobody."""
    configuration = (
        ROOT / "roles/spaces/templates/etc/nginx/conf.d/archipel-spaces.conf.j2"
    ).read_text(encoding="utf-8")
    assert mapped(configuration, "archipel_space", entry) == space
    assert mapped(configuration, "archipel_status", entry) == status


def test_a_vhost_is_one_entry_of_the_map_per_name():
    assert files()["vhost"].content.splitlines()[1:] == [
        "velo-ecole.example.org approved/fr/velo-ecole@127.112.117.51;",
        "cloud.velo-ecole.example approved/fr/velo-ecole@127.112.117.51;",
    ]


@pytest.mark.parametrize(
    "name", ["a;b.example", "a b.example", "{evil}.example", "x\n.example", "localhost"]
)
def test_nothing_but_a_host_name_gets_into_nginx(name):
    with pytest.raises(ValueError, match="no host name"):
        files(domains=[name])


def test_a_closed_space_keeps_its_name_and_has_nothing_else():
    assert set(files(status="closed")) == {"vhost"}


def test_a_suspended_space_keeps_its_configuration():
    assert set(files(status="suspended")) == {"vhost", "php", "config"}


def test_configurations_belong_to_root_and_only_the_space_reads_them():
    for kind in ("php", "config"):
        file = files()[kind]
        assert (file.uid, file.gid, file.mode) == (0, 100003, 0o640)


def test_the_configuration_holds_limits_and_no_password_where_none_is_needed():
    config = _render.managed_config(SPACE, SETTINGS)
    assert config["dbpassword"] == ""
    assert config["dbhost"] == "localhost:/run/mysqld/mysqld.sock"
    assert config["one-click-instance.user-limit"] == 50
    # With a quota of its own, a team folder of a full space would not even let go of a file.
    assert "groupfolders.quota.default" not in config
    assert config["trusted_domains"] == ["velo-ecole.example.org", "cloud.velo-ecole.example"]
    assert config["mail_smtpmode"] == "null"


def mail_of(**relay):
    return _render.mail_config({"host": "mail.lan", "from": "{slug}@example.org", **relay}, SPACE)


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
    config = _render.managed_config({**SPACE, "db": "db1"}, SETTINGS)
    assert config["dbhost"] == "db1.example.org"
    assert config["dbpassword"] == _secrets.derive(KEY, "database", "velo-ecole")
    # As PHP reads it: a quoted name is a key that PDO knows nothing of, and there is no TLS.
    options = """
  'dbdriveroptions' => [
    PDO::MYSQL_ATTR_SSL_CA => '/etc/ssl/certs/ca-certificates.crt',
    PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true,
  ],
"""
    assert options in _render.managed_config_file({**SPACE, "db": "db1"}, SETTINGS)


@pytest.mark.parametrize("place", [{}, {"db": "db1"}])
def test_every_piece_of_php_is_written_as_it_is(place):
    space = {**SPACE, **place}
    pieces = set(pieces_of_php(_render.managed_config(space, SETTINGS)))
    text = _render.managed_config_file(space, SETTINGS)
    assert len(pieces) == 3 + 2 * len(place)
    for piece in pieces:
        assert piece in text
        assert _render.php_literal(str(piece)) not in text


def pieces_of_php(value):
    """Return those among keys and values, however deep."""
    if isinstance(value, _render.Expression):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from pieces_of_php(pair)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from pieces_of_php(one)


@pytest.mark.parametrize(
    ("places", "missing"),
    [
        ({"db": "db2"}, "spaces_database_hosts must name an address for db2"),
        ({"web": "web2"}, "spaces_database_client_hosts must name an address for web2"),
    ],
)
def test_a_machine_whose_address_nobody_said_is_named(places, missing):
    space = {**SPACE, "db": "db1", **places}
    with pytest.raises(ValueError, match=f"^velo-ecole has its files on .*: {missing}, or "):
        _render.managed_config(space, SETTINGS)


def test_operator_keys_do_not_override_what_follows_from_the_space():
    settings = {**SETTINGS, "nextcloud_config": {"datadirectory": "/", "loglevel": 2}}
    config = _render.managed_config(SPACE, settings)
    assert config["datadirectory"] == "/srv/spaces/velo-ecole/data"
    assert config["loglevel"] == 2


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (True, "true"),
        (None, "null"),
        (3, "3"),
        ("it's", r"'it\'s'"),
        ("back\\slash", r"'back\\slash'"),
        ([], "[\n]"),
        ({"a": [1]}, "[\n  'a' => [\n    1,\n  ],\n]"),
        (_render.Expression("OC::$SERVERROOT"), "OC::$SERVERROOT"),
    ],
)
def test_php_literals(value, literal):
    assert _render.php_literal(value) == literal


def test_a_value_without_a_literal_is_refused():
    with pytest.raises(TypeError, match="no PHP literal"):
        _render.php_literal(object())


@pytest.mark.parametrize(
    "text", [HOSTILE, "\\", "'", "\\'", "?>", "${x}", "\\\\'; system('id'); //"]
)
def test_a_php_string_comes_out_literally(text):
    """A single-quoted PHP string knows two escapes only: undo them, and read the text again."""
    literal = _render.php_literal(text)
    assert re.fullmatch(r"'(?:[^'\\]|\\[\\'])*'", literal, re.DOTALL)
    assert re.sub(r"\\([\\'])", r"\1", literal[1:-1]) == text


def test_directories_are_closed_to_other_spaces():
    wanted = {d.path: d for d in _render.directories([SPACE], SETTINGS)}
    base = "/srv/spaces/velo-ecole"
    assert (wanted[base].uid, wanted[base].mode) == (0, 0o755)
    assert (wanted[f"{base}/config"].uid, wanted[f"{base}/config"].mode) == (0, 0o1770)
    assert (wanted[f"{base}/data"].uid, wanted[f"{base}/data"].mode) == (100003, 0o750)
    assert wanted["/run/archipel/redis/velo-ecole"].mode == 0o700


def test_closed_spaces_have_no_user_and_no_directories():
    closed = [{**SPACE, "status": "closed"}]
    assert _render.users(closed) == []
    assert _render.directories(closed, SETTINGS) == []
    assert _render.sysusers_lines(closed, SETTINGS) == {}


def test_what_nextcloud_is_told_carries_the_name_and_never_a_password():
    told = _render.applied_state(SPACE, SETTINGS)
    assert told["app_defaults"]["theming"]["name"] == HOSTILE
    assert told["app_config"]["core"] == {
        "backgroundjobs_mode": "cron",
        "shareapi_allow_links": "yes",
    }
    assert "admin" not in told["admin"]["groups"]
    assert "password" not in str(told)


def test_every_space_is_told_the_same_applications_and_its_own_suite():
    told = _render.applied_state(SPACE, SETTINGS)
    assert told["apps"] == {"enable": ["calendar"], "disable": ["survey_client", "registration"]}
    assert list(told["office"]["suites"]) == ["collabora", "onlyoffice"]
    assert (told["office"]["default"], told["office"]["pinned"]) == ("collabora", False)
    assert told["app_config"]["archipel"]["storage"] == 40 * 1024**3


def test_visitors_may_ask_for_an_account_where_the_file_says_so():
    told = _render.applied_state({**SPACE, "registration": True}, SETTINGS)
    assert told["apps"]["enable"] == ["calendar", "registration"]
    assert told["app_config"]["registration"] == {"approval": True}
    told = _render.applied_state(SPACE, {**SETTINGS, "registration": {}})
    assert told["apps"]["disable"] == ["survey_client"]


def test_a_space_s_own_wishes_are_not_in_the_template_of_its_release():
    """Each space would otherwise make the template of the one before it useless."""
    rows = _render.installations([SPACE, {**SPACE, "registration": True}], SETTINGS)
    plain, wishing = (row["template"] for row in rows)
    assert plain == wishing == {"apps": _render.application_set(SETTINGS)}
    assert rows[0]["applied"]["apps"] != rows[1]["applied"]["apps"]


@pytest.mark.parametrize(
    ("locale", "folder"),
    [("fr", "fr"), ("fr_CA", "fr"), ("en", "en"), ("oc", "en"), ("pt_BR", "en")],
)
def test_new_accounts_find_first_files_in_the_language_of_the_space(locale, folder):
    text = _render.managed_config_file({**SPACE, "locale": locale}, SETTINGS)
    assert f"OC::$SERVERROOT . '/apps-extra/archipel/skeleton/{folder}'" in text
    skeleton = ROOT / "roles/nextcloud/files/apps/archipel/skeleton" / folder
    assert list(skeleton.iterdir())


def test_mail_may_come_from_an_address_of_the_space():
    relay = {"host": "mail.example.org", "from": "{slug}@spaces.example.org"}
    config = _render.mail_config(relay, SPACE)
    assert (config["mail_from_address"], config["mail_domain"]) == (
        "velo-ecole",
        "spaces.example.org",
    )


def test_the_journey_to_the_node_changes_nothing():
    assert unpack(pack([SPACE])) == [SPACE]


def test_secrets_differ_by_purpose_space_and_rotation():
    made = {
        _secrets.derive(KEY, purpose, slug, rotation)
        for purpose in ("database", "office")
        for slug in ("a", "b")
        for rotation in (0, 1)
    }
    assert len(made) == 8


def test_secrets_are_the_same_for_ever():
    """A new derivation would lock every space out of its database."""
    assert _secrets.derive(KEY, "database", "velo-ecole") == EXPECTED_SECRET


EXPECTED_SECRET = "1Okzt1HuxxbsA0WFtEXv3DpUmmwzgp4z"


def test_a_short_master_key_is_refused():
    with pytest.raises(ValueError, match="at least 32"):
        _secrets.derive("short", "database", "a")


def test_the_build_holds_statements_quotas_and_no_secret():
    distant = {**SPACE, "db": "db1"}
    documents = _build.documents([distant], [distant], SETTINGS, ENVIRONMENT)
    secret = _secrets.derive(KEY, "database", "velo-ecole")
    assert not any(secret in text for text in documents.values())
    assert "CREATE DATABASE `space_velo-ecole`" in documents["database/velo-ecole.sql"]
    assert (
        r"ON `space\_velo-ecole`.* TO 'space-velo-ecole'@'192.0.2.10'"
        in documents["database/velo-ecole.sql"]
    )
    assert documents["quota.txt"] == f"100003 0 {40 * 1024**2} 0 {40 * 1024**3 // 16384}\n"


def test_the_build_folder_ends_up_holding_exactly_the_documents(tmp_path):
    first = _build.write(tmp_path / "b", {"vhost/a.conf": "x"}, check=False)
    assert list(map(str, first)) == ["vhost/a.conf"]
    assert _build.write(tmp_path / "b", {"vhost/a.conf": "x"}, check=False) == []
    changed = _build.write(tmp_path / "b", {"vhost/b.conf": "y"}, check=False)
    assert changed == [("vhost/a.conf", "x", None), ("vhost/b.conf", "", "y")]
    assert list(map(str, changed)) == ["vhost/a.conf removed", "vhost/b.conf"]
    assert not (tmp_path / "b" / "vhost" / "a.conf").exists()


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(_build.ForeignDirectoryError, match="not from here"):
        _build.write(tmp_path, {"vhost/a.conf": "x"}, check=False)
    assert (tmp_path / "thesis.odt").exists()


def test_every_page_for_people_is_there_in_both_languages():
    variables = yaml.safe_load((ROOT / "roles/spaces/vars/main.yml").read_text())
    for page in variables["__spaces_pages"]:
        text = (ROOT / f"roles/spaces/templates/srv/www/{page}.html.j2").read_text()
        assert "'en': {" in text
        assert "'fr': {" in text


class TestStorage:
    def test_a_limit_is_in_bytes_and_files_on_the_data_alone(self):
        assert _render.quotas([SPACE], SETTINGS) == [
            {
                "space": "velo-ecole",
                "id": 100003,
                "paths": ["/srv/spaces/velo-ecole/data", "/srv/spaces/velo-ecole/tmp"],
                "bytes": 42949672960,
                "files": 2621440,
            }
        ]

    @pytest.mark.parametrize(
        ("status", "limited"), [("approved", True), ("suspended", True), ("closed", False)]
    )
    def test_a_suspended_space_keeps_its_limit(self, status, limited):
        assert bool(_render.quotas([{**SPACE, "status": status}], SETTINGS)) is limited

    def test_nothing_that_nextcloud_writes_for_itself_is_under_the_limit(self):
        """A full space must still log in, log, and keep its configuration."""
        config = _render.managed_config(SPACE, SETTINGS)
        data = config["datadirectory"]
        php = files()["php"].content
        inside = [line for line in php.splitlines() if f"{data}/" in line or line.endswith(data)]
        assert inside == []
        assert not config["logfile"].startswith(data)
        assert not config["tempdirectory"].startswith(data)

    def test_clients_are_shown_the_storage_of_the_space(self):
        config = _render.applied_state(SPACE, SETTINGS)["app_config"]
        assert config["files"] == {"default_quota": "40 GB"}
        assert config["files_trashbin"] == {"trashbin_size": str(10 * 1024**3)}

    def test_without_a_share_nextcloud_bounds_the_trash_itself(self):
        retention = {"trash_days": 30, "versions_days": 90, "trash_percent": 0}
        settings = {**SETTINGS, "retention": retention}
        config = _render.applied_state(SPACE, settings)["app_config"]
        assert config["files_trashbin"] == {"trashbin_size": None}

    def test_the_policy_may_say_more_about_the_same_application(self):
        policy = {"app_config": {"files": {"default_quota": "1 GB", "other": "x"}}}
        config = _render.applied_state(SPACE, {**SETTINGS, "applied_state": policy})["app_config"]
        assert config["files"] == {"default_quota": "40 GB", "other": "x"}


@pytest.mark.parametrize(
    ("space", "state"),
    [
        ({"status": "approved", "hold": False}, "approved"),
        ({"status": "closed", "hold": False}, "closed"),
        ({"status": "approved", "hold": True}, "kept"),
        # Left out for an error in its file: the status is a guess.
        ({"status": "suspended"}, "kept"),
    ],
)
def test_the_state_of_a_space(space, state):
    assert _render.state_of(space) == state
