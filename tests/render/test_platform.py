# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the roles of the platform write, from their real defaults, for each Debian."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
ROLES = ROOT / "roles"
LOADER = DataLoader()
LOADER.set_basedir(str(ROOT))

NODE = {"nofile": 8192, "memory_mb": 4096, "ipv6": True, "container": False}
DEBIANS: dict[str, dict[str, Any]] = {
    "bookworm": {"distribution_release": "bookworm", "distribution_major_version": "12"},
    "trixie": {"distribution_release": "trixie", "distribution_major_version": "13"},
}


def facts(release: str = "trixie", **node: Any) -> dict[str, Any]:
    """Return what is known of a node before a template is written."""
    return DEBIANS[release] | {"archipel_node": NODE | node}


def render(role: str, template: str, release: str = "trixie", **changes: Any) -> str:
    """Render a template of a role as Ansible would; an undefined variable is an error."""
    variables: dict[str, Any] = {"ansible_managed": "Managed by Ansible"}
    for part in ("defaults", "vars"):
        variables |= LOADER.load_from_file(
            str(ROLES / role / part / "main.yml"), trusted_as_template=True
        )
    variables |= {"ansible_facts": facts(release)} | changes
    source = (ROLES / role / "templates" / template).read_text(encoding="utf-8")
    return str(Templar(LOADER, variables).template(trust_as_template(source)))


def evaluate(role: str, name: str, **changes: Any) -> Any:
    """Return what a variable of a role is worth."""
    variables: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        variables |= LOADER.load_from_file(
            str(ROLES / role / part / "main.yml"), trusted_as_template=True
        )
    source = trust_as_template(f"{{{{ {name} }}}}")
    return Templar(LOADER, variables | changes).template(source)


def nginx(part: str, **changes: Any) -> str:
    return render("nginx", f"etc/nginx/{part}.j2", **changes)


def mariadb(**changes: Any) -> dict[str, str]:
    parser = ConfigParser(strict=True, interpolation=None)
    parser.read_string(render("mariadb", "etc/mysql/mariadb.conf.d/90-archipel.cnf.j2", **changes))
    return dict(parser["mariadbd"])


def php(interface: str, **changes: Any) -> dict[str, str]:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read_string(
        render("php", "etc/php/conf.d/99-archipel.ini.j2", interface=interface, **changes)
    )
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


def redis(**changes: Any) -> dict[str, str]:
    lines = render("redis", "etc/archipel/redis/common.conf.j2", **changes).splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    return dict(line.split(" ", 1) for line in settings)


