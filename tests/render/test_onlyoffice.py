# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the role onlyoffice writes: settings the vendor knows, a front that believes nobody."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.archipel.spaces.plugins.filter.unknown_keys import unknown_keys
from tests.standin import office

ROLE = office.SOURCE.parents[2] / "roles/onlyoffice"
LOADER = DataLoader()
LOADER.set_basedir(str(ROLE))
KEY = "0123456789abcdef" * 4
SHARDS = [{"name": "second", "port": 8102}, {"name": "first", "port": 8101}]


def evaluate(text: str, **changes: t.Any) -> t.Any:
    """Evaluate a template with the role's own variables; an undefined one is an error."""
    given: dict[str, t.Any] = {
        "ansible_managed": "Managed by Ansible",
        "onlyoffice_master_key": KEY,
    }
    for part in ("defaults", "vars"):
        given |= LOADER.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True)
    given |= {"onlyoffice_shards": SHARDS, "ansible_facts": {"distribution_release": "trixie"}}
    return Templar(LOADER, given | {"shard": SHARDS[1]} | changes).template(trust_as_template(text))


def render(template: str, **changes: t.Any) -> str:
    source = (ROLE / "templates" / template).read_text(encoding="utf-8")
    return str(evaluate(source, **changes))


def local(**changes: t.Any) -> dict[str, t.Any]:
    return dict(evaluate("{{ __onlyoffice_local }}", **changes))


class TestLocal:
    def test_the_vendor_knows_every_key(self):
        assert unknown_keys(local(), office.keys()) == []

    def test_tokens_are_always_checked(self):
        assert local()["services"]["CoAuthoring"]["token"]["enable"] == {
            "browser": True,
            "request": {"inbox": True, "outbox": True},
        }

    def test_no_secret_is_the_vendors_and_none_is_shared_between_shards(self):
        first, second = (secrets(local(shard=shard)) for shard in SHARDS)
        assert len(first) == len(second) == 5
        assert not first & second
        assert not {"secret", "verysecretstring", ""} & (first | second)

    def test_what_a_shard_has_is_its_own(self):
        first, second = (local(shard=shard) for shard in (SHARDS[1], SHARDS[0]))
        for settings, name, port in ((first, "first", 8101), (second, "second", 8102)):
            server = settings["services"]["CoAuthoring"]
            assert server["server"]["port"] == port
            assert server["sql"]["dbName"] == server["sql"]["dbUser"] == f"onlyoffice-{name}"
            assert settings["rabbitmq"]["url"].endswith(f"@127.0.0.1:5672/onlyoffice-{name}")
            assert settings["storage"]["fs"]["folderPath"].split("/")[-2] == name
            assert settings["tenants"]["baseDir"].split("/")[-2] == name

    def test_private_addresses_are_closed_unless_said_otherwise(self):
        def rules(**changes: t.Any) -> dict[str, bool]:
            found = local(**changes)["services"]["CoAuthoring"]["request-filtering-agent"]
            return dict(found)

        assert rules() == {"allowPrivateIPAddress": False, "allowMetaIPAddress": False}
        assert rules(onlyoffice_private_addresses_allowed=True)["allowPrivateIPAddress"] is True

    def test_the_whole_host_name_is_the_tenant(self):
        """So that a tenant's name is nothing that a part of a path could be made of."""
        assert local()["tenants"]["baseDomain"] == ""


def secrets(settings: dict[str, t.Any]) -> set[str]:
    server = settings["services"]["CoAuthoring"]
    return {
        settings["storage"]["fs"]["secretString"],
        settings["aesEncrypt"]["secret"],
        re.findall(r":([^:@]+)@", settings["rabbitmq"]["url"])[0],
        server["secret"]["inbox"]["string"],
        settings["tenants"]["baseDir"],
    }


class TestFront:
    site = "etc/nginx/conf.d/archipel-onlyoffice.conf.j2"

    def test_every_header_a_server_believes_is_overwritten(self):
        """A location with a header of its own would inherit none of these."""
        text = render(self.site)
        assert "proxy_set_header" not in text.split("location", 1)[1]
        for header in ("Host $host", "X-Forwarded-Host $host", "X-Forwarded-For $remote_addr"):
            assert f"proxy_set_header {header};" in text
        for header in ("X-Forwarded-Prefix", "CloudFront-Forwarded-Proto", "Forwarded"):
            assert f'proxy_set_header {header} "";' in text

    @pytest.mark.parametrize(("port", "name"), [(443, "$host;"), (8443, "$host:8443;")])
    def test_the_server_learns_the_port_people_use(self, port: int, name: str):
        text = render(self.site, onlyoffice_public_https_port=port)
        assert f"proxy_set_header X-Forwarded-Host {name}" in text

    def test_what_is_not_named_is_not_there(self):
        locations = re.findall(r"location (?:[=~^*]+ )?(\S+) \{\n([^}]*)\}", render(self.site))
        assert locations[-1] == ("/", "\n        return 404;\n    "[1:])

    def test_only_the_spaces_machines_give_commands(self):
        text = render(self.site, onlyoffice_client_addresses=["198.51.100.7"])
        guarded = [part for part in text.split("location")[1:] if "allow 198.51.100.7;" in part]
        assert len(guarded) == 3
        assert all("deny all;" in part for part in guarded)
        assert "CommandService" in "".join(guarded)

    @pytest.mark.parametrize(
        "path",
        [
            "/doc/..%2Fx/c/",
            "/doc/%2e%2E/c/",
            "/a/../b",
            "/a/.",
            "/a//b",
            "/a%5cb",
            "/a\\b",
            "/%00",
            "/command?shardkey=../a",
            "/command?x=1&shardkey=a%2Fb",
            "/command?shardkey=..",
        ],
    )
    def test_parts_of_paths_are_refused(self, path: str):
        assert refused(render(self.site), path)

    @pytest.mark.parametrize(
        "path",
        ["/doc/abc_1.2=-/c/?EIO=4", "/command?shardkey=oc7_abc-1.2", "/sdkjs/a..b.js", "/x?u=../y"],
    )
    def test_plain_paths_are_not(self, path: str):
        assert not refused(render(self.site), path)


