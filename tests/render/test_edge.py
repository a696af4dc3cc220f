# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the role edge writes, and what it refuses; and what nginx believes of an edge."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

from tests.render.test_platform import evaluate, facts, nginx
from tests.render.test_platform import render as render_role

NODES = [
    {"name": "web1.example", "address": "10.0.0.1", "https_port": 8443, "http_port": 80},
    {"name": "web2", "address": "10.0.0.2", "https_port": 8443, "http_port": 80},
]
CERTIFICATES = ["/etc/archipel/tls/wildcard", "/etc/archipel/tls/others"]
PEERS = [{"name": "edge1", "address": "10.0.0.8"}, {"name": "edge2", "address": "10.0.0.9"}]


def render(**changes: Any) -> str:
    return render_role("edge", "etc/haproxy/haproxy.cfg.j2", **{"edge_nodes": NODES} | changes)


def section(text: str, name: str) -> list[str]:
    """Return the lines of one section."""
    found = re.search(rf"^{re.escape(name)}\n((?:    .*\n|\s*#.*\n|\n)*)", text, re.MULTILINE)
    assert found, f"no section {name}"
    return [line.strip() for line in found[1].splitlines() if line.strip()]


class TestPassthrough:
    def test_each_node_is_told_who_the_client_is(self):
        text = render()
        for node in NODES:
            lines = section(text, f"backend node_{node['name']}")
            assert "mode tcp" in lines
            assert f"server web {node['address']}:8443 send-proxy-v2" in lines

    def test_a_name_that_no_space_has_is_shown_no_certificate(self):
        lines = section(render(), "frontend archipel_https")
        looked = next(n for n, line in enumerate(lines) if "req.ssl_sni,lower,map_str(" in line)
        refused = "tcp-request content reject if { req.ssl_hello_type 1 } !{ var(sess.entry)"
        assert any(line.startswith(refused) for line in lines[looked + 1 : looked + 3])
        assert lines.index("tcp-request content reject") > looked, "nor who speaks no TLS"

    def test_nothing_of_the_request_is_logged(self):
        """The name that was asked for is the space's, as the map has it."""
        assert "req.ssl_sni" not in re.findall(r"log-format (.*)", render())[0]

    def test_the_page_of_a_node_that_is_down_needs_a_certificate(self):
        assert "archipel_down" not in render()
        text = render(edge_certificates=CERTIFICATES)
        assert "server down abns@archipel-down send-proxy-v2 no-check backup" in text
        lines = section(text, "frontend archipel_down")
        assert "ssl crt /etc/haproxy/archipel/certificates strict-sni" in lines[1]

    def test_the_page_is_in_the_language_of_the_space(self):
        lines = section(render(edge_certificates=CERTIFICATES), "frontend archipel_down")
        pages = [line for line in lines if "status 503" in line]
        assert "down.fr.html" in pages[0]
        assert pages[0].endswith("{ var(txn.entry),field(3,/) fr }")
        assert "down.en.html" in pages[1]
        assert pages[1].endswith("if { always_true }"), "whatever the language"


class TestTermination:
    CHANGES: ClassVar[dict[str, Any]] = {"edge_tls": "terminate", "edge_certificates": CERTIFICATES}

    def test_tls_begins_anew_and_is_verified_for_the_name(self):
        lines = section(render(**self.CHANGES), "backend node_web2")
        (server,) = [line for line in lines if line.startswith("server ")]
        assert "10.0.0.2:8443 send-proxy-v2 ssl verify required ca-file" in server
        assert "sni req.hdr(host),field(1,:)" in server

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
    def test_what_clients_say_of_themselves_goes_no_further(self, header: str):
        for name in ("frontend archipel_https", "frontend archipel_http"):
            lines = section(render(**self.CHANGES), name)
            forgotten = lines.index(f"http-request del-header {header}")
            assert forgotten < next(n for n, one in enumerate(lines) if "use_backend" in one)

    def test_no_path_and_no_query_is_logged(self):
        """They hold secrets."""
        (form,) = re.findall(r"log-format (.*)", render(**self.CHANGES))
        assert not re.search(r"%(?:HU|HP|HPO|HQ|HPL|r)\b", form)