class TestNginx:
    @pytest.mark.parametrize(
        ("release", "expected"),
        [
            ("trixie", ["listen 443 ssl;", "listen [::]:443 ssl;", "http2 on;"]),
            ("bookworm", ["listen 443 ssl http2;", "listen [::]:443 ssl http2;"]),
        ],
    )
    def test_http2_is_said_as_the_installed_nginx_wants_it(self, release: str, expected: list[str]):
        lines = nginx("snippets/archipel-listen.conf", release=release).splitlines()
        assert [line for line in lines if line and not line.startswith("#")] == expected

    @pytest.mark.parametrize(("release", "listens"), [("trixie", 2), ("bookworm", 0)])
    def test_http3_is_there_where_the_package_has_it(self, release: str, listens: int):
        """Asked for once, on the port that people use; packets are shared out in one place."""
        changes = {"nginx_http3_enabled": True, "nginx_public_https_port": 8443}
        listen = nginx("snippets/archipel-listen.conf", release=release, **changes)
        default = nginx("conf.d/00-archipel-default.conf", release=release, **changes)
        assert len(re.findall(r"^listen \S+ quic;$", listen, re.M)) == listens
        assert len(re.findall(r"listen \S+ quic reuseport default_server;", default)) == listens
        assert ("""add_header Alt-Svc 'h3=":8443"; ma=86400';""" in listen) == bool(listens)
        for part in ("snippets/archipel-listen.conf", "conf.d/00-archipel-default.conf"):
            assert "quic" not in nginx(part, release=release)

    @pytest.mark.parametrize(
        ("release", "curves"),
        [
            ("trixie", "?X25519MLKEM768:X25519:prime256v1:secp384r1"),
            ("bookworm", "X25519:prime256v1:secp384r1"),
        ],
    )
    def test_curves_are_those_that_openssl_knows(self, release: str, curves: str):
        tls = nginx("snippets/archipel-tls.conf", release=release)
        assert f"\nssl_ecdh_curve {curves};\n" in tls
        assert "ssl_stapling" not in tls

    @pytest.mark.parametrize(
        "part", ["snippets/archipel-listen.conf", "conf.d/00-archipel-default.conf"]
    )
    def test_a_machine_without_ipv6_does_not_listen_on_it(self, part: str):
        assert "[::]" in nginx(part)
        assert "[::]" not in nginx(part, ansible_facts=facts(ipv6=False))
        assert "[::]" not in nginx(part, nginx_ipv6_enabled=False)

    @pytest.mark.parametrize(("folder", "lines"), [("", []), ("/srv/bodies", ["/srv/bodies;"])])
    def test_bodies_are_kept_where_they_have_a_limit_if_somebody_says_where(
        self, folder: str, lines: list[str]
    ):
        text = nginx("nginx.conf", nginx_body_directory=folder, __nginx_nofile=8192)
        assert re.findall(r"^ +client_body_temp_path (.*)$", text, re.MULTILINE) == lines
        made = evaluate("nginx", "__nginx_directories", nginx_body_directory=folder)
        assert [one for one in made if one["path"] == folder] == (
            [{"path": folder, "mode": "0700", "owner": "www-data"}] if folder else []
        )

    @pytest.mark.parametrize(
        ("port", "target"),
        [(443, "https://$host$request_uri;"), (8443, "https://$host:8443$request_uri;")],
    )
    def test_the_redirect_names_the_port_people_use(self, port: int, target: str):
        assert f"return 301 {target}" in nginx(
            "conf.d/00-archipel-default.conf", nginx_public_https_port=port
        )

    def test_an_unknown_name_gets_neither_certificate_nor_space(self):
        default = nginx("conf.d/00-archipel-default.conf")
        assert "ssl_reject_handshake on;" in default
        assert "ssl_certificate" not in default

    def test_challenges_are_answered_before_the_redirect(self):
        default = nginx("conf.d/00-archipel-default.conf")
        assert default.index("location ^~ /.well-known/acme-challenge/") < default.index(
            "return 301"
        )

    def test_old_protocols_and_ciphers_are_not_offered(self):
        tls = nginx("snippets/archipel-tls.conf")
        assert re.search(r"^ssl_protocols TLSv1\.2 TLSv1\.3;$", tls, re.MULTILINE)
        ciphers = re.search(r"^ssl_ciphers (\S+);$", tls, re.MULTILINE)
        assert ciphers
        assert [c for c in ciphers[1].split(":") if not re.match("ECDHE-.*(GCM|POLY1305)", c)] == []

    def test_the_machine_limits_the_open_files(self):
        assert "worker_rlimit_nofile 8192;" in nginx("nginx.conf")
        assert "worker_connections 4096;" in nginx("nginx.conf")
        assert "worker_rlimit_nofile 1000;" in nginx("nginx.conf", nginx_limit_nofile=1000)

    def test_the_stock_sites_are_not_read(self):
        assert "sites-enabled" not in nginx("nginx.conf")


class TestNginxLog:
    """The log is kept for weeks and read by many: what opens an account is not in it."""

    SECRET = "kWq7ZbXcA2"

    @staticmethod
    def logged(uri: str) -> str:
        """Do what nginx does with its map: the first expression that matches."""
        text = nginx("snippets/archipel-log.conf")
        for pattern, name, rest in re.findall(r'^    "~(.+)" \$(\w+)([*]*);$', text, re.MULTILINE):
            found = re.match(pattern.replace("(?<", "(?P<"), uri)
            if found:
                return found[name] + rest
        return "-"

    @pytest.mark.parametrize(
        "uri",
        [
            "/s/{}",
            "/index.php/s/{}/download",
            "/call/{}",
            "/public.php/dav/files/{}/plan.odt",
            "/public.php/webdav/{}",
            "/remote.php/dav/public-calendars/{}?export",
            "/login/v2/flow/{}",
            "/index.php/login/v2/grant/{}",
            "/index.php/lostpassword/reset/form/{}/alice",
            "/apps/forms/s/{}",
            "/apps/calendar/p/{}/dayGridMonth/now",
            "/index.php/apps/files_sharing/publicpreview/{}?x=1",
            "/apps/richdocuments/wopi/files/12?access_token={}",
            "/apps/onlyoffice/download?doc={}",
        ],
    )
    def test_no_secret_of_an_address_is_logged(self, uri: str):
        assert self.SECRET not in self.logged(uri.format(self.SECRET))

    @pytest.mark.parametrize(
        ("uri", "logged"),
        [
            ("/", "/"),
            ("/status.php", "/status.php"),
            ("/apps/files/files/12?dir=/Bureau", "/apps/files/files/12"),
            ("/remote.php/dav/files/alice/a.txt", "/remote.php/dav/files/alice/a.txt"),
            ("/ocs/v2.php/cloud/users?search=a", "/ocs/v2.php/cloud/users"),
            ("/s/abc", "/s/***"),
        ],
    )
    def test_the_rest_of_an_address_is_logged(self, uri: str, logged: str):
        assert self.logged(uri) == logged

    def test_nothing_else_of_a_request_tells_secrets(self):
        text = nginx("snippets/archipel-log.conf")
        log_format = text[text.index("log_format") :]
        assert not {"$request ", "$request_uri", "$args", "$http_referer", "$remote_user"} & set(
            re.findall(r"\$\w+ ?", log_format)
        )


