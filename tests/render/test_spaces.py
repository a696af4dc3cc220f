# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Files, folders and limits of a space, and that what people write comes out literally."""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack, unpack
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_config,
    _render_files,
    _render_nextcloud,
)
from tests.render.samples import ENVIRONMENT, ROOT, SETTINGS, SPACE, context, space


def files(**changes):
    wanted = _render_files.render_files([space(**changes)], SETTINGS, ENVIRONMENT)
    return {file["kind"]: file for file in wanted}


def mapped(configuration: str, variable: str, entry: str) -> str:
    """Return what a map of nginx makes of an entry that has a single expression for it."""
    body = configuration.split(f" ${variable} {{")[1].split("\n}", maxsplit=1)[0]
    ((expression, group),) = re.findall(r'"~([^"]+)" \$(\S+);', body)
    # nginx writes a named group as PCRE does.
    found = re.search(expression.replace("?<", "?P<"), entry)
    default = re.findall(r"default (\S+);", body)[0].strip('"')
    return found[group] if found else default


@pytest.mark.parametrize(
    ("entry", "slug", "status"),
    [
        ("approved/fr/velo-ecole@127.112.117.51", "velo-ecole", "approved"),
        # As earlier versions wrote it: spaces on hold, with errors, or in no file keep that.
        ("approved/fr/velo-ecole", "velo-ecole", "approved"),
        ("approved/fr/velo-ecole@127.112.117.51>velo.example", "velo-ecole", "approved"),
        ("closed/es_419/amap", "amap", "closed"),
        ("", "", "unknown"),
        ("approved", "", "unknown"),
        ("approved/fr/", "", "unknown"),
        ("approved/fr/velo-ecole/x", "", "unknown"),
    ],
)
def test_nginx_takes_entries_of_earlier_versions(entry, slug, status):
    """What has a status has a space: no root is ever that of nobody."""
    configuration = (
        ROOT / "roles/spaces/templates/etc/nginx/conf.d/archipel-spaces.conf.j2"
    ).read_text(encoding="utf-8")
    assert mapped(configuration, "archipel_space", entry) == slug
    assert mapped(configuration, "archipel_status", entry) == status


@pytest.mark.parametrize(
    ("place", "host", "stream"),
    [
        ({}, "", "unix:///run/mysqld/mysqld.sock"),
        ({"db": "db1"}, "db1.example.org", "tcp://db1.example.org:3306"),
        ({"db": "db1"}, "192.0.2.21:3307", "tcp://192.0.2.21:3307"),
        ({"db": "db1"}, "fd00::21", "tcp://[fd00::21]:3306"),
        ({"db": "db1"}, "[fd00::21]:3307", "tcp://[fd00::21]:3307"),
    ],
)
def test_php_knows_where_to_ask_whether_the_database_is_there(place, host, stream):
    settings = context(database_hosts={"db1": host})
    wanted = _render_files.render_files([space(**place)], settings, ENVIRONMENT)
    (pool,) = [file["content"] for file in wanted if file["kind"] == "php"]
    assert f"\nenv[ARCHIPEL_DATABASE] = {stream}\n" in pool
    prepended = "php_admin_value[auto_prepend_file] = /usr/local/libexec/archipel/unavailable.php"
    assert prepended in pool.splitlines()


def test_a_vhost_is_one_entry_of_the_map_per_name():
    assert files()["vhost"]["content"].splitlines()[1:] == [
        "velo-ecole.example.org approved/fr/velo-ecole@127.112.117.51;",
        "cloud.velo-ecole.example approved/fr/velo-ecole@127.112.117.51;",
    ]


def test_other_names_lead_to_the_canonical_one_where_the_file_says_so():
    names = ["cloud.velo-ecole.example", "velo-ecole.example.org", "velo.example"]
    assert files(domains=names, redirect=True)["vhost"]["content"].splitlines()[1:] == [
        "cloud.velo-ecole.example approved/fr/velo-ecole@127.112.117.51;",
        "velo-ecole.example.org approved/fr/velo-ecole@127.112.117.51>cloud.velo-ecole.example;",
        "velo.example approved/fr/velo-ecole@127.112.117.51>cloud.velo-ecole.example;",
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
        assert (file["uid"], file["gid"], file["mode"]) == (0, 100003, 0o640)


def test_directories_are_closed_to_other_spaces():
    found = _render_files.list_directories([SPACE], SETTINGS)
    wanted = {one["path"]: (one["uid"], one["mode"]) for one in found}
    base = "/srv/spaces/velo-ecole"
    assert wanted[base] == (0, 0o755)
    assert wanted[f"{base}/config"] == (0, 0o1770)
    assert wanted[f"{base}/data"] == (100003, 0o750)
    assert wanted["/run/archipel/redis/velo-ecole"] == (100003, 0o700)


def test_closed_spaces_have_no_user_and_no_directories():
    closed = [space(status="closed")]
    assert _render_files.list_users(closed) == []
    assert _render_files.list_directories(closed, SETTINGS) == []
    assert _render_files.render_sysusers(closed, SETTINGS) == {}


def test_the_journey_to_the_node_changes_nothing():
    assert unpack(pack([SPACE])) == [SPACE]


def test_every_page_for_people_is_there_in_both_languages():
    variables = yaml.safe_load((ROOT / "roles/spaces/vars/main.yml").read_text())
    for page in variables["__spaces_pages"]:
        text = (ROOT / f"roles/spaces/templates/srv/www/{page}.html.j2").read_text()
        assert "'en': {" in text
        assert "'fr': {" in text


class TestStorage:
    def test_a_limit_is_in_bytes_and_files_on_the_data_alone(self):
        assert _render_files.list_quotas([SPACE], SETTINGS) == [
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
        assert bool(_render_files.list_quotas([space(status=status)], SETTINGS)) is limited

    def test_nothing_that_nextcloud_writes_for_itself_is_under_the_limit(self):
        """A full space must still log in, log, and keep its configuration."""
        config = _render_config.list_managed(SPACE, SETTINGS)
        data = config["datadirectory"]
        php = files()["php"]["content"]
        inside = [line for line in php.splitlines() if f"{data}/" in line or line.endswith(data)]
        assert inside == []
        assert not str(config["logfile"]).startswith(str(data))
        assert not str(config["tempdirectory"]).startswith(str(data))

    def test_clients_are_shown_the_storage_of_the_space(self):
        config = _render_nextcloud.render_applied(SPACE, SETTINGS)["app_config"]
        assert config["files"] == {"default_quota": "40 GB"}
        assert config["files_trashbin"] == {"trashbin_size": str(10 * 1024**3)}

    def test_without_a_share_nextcloud_bounds_the_trash_itself(self):
        retention = {"trash_days": 30, "versions_days": 90, "trash_percent": 0}
        settings = context(retention=retention)
        config = _render_nextcloud.render_applied(SPACE, settings)["app_config"]
        assert config["files_trashbin"] == {"trashbin_size": None}

    def test_the_policy_may_say_more_about_the_same_application(self):
        policy = {"app_config": {"files": {"default_quota": "1 GB", "other": "x"}}}
        applied = _render_nextcloud.render_applied(SPACE, context(applied_state=policy))
        config = applied["app_config"]
        assert config["files"] == {"default_quota": "40 GB", "other": "x"}