def test_haproxy_finds_each_key_beside_its_certificate():
    links = evaluate("edge", "__edge_links", edge_certificates=CERTIFICATES)
    folder = "/etc/haproxy/archipel/certificates"
    assert [(one["path"].removeprefix(f"{folder}/"), one["target"]) for one in links] == [
        ("0.pem", "/etc/archipel/tls/wildcard/fullchain.pem"),
        ("0.pem.key", "/etc/archipel/tls/wildcard/privkey.pem"),
        ("1.pem", "/etc/archipel/tls/others/fullchain.pem"),
        ("1.pem.key", "/etc/archipel/tls/others/privkey.pem"),
    ]


def test_what_is_renewed_where_a_link_leads_is_newer():
    """The link itself stays as it is."""
    (unit,) = evaluate("edge", "__edge_units", edge_certificates=CERTIFICATES)
    assert {f"{folder}/fullchain.pem" for folder in CERTIFICATES} <= set(unit["newer"])
    assert "/etc/haproxy/archipel/names.map" not in unit["newer"]
    assert "/etc/haproxy/archipel" not in unit["newer"]


class TestCommonAddresses:
    """Of two edges, by keepalived."""

    def keepalived(self, node: str, *addresses: str) -> list[str]:
        text = render_role(
            "edge",
            "etc/keepalived/keepalived.conf.j2",
            inventory_hostname=node,
            edge_shared_addresses=list(addresses),
            edge_shared_interface="eth0",
            edge_peers=PEERS,
        )
        return [line.strip() for line in text.splitlines()]

    def test_they_know_each_other_and_who_comes_first(self):
        first, second = (self.keepalived(node, "192.0.2.10/24") for node in ("edge1", "edge2"))
        assert first[first.index("unicast_peer {") + 1] == "10.0.0.9"
        assert second[second.index("unicast_peer {") + 1] == "10.0.0.8"
        assert {"unicast_src_ip 10.0.0.8", "priority 254", "nopreempt"} <= set(first)
        assert {"unicast_src_ip 10.0.0.9", "priority 253"} <= set(second)
        assert "interface eth0" in first

    def test_both_families_go_together(self):
        lines = self.keepalived("edge1", "192.0.2.10/24", "2001:db8::10/64")
        assert lines[lines.index("virtual_ipaddress {") + 1] == "192.0.2.10/24"
        assert lines[lines.index("virtual_ipaddress_excluded {") + 1] == "2001:db8::10/64"
        assert "virtual_ipaddress_excluded {" not in self.keepalived("edge1", "2001:db8::10/64")