class TestMariadb:
    def test_by_default_there_is_no_network(self):
        settings = mariadb()
        assert settings["skip_networking"] == "ON"
        assert "bind_address" not in settings

    def test_other_machines_need_tls(self):
        settings = mariadb(
            mariadb_listen_addresses=["127.0.0.1", "192.0.2.10"],
            mariadb_tls_certificate="/t/fullchain.pem",
            mariadb_tls_key="/t/privkey.pem",
            mariadb_tls_ca="/t/chain.pem",
        )
        assert "skip_networking" not in settings
        assert settings["bind_address"] == "127.0.0.1,192.0.2.10"
        assert settings["require_secure_transport"] == "ON"
        assert settings["ssl_key"] == "/t/privkey.pem"

    def test_the_machine_itself_does_not(self):
        assert "require_secure_transport" not in mariadb(mariadb_listen_addresses=["127.0.0.1"])

    def test_open_tables_fit_into_the_open_files(self):
        settings = mariadb()
        assert settings["open_files_limit"] == "8192"
        # The server's own arithmetic: two files per open table, one per connection.
        assert 2 * int(settings["table_open_cache"]) + 500 + 10 < 8192
        assert int(settings["innodb_open_files"]) <= 8192 // 2

    @pytest.mark.parametrize("nofile", [1048576, 0], ids=["many", "without a limit"])
    def test_a_large_machine_gets_what_is_asked_for(self, nofile: int):
        settings = mariadb(ansible_facts=facts(nofile=nofile))
        assert settings["open_files_limit"] == "131072"
        assert settings["table_open_cache"] == "20000"
        assert settings["innodb_open_files"] == "20000"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, "768M"),
            ({"mariadb_buffer_pool_max_mb": 512}, "512M"),
            ({"mariadb_buffer_pool_mb": 300}, "300M"),
            ({"ansible_facts": facts(memory_mb=390)}, "128M"),
        ],
        ids=["a fifth of 4 GiB in steps", "capped", "given", "never less than the least"],
    )
    def test_memory_follows_the_machine(self, changes: dict[str, Any], expected: str):
        assert mariadb(**changes)["innodb_buffer_pool_size"] == expected

    def test_sorting_needs_no_memory_of_the_machine(self):
        """/tmp is memory on Debian 13: an ALTER TABLE of a large table would not fit."""
        for release in DEBIANS:
            settings = mariadb(release=release)
            assert not settings["tmpdir"].startswith(("/tmp", "/run", "/dev/shm", "/var/tmp"))
            # A folder within the data would else be listed as a database, to the drift too.
            assert settings["ignore_db_dirs"] == Path(settings["tmpdir"]).name

    def test_extra_settings_come_last(self):
        text = render(
            "mariadb",
            "etc/mysql/mariadb.conf.d/90-archipel.cnf.j2",
            mariadb_extra_settings={"innodb_io_capacity": 2000},
        )
        assert text.strip().splitlines()[-1] == "innodb_io_capacity = 2000"

    def test_only_one_group_enters_the_folder_of_the_socket(self):
        text = render("mariadb", "etc/tmpfiles.d/mariadb.conf.j2")
        assert "d /run/mysqld 0750 mysql archipel-db -" in text.splitlines()