def refused(site: str, path: str) -> bool:
    """Ask the regular expressions of nginx' map; Python reads them alike."""
    block = re.search(r"map \$request_uri \$onlyoffice_refused \{(.*?)\n\}", site, re.DOTALL)
    assert block
    patterns = re.findall(r'"~(.+)"\s+1;', block[1])
    assert len(patterns) == 4
    return any(re.search(pattern, path) for pattern in patterns)


class TestFirewall:
    def test_each_port_is_behind_it(self):
        text = render("etc/archipel/onlyoffice/firewall.nft.j2")
        assert "elements = { 8101, 8102 }" in text
        assert 'iifname != "lo" tcp dport @shards drop' in text

    def test_without_shards_there_is_nothing_to_close(self):
        text = render("etc/archipel/onlyoffice/firewall.nft.j2", onlyoffice_shards=[])
        assert re.findall(r"chain (\w+)", text) == re.findall(r"state_\w+", text)

    def test_other_rules_have_another_mark(self):
        """By which a run sees what the kernel has; the order of shards makes no rule."""
        lists: tuple[list[dict[str, t.Any]], ...] = (SHARDS, SHARDS[::-1], SHARDS[:1], [])
        texts = [
            render("etc/archipel/onlyoffice/firewall.nft.j2", onlyoffice_shards=one)
            for one in lists
        ]
        marks = [re.findall(r"chain (state_[0-9a-f]{16}) ", text) for text in texts]
        assert all(len(mark) == 1 for mark in marks)
        assert marks[0] == marks[1]
        assert len({mark[0] for mark in marks}) == 3

    @pytest.mark.parametrize("moment", ["ExecStartPost", "ExecReload", "ExecStopPost"])
    def test_debian_s_firewall_puts_it_up_again(self, moment: str):
        """Its start, reload and stop each empty the whole firewall first."""
        lines = render("etc/systemd/system/nftables.conf.j2").splitlines()
        # None of them may fail unnoticed.
        assert f"{moment}=/usr/sbin/nft -f /etc/archipel/onlyoffice/firewall.nft" in lines


class TestRepository:
    pin = "etc/apt/archipel-onlyoffice.pref.j2"

    def test_the_vendor_may_give_one_package_only(self):
        blocks = render(self.pin).split("\n\n")
        assert 'Package: *\nPin: origin "download.onlyoffice.com"\nPin-Priority: -1' in blocks[0]
        assert "Package: onlyoffice-documentserver\n" in blocks[1]

    def test_a_version_is_kept(self):
        text = render(self.pin, onlyoffice_version="9.0.4-*")
        assert "Pin: version 9.0.4-*\nPin-Priority: 1001" in text

    def test_the_key_is_named(self):
        text = render("etc/apt/archipel-onlyoffice.sources.j2")
        assert "Signed-By: /usr/share/keyrings/archipel-onlyoffice.asc" in text
        assert "Suites: squeeze\nComponents: main" in text


class TestShards:
    @pytest.mark.parametrize(
        ("shards", "said"),
        [
            ([], []),
            (SHARDS, []),
            ([{"name": "a", "port": 8101}], ['found the name "a"']),
            ([{"name": "a" * 21, "port": 8101}], ["found the name"]),
            ([{"name": "../x", "port": 8101}], ['found the name "../x"']),
            ([{"name": "aa", "port": 8000}], ['shard aa has the port "8000"']),
            ([{"name": "aa", "port": None}], ['shard aa has the port "None"']),
            ([{"name": "aa", "port": 80}], ['shard aa has the port "80"']),
            ([{"name": "aa", "port": 8101}] * 2, ["the names are aa, aa", "the ports are 8101"]),
        ],
    )
    def test_what_does_not_do_is_said(self, shards: list[dict[str, t.Any]], said: list[str]):
        problems = evaluate("{{ __onlyoffice_shard_problems }}", onlyoffice_shards=shards)
        assert len(problems) == len(said)
        assert all(p.startswith(s) for p, s in zip(problems, said, strict=True)), problems