class TestBoth:
    @pytest.mark.parametrize("tls", ["passthrough", "terminate"])
    def test_a_client_that_floods_is_refused_before_anything_is_read(self, tls: str):
        text = render(edge_tls=tls, edge_certificates=CERTIFICATES)
        for name in ("frontend archipel_https", "frontend archipel_http"):
            lines = section(text, name)
            assert "tcp-request connection reject if { sc_conn_cur(0) gt 400 }" in lines
            assert "tcp-request connection reject if { sc_conn_rate(0) gt 300 }" in lines
            assert any("src,ipmask(32,64)" in line for line in lines)

    @pytest.mark.parametrize("tls", ["passthrough", "terminate"])
    def test_a_proxy_in_front_says_who_the_client_is_before_it_is_counted(self, tls: str):
        changes = {"edge_tls": tls, "edge_certificates": CERTIFICATES}
        assert "expect-proxy" not in render(**changes)
        text = render(edge_trusted_proxies=["192.0.2.1", "2001:db8::/64"], **changes)
        for name in ("frontend archipel_https", "frontend archipel_http"):
            lines = [one for one in section(text, name) if one.startswith("tcp-request connection")]
            expected = (
                "tcp-request connection expect-proxy layer4 if { src 192.0.2.1 2001:db8::/64 }"
            )
            assert lines[0] == expected
            assert "src,ipmask(32,64)" in lines[1]

    @pytest.mark.parametrize("tls", ["passthrough", "terminate"])
    def test_connections_to_a_silent_node_end_and_those_just_made_do_not_hang(self, tls: str):
        """HAProxy 3.0 forgets a connection that it was still making when it marks a server down."""
        text = render(edge_tls=tls, edge_certificates=CERTIFICATES)
        (line, _) = re.findall(r"default-server (.*)", text)
        assert line.endswith(" tcp-ut 15s")
        assert "shutdown-sessions" not in text

    def test_no_more_connections_than_files_may_be_open(self):
        """The node of these tests allows 8,192; HAProxy does not start with more."""
        assert "maxconn 3996" in section(render(), "global")
        assert "maxconn 100" in section(render(edge_connections=100), "global")
        # A kernel without a limit.
        assert "maxconn 40000" in section(render(ansible_facts=facts(nofile=None)), "global")

    def test_it_listens_to_the_families_that_the_node_has(self):
        """A common socket would make all clients with IPv4 one network of IPv6."""
        for name, port in (("frontend archipel_https", 443), ("frontend archipel_http", 80)):
            assert self.binds(render(), name) == [f"bind *:{port}", f"bind [::]:{port} v6only"]
            four = render(ansible_facts=facts(ipv6=False))
            assert self.binds(four, name) == [f"bind *:{port}"]
        own = render(edge_https_bind="192.0.2.9:443")
        assert self.binds(own, "frontend archipel_https") == ["bind 192.0.2.9:443"]
        ends = render(**TestTermination.CHANGES)
        assert all(" ssl crt " in one for one in self.binds(ends, "frontend archipel_https"))

    def binds(self, text: str, name: str) -> list[str]:
        return [line for line in section(text, name) if line.startswith("bind ")]

    def test_the_port_that_people_use_is_in_redirects(self):
        assert "location https://%[req.hdr(host),field(1,:)]%[capture.req.uri]" in render()
        assert "field(1,:)]:8443%[capture.req.uri]" in render(edge_public_https_port=8443)

    def test_challenges_go_to_the_node_that_asked_for_them(self):
        lines = section(render(), "frontend archipel_http")
        assert (
            "http-request deny deny_status 404 if challenge !{ var(txn.entry) -m found }" in lines
        )
        assert lines[-1] == "use_backend plain_%[var(txn.entry),field(1,/)]"

    @pytest.mark.parametrize("language", ["fr", "en"])
    def test_there_is_a_page_for_each_language(self, language: str):
        page = render_role("edge", "srv/down.html.j2", __edge_language=language)
        assert f'<html lang="{language}">' in page
        assert "<script" not in page

    @pytest.mark.parametrize("release", ["bookworm", "trixie"])
    def test_there_is_a_header(self, release: str):
        assert "Managed by Ansible" in render(release=release)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"edge_nodes": []}, "edge_nodes: missing; allowed: at least one web node"),
        (
            {"edge_trusted_proxies": ["192.0.2.1", "proxy.example"]},
            'edge_trusted_proxies: found "proxy.example"; allowed: an IP address',
        ),
        (
            {"edge_trusted_proxies": ["0.0.0.0/0"]},
            'edge_trusted_proxies: found "0.0.0.0/0", which is everybody',
        ),
        ({"edge_tls": "bridge"}, 'edge_tls: found "bridge"; allowed: passthrough or terminate'),
        ({"edge_tls": "terminate"}, "edge_certificates: missing; with edge_tls: terminate"),
        ({"edge_languages": []}, "edge_languages: missing; allowed: en, fr"),
        ({"edge_languages": ["de", "fr"]}, 'edge_languages: found "de"; allowed: en, fr'),
        (
            {"edge_nodes": [{"name": "web 1", "address": "x", "https_port": 1, "http_port": 1}]},
            'edge_nodes: found the name "web 1"; allowed: letters',
        ),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], expected: str):
    found = evaluate("edge", "__edge_problems", **{"edge_nodes": NODES, **changes})
    assert [one for one in found if expected in one] == found
    assert bool(found) is bool(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"edge_shared_addresses": ["192.0.2.10"]}, 'found "192.0.2.10"; allowed: an IP address'),
        ({"edge_shared_interface": ""}, "edge_shared_interface: missing; allowed: the name"),
        ({"edge_shared_id": 0}, "edge_shared_id: found 0; allowed: 1 to 255"),
        ({"edge_shared_id": 256}, "edge_shared_id: found 256; allowed: 1 to 255"),
        ({"edge_peers": PEERS[:1]}, "edge_peers: found one edge; edge_shared_addresses need two"),
        ({"inventory_hostname": "edge3"}, "edge_peers: edge3 is missing; allowed: all edges"),
    ],
)
def test_common_addresses_that_cannot_be_are_refused(changes: dict[str, Any], expected: str):
    given = {
        "inventory_hostname": "edge1",
        "edge_nodes": NODES,
        "edge_peers": PEERS,
        "edge_shared_addresses": ["192.0.2.10/24", "2001:db8::10/64"],
        "edge_shared_interface": "eth0",
    }
    found = evaluate("edge", "__edge_problems", **{**given, **changes})
    assert [one for one in found if expected in one] == found
    assert bool(found) is bool(expected)