class TestMariadbCluster:
    LEADS: ClassVar = {"mariadb_replication_replicas": ["10.0.0.3"]}
    FOLLOWS: ClassVar = {"mariadb_replication_primary": "10.0.0.2"}
    CONFIGURATION = "etc/mysql/mariadb.conf.d/90-archipel.cnf.j2"
    ROLE = "etc/archipel/mariadb/role.cnf.j2"

    def test_a_server_alone_knows_nothing_of_it(self):
        settings = mariadb()
        assert not {"server_id", "log_bin", "gtid_strict_mode"} & set(settings)
        assert "semi_sync" not in " ".join(settings)

    @pytest.mark.parametrize("changes", [LEADS, FOLLOWS])
    def test_all_of_a_cluster_begin_alike(self, changes: dict[str, Any]):
        """What a promotion changes is in a file of its own: no server is restarted for it."""
        numbered: dict[str, Any] = {"mariadb_replication_server_id": 7, **changes}
        lines = render("mariadb", self.CONFIGURATION, **numbered).splitlines()
        assert {"server_id = 7", "log_bin = archipel-bin", "sync_binlog = 1"} <= set(lines)
        assert "gtid_strict_mode = ON" in lines
        assert "rpl_semi_sync_master_timeout = 10000" in lines
        assert lines[-1] == "!include /etc/archipel/mariadb/role.cnf"
        assert not any(line.startswith("read_only") for line in lines)

    def test_for_ever_is_a_long_time(self):
        changes: dict[str, Any] = {"mariadb_replication_wait_seconds": 0, **self.LEADS}
        text = render("mariadb", self.CONFIGURATION, **changes)
        assert "rpl_semi_sync_master_timeout = 1000000000000000" in text

    @pytest.mark.parametrize(
        ("changes", "expected"), [(LEADS, ("OFF", "ON", "OFF")), (FOLLOWS, ("ON", "OFF", "ON"))]
    )
    def test_one_takes_writes(self, changes: dict[str, Any], expected: tuple[str, ...]):
        lines = render("mariadb", self.ROLE, **changes).splitlines()
        names = ("read_only", "rpl_semi_sync_master_enabled", "rpl_semi_sync_slave_enabled")
        found = [f"{name} = {value}" for name, value in zip(names, expected, strict=True)]
        assert [line for line in lines if " = " in line] == found


class TestMariadbFirewall:
    """Who reaches a database over the network: nodes with spaces there, and nobody else."""

    RULES = "etc/archipel/mariadb/firewall.nft.j2"

    def rules(self, *clients: str, **changes: Any) -> list[str]:
        text = render("mariadb", self.RULES, mariadb_client_addresses=list(clients), **changes)
        return [line.strip() for line in text.splitlines()]

    def test_names_each_family_by_itself(self):
        lines = self.rules("10.0.0.2", "2001:db8::2", "10.0.0.1", "10.0.0.2")
        assert "elements = { 10.0.0.1, 10.0.0.2 }" in lines
        assert "elements = { 2001:db8::2 }" in lines
        assert lines[lines.index('iifname "lo" accept') :][:4] == [
            'iifname "lo" accept',
            "tcp dport 3306 ip saddr @clients_ip accept",
            "tcp dport 3306 ip6 saddr @clients_ip6 accept",
            "tcp dport 3306 drop",
        ]

    def test_a_family_that_nobody_comes_by_has_no_set(self):
        """Nft takes no empty list of elements."""
        text = "\n".join(self.rules("10.0.0.2"))
        assert "ip6" not in text
        assert "elements = {  }" not in text

    def test_it_is_the_server_s_port(self):
        lines = self.rules("10.0.0.2", mariadb_port=3307)
        assert "tcp dport 3307 drop" in lines
        assert "3306" not in "".join(lines)

    def test_what_was_there_before_goes_with_the_same_command(self):
        lines = self.rules("10.0.0.2")
        first = lines.index("table inet archipel_mariadb")
        assert lines[first : first + 3] == [
            "table inet archipel_mariadb",
            "delete table inet archipel_mariadb",
            "table inet archipel_mariadb {",
        ]

    def test_other_rules_have_another_mark(self):
        """By which a run sees what the kernel has; the order of nodes makes no rule."""
        found = [
            [line for line in self.rules(*clients) if line.startswith("chain state_")]
            for clients in (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1"), ("10.0.0.1",))
        ]
        assert [len(marks) for marks in found] == [1, 1, 1]
        assert found[0] == found[1] != found[2]

    def test_it_is_up_before_the_server_and_the_network(self):
        unit = "etc/systemd/system/archipel-mariadb-firewall.service.j2"
        lines = render("mariadb", unit).splitlines()
        assert "Before=network-pre.target mariadb.service" in lines
        assert "WantedBy=multi-user.target mariadb.service" in lines
        for moment in ("ExecStart", "ExecReload"):
            assert f"{moment}=/usr/sbin/nft -f /etc/archipel/mariadb/firewall.nft" in lines

    @pytest.mark.parametrize("moment", ["ExecStartPost=-", "ExecReload=", "ExecStopPost="])
    def test_debian_s_firewall_puts_it_up_again(self, moment: str):
        """Its start, reload and stop each empty the whole firewall first."""
        lines = render("mariadb", "etc/systemd/system/nftables.conf.j2").splitlines()
        assert f"{moment}/usr/sbin/nft -f /etc/archipel/mariadb/firewall.nft" in lines

    @pytest.mark.parametrize(
        ("clients", "wrong"),
        [
            (["10.0.0.2", "2001:db8::2", "::1", "fe80::1"], []),
            (["web1.example"], ["web1.example"]),
            (["10.0.0.0/24"], ["10.0.0.0/24"]),
            (["2001:db8::/64"], ["2001:db8::/64"]),
            (["10.0.0.2, 10.0.0.3"], ["10.0.0.2, 10.0.0.3"]),
            (["10.0.0.2 } drop; {"], ["10.0.0.2 } drop; {"]),
        ],
    )
    def test_what_is_no_address_is_refused(self, clients: list[str], wrong: list[str]):
        assert evaluate("mariadb", "__mariadb_no_addresses", mariadb_client_addresses=clients) == (
            wrong
        )

    @pytest.mark.parametrize(
        ("clients", "expected"),
        [(None, []), ([], []), (["web1", "web2"], ["10.0.0.1", "10.0.0.2"])],
    )
    def test_the_platform_names_the_nodes_that_come(
        self, clients: list[str] | None, expected: list[str]
    ):
        """As the inventory knows them; on a single machine none."""
        policy = LOADER.load_from_file(
            str(ROOT / "group_vars/all/platform.yml"), trusted_as_template=True
        )
        known = {"web1": "10.0.0.1", "web2": "10.0.0.2", "web3": "10.0.0.3"}
        given = {} if clients is None else {"archipel_database_clients": clients}
        variables = {**policy, "archipel_database_addresses": {"clients": known}, **given}
        source = trust_as_template("{{ mariadb_client_addresses }}")
        assert Templar(LOADER, variables).template(source) == expected


class TestPhp:
    def test_both_interfaces_share_all_but_their_limits(self):
        cli, fpm = php("cli"), php("fpm")
        assert {key for key in cli | fpm if cli.get(key) != fpm.get(key)} == {
            "memory_limit",
            "max_execution_time",
            "opcache.restrict_api",
            "fastcgi.logging",
        }

    @pytest.mark.parametrize(("release", "version"), [("bookworm", "8.2"), ("trixie", "8.4")])
    def test_the_distribution_decides_the_version(self, release: str, version: str):
        settings = php("fpm", release=release)
        assert (
            settings["opcache.blacklist_filename"]
            == f"/etc/php/{version}/archipel-opcache.blacklist"
        )

    def test_a_session_lives_as_long_as_nextcloud_says(self):
        """PHP's own 24 minutes log people out at lunch."""
        policy = LOADER.load_from_file(str(ROOT / "group_vars/all/spaces.yml"))
        lifetime = policy["spaces_nextcloud_config"]["session_lifetime"]
        for release in DEBIANS:
            settings = php("fpm", release=release)
            assert int(settings["session.gc_maxlifetime"]) >= lifetime >= 86400
            # Whoever goes through all sessions does it beside the requests.
            assert settings["session.gc_probability"] == "0"

    def test_the_configuration_of_spaces_is_never_cached(self):
        """It changes while timestamps are not looked at, and it holds secrets."""
        text = render("php", "etc/php/archipel-opcache.blacklist.j2")
        assert "/srv/spaces/*/config/*" in text.splitlines()
        assert php("fpm")["opcache.validate_timestamps"] == "Off"

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("expose_php", "Off"),
            ("display_errors", "Off"),
            ("allow_url_include", "Off"),
            ("enable_dl", "Off"),
            ("ffi.enable", "Off"),
            ("mysqli.allow_local_infile", "Off"),
            ("session.use_strict_mode", "On"),
            ("session.cookie_secure", "On"),
            ("zend.exception_ignore_args", "On"),
        ],
    )
    def test_what_is_hardened(self, setting: str, value: str):
        assert php("fpm")[setting] == value