class TestNginx:
    """Who it believes."""

    PARTS = ("conf.d/00-archipel-default.conf", "snippets/archipel-listen.conf")

    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("release", ["bookworm", "trixie"])
    def test_without_an_edge_it_believes_nobody(self, part: str, release: str):
        text = nginx(part, release=release)
        assert not re.search(r"proxy_protocol|real_ip", text)

    def test_an_edge_has_a_port_of_its_own_and_is_the_only_one_believed(self):
        changes = {"nginx_proxy_port": 8443, "nginx_proxy_addresses": ["10.0.0.9", "2001:db8::9"]}
        text = nginx(self.PARTS[0], **changes)
        assert re.findall(r"set_real_ip_from (\S+);", text) == ["10.0.0.9", "2001:db8::9"]
        assert "real_ip_header proxy_protocol;" in text
        assert "listen 8443 ssl proxy_protocol default_server;" in text
        listen = nginx(self.PARTS[1], **changes)
        assert "listen 443 ssl;" in listen, "spaces reach themselves there"
        assert "listen 8443 ssl proxy_protocol;" in listen

    def test_of_what_a_header_lists_only_what_its_proxies_have_seen_counts(self):
        text = nginx(self.PARTS[0], nginx_forwarded_addresses=["10.0.0.9", "2001:db8::/64"])
        assert re.findall(r"set_real_ip_from (\S+);", text) == ["10.0.0.9", "2001:db8::/64"]
        assert "real_ip_header X-Forwarded-For;" in text
        assert "real_ip_recursive on;" in text
        assert "proxy_protocol" not in text

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, ""),
            (
                {"nginx_proxy_port": 8443},
                "nginx_proxy_port and nginx_forwarded_addresses: found both; allowed: one of them",
            ),
            (
                {"nginx_forwarded_addresses": ["proxy.example"]},
                'found "proxy.example"; allowed: an IP address, or a network',
            ),
            (
                {"nginx_forwarded_addresses": [], "nginx_proxy_addresses": ["unix:"]},
                'found "unix:"; allowed: an IP address, or a network',
            ),
            ({"nginx_forwarded_addresses": ["0.0.0.0/0"]}, 'found "0.0.0.0/0", which is everybody'),
            ({"nginx_forwarded_addresses": ["::/0"]}, 'found "::/0", which is everybody'),
            ({"nginx_forwarded_header": "Forwarded"}, "nginx does not read Forwarded"),
            ({"nginx_forwarded_header": "proxy_protocol"}, 'found "proxy_protocol"; allowed'),
        ],
    )
    def test_proxies_that_cannot_be_believed_are_refused(
        self, changes: dict[str, Any], expected: str
    ):
        given = {"nginx_forwarded_addresses": ["192.0.2.9", "10.0.0.0/8", "2001:db8::9"]}
        found = evaluate("nginx", "__nginx_problems", **given | changes)
        assert [one for one in found if expected in one] == found
        assert bool(found) is bool(expected)

    def test_that_an_edge_asks_whether_it_is_there_is_not_logged(self):
        assert "access_log off" not in nginx(self.PARTS[0])
        text = nginx(self.PARTS[0], nginx_unlogged_names=["edge.invalid"])
        (server,) = [part for part in text.split("server {")[1:] if "access_log off" in part]
        assert "server_name edge.invalid;" in server
        # What the edge expects.
        assert "return 301 " in server
        assert "hdr Host edge.invalid" in render()

    def test_what_no_edge_passes_on_is_not_announced(self):
        changes = {"nginx_http3_enabled": True, "nginx_proxy_port": 8443}
        assert not re.search(r"quic|h3", "".join(nginx(part, **changes) for part in self.PARTS))
        others = {"nginx_http3_enabled": True, "nginx_forwarded_addresses": ["10.0.0.9"]}
        assert not re.search(r"quic|h3", "".join(nginx(part, **others) for part in self.PARTS))

    def test_http2_is_said_as_the_installed_nginx_wants_it(self):
        text = nginx(self.PARTS[1], release="bookworm", nginx_proxy_port=8443)
        assert "listen 8443 ssl http2 proxy_protocol;" in text