class TestRedis:
    def test_there_is_no_port_and_nothing_on_disk(self):
        settings = redis()
        assert settings["port"] == "0"
        assert settings["save"] == '""'
        assert settings["appendonly"] == "no"

    def test_memory_is_bounded(self):
        settings = redis(redis_maxmemory_mb=128)
        assert settings["maxmemory"] == "128mb"
        assert settings["maxmemory-policy"] == "allkeys-lru"

    def test_only_what_nextcloud_needs_is_allowed(self):
        rules = redis()["user"].split()
        assert rules.index("-@admin") > rules.index("+@all")
        assert set(rules[rules.index("-@dangerous") + 1 :]) == {
            "+keys",
            "+info",
            "+flushdb",
        }


class TestPackages:
    @pytest.mark.parametrize(
        ("found", "version"),
        [
            ({"distribution_release": "bookworm"}, "8.2"),
            ({"distribution_release": "trixie"}, "8.4"),
            # Options are checked before the node is asked, and before another one is refused.
            ({}, "8.4"),
            ({"distribution_release": "noble"}, "8.4"),
        ],
    )
    def test_those_of_php_follow_the_distribution(self, found: dict[str, str], version: str):
        packages = evaluate("php", "php_packages", ansible_facts=found)
        assert {f"php{version}-fpm", f"php{version}-intl"} <= set(packages)
        assert all(name.startswith(f"php{version}-") for name in packages)

    def test_those_that_somebody_adds_are_among_them(self):
        packages = evaluate(
            "php", "php_packages", ansible_facts=facts(), php_extra_extensions=["imagick"]
        )
        assert "php8.4-imagick" in packages


class TestCommon:
    def test_services_leave_no_core_dumps(self):
        text = render("common", "etc/systemd/system.conf.d/archipel.conf.j2")
        assert "DefaultLimitCORE=0" in text.splitlines()

    def test_kernel_settings_are_written_as_the_kernel_tools_read_them(self):
        text = render(
            "common", "etc/sysctl.d/60-archipel.conf.j2", ansible_facts=facts(container=False)
        )
        assert "vm.overcommit_memory=1" in text.splitlines()

    def test_a_container_leaves_the_settings_of_its_host_alone(self):
        text = render(
            "common", "etc/sysctl.d/60-archipel.conf.j2", ansible_facts=facts(container=True)
        )
        settings = [line for line in text.splitlines() if not line.startswith("#") and line]
        assert "net.core.somaxconn=8192" in settings
        assert {line.partition(".")[0] for line in settings} == {"net"}

    @pytest.mark.parametrize(
        ("scheduler", "container", "written"),
        [("bfq", False, True), ("bfq", True, False), ("", False, False)],
    )
    def test_the_order_of_disks_is_said_where_somebody_asks_for_it(
        self, scheduler: str, container: bool, written: bool
    ):
        """A container's disks are its host's; a rule that nobody asks for any more goes."""
        rules = "/etc/udev/rules.d/60-archipel-io.rules"
        node = {"disks": [], "proc": {"hideable": False, "mounted": ""}}
        given = {
            "common_io_scheduler": scheduler,
            "ansible_facts": facts(container=container),
            "__common_node": node,
        }
        files = [file["dest"] for file in evaluate("common", "__common_files", **given)]
        units = [unit["name"] for unit in evaluate("common", "__common_units", **given)]
        assert (rules in files) is written
        assert (rules in evaluate("common", "__common_absent", **given)) is not written
        assert ("systemd-udev-trigger.service" in units) is written

    def test_a_rule_gives_the_scheduler_to_disks_alone(self):
        text = render(
            "common", "etc/udev/rules.d/60-archipel-io.rules.j2", common_io_scheduler="bfq"
        )
        (rule,) = [line for line in text.splitlines() if not line.startswith("#")]
        assert 'ENV{DEVTYPE}=="disk"' in rule
        assert rule.endswith('ATTR{queue/scheduler}="bfq"')

    @pytest.mark.parametrize(
        ("scheduler", "container", "expected"),
        [("", False, ["vda (none)"]), ("none", False, []), ("", True, [])],
    )
    def test_disks_that_know_no_weights_are_named_until_somebody_decides(
        self, scheduler: str, container: bool, expected: list[str]
    ):
        disks = [
            {"name": "vda", "scheduler": "none", "weighed": False},
            {"name": "vdb", "scheduler": "bfq", "weighed": True},
        ]
        found = evaluate(
            "common",
            "__common_unweighed",
            common_io_scheduler=scheduler,
            ansible_facts=facts(container=container),
            __common_node={"disks": disks},
        )
        assert found == expected
