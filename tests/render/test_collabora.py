# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the role collabora writes: coolwsd.xml, the front, the unit, and the list of spaces."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ansible_collections.archipel.spaces.plugins.filter.coolwsd_password import coolwsd_password
from ansible_collections.archipel.spaces.plugins.filter.wopi_groups import wopi_groups
from tests.render.test_platform import ROLES, render

# Every element, and attribute, of the vendor's coolwsd.xml of version 25.04.1.1; with what its
# comments and its tool coolconfig name beside.
ELEMENTS = set(Path(__file__).with_name("coolwsd-elements.txt").read_text(encoding="utf-8").split())
# Attributes that say what a value is.
DESCRIBING = {"desc", "default", "type", "relative"}
FACTS = {
    "distribution_release": "trixie",
    "processor_vcpus": 2,
    "memtotal_mb": 4096,
    "all_ipv4_addresses": ["198.51.100.21"],
    "all_ipv6_addresses": ["fe80::1%eth0"],
}
GIVEN: dict[str, t.Any] = {
    "inventory_hostname": "office1",
    "collabora_server_name": "collabora1.example.org",
    "collabora_admin_password": "correct horse battery",
    "ansible_facts": FACTS,
}
SENTINEL = "https://none.invalid:443"


def xml(**changes: t.Any) -> str:
    return render("collabora", "etc/coolwsd/coolwsd.xml.j2", **GIVEN | changes)


def tree(**changes: t.Any) -> ElementTree.Element:
    return ElementTree.fromstring(xml(**changes))


def front(**changes: t.Any) -> str:
    return render("collabora", "etc/nginx/conf.d/archipel-collabora.conf.j2", **GIVEN | changes)


def paths(element: ElementTree.Element, above: str = "") -> t.Iterator[str]:
    for child in element:
        path = f"{above}/{child.tag}" if above else child.tag
        yield path
        yield from (f"{path}@{name}" for name in child.attrib if name not in DESCRIBING)
        yield from paths(child, path)


def location(text: str, name: str) -> str:
    found = re.search(
        rf"(?=location )[^\n]*{re.escape(name)}[^\n]*{{\n(.*?)\n    }}", text, re.DOTALL
    )
    assert found, name
    return found[1]


class TestConfiguration:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"collabora_sandbox": "capabilities"},
            {"collabora_frame_ancestors": ["https://a.example"]},
            {"collabora_convert_addresses": ["192.0.2.10"]},
        ],
    )
    def test_knows_only_what_the_vendor_knows(self, changes: dict[str, t.Any]):
        assert set(paths(tree(**changes))) <= ELEMENTS

    def test_lets_nobody_in_but_whom_the_list_names(self):
        groups = tree().find("storage/wopi/alias_groups")
        assert groups is not None
        assert groups.get("mode") == "groups"
        assert [host.text for host in groups.iter("host")] == [SENTINEL]
        url = tree().findtext("remote_config/remote_url")
        assert url == "https://collabora1.example.org/archipel/spaces.json"

    def test_is_reached_through_the_front_alone(self):
        assert tree().findtext("net/listen") == "loopback"
        assert tree().findtext("ssl/termination") == "true"
        assert tree().findtext("ssl/enable") == "false"

    def test_another_port_is_in_every_address(self):
        root = tree(collabora_public_https_port=8443)
        assert root.findtext("server_name") == "collabora1.example.org:8443"
        assert "collabora1.example.org:8443" in (root.findtext("remote_config/remote_url") or "")

    def test_nobody_converts_unless_named(self):
        assert next(h.text for h in tree().iter("host")) == r"192\.0\.2\.0"
        named = tree(collabora_convert_addresses=["192.0.2.10", "2001:db8::1"])
        hosts = [host.text or "" for host in named.findall("net/post_allow/host")]
        assert any(re.fullmatch(host, "192.0.2.10") for host in hosts)
        assert any(re.fullmatch(host, "::ffff:192.0.2.10") for host in hosts)
        assert any(re.fullmatch(host, "2001:db8::1") for host in hosts)
        assert not any(re.fullmatch(host, "192.0.2.100") for host in hosts)

    def test_logs_nobodys_name(self):
        root = tree()
        assert root.findtext("logging/anonymize/anonymize_user_data") == "true"
        assert root.findtext("logging/level") == "warning"
        assert root.findtext("logging/userstats") == root.findtext("logging/docstats") == "false"

    def test_the_password_is_not_there_and_its_hash_is_right(self):
        text = xml()
        assert "correct horse" not in text
        kind, rounds, salt, digest = text.split("<secure_password>")[1].split("<")[0].split(".")[1:]
        assert kind == "sha512"
        made = hashlib.pbkdf2_hmac(
            "sha512", b"correct horse battery", bytes.fromhex(salt), int(rounds), 64
        )
        assert made.hex() == digest == digest.lower()
        assert text == xml()

    @pytest.mark.parametrize(
        ("processors", "memory", "prespawn", "threads"),
        [(1, 512, "1", "1"), (2, 4096, "2", "2"), (16, 65536, "4", "4"), (8, 1024, "2", "4")],
    )
    def test_is_sized_to_the_machine(
        self, processors: int, memory: int, prespawn: str, threads: str
    ):
        facts = {**FACTS, "processor_vcpus": processors, "memtotal_mb": memory}
        root = tree(ansible_facts=facts)
        assert root.findtext("num_prespawn_children") == prespawn
        assert root.findtext("per_document/max_concurrency") == threads

    def test_frames(self):
        assert tree().find("net/frame_ancestors") is None
        policy = tree(collabora_frame_ancestors=["https://a.example", "https://b.example"])
        assert policy.findtext("net/content_security_policy") == (
            "frame-ancestors https://a.example https://b.example;"
        )


class TestCheck:
    """What stands between a wrong file and a restart."""

    def check(self, tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "coolwsd.xml"
        path.write_text(text, encoding="utf-8")
        program = str(ROLES / "collabora/files/coolwsd-check.py")
        return subprocess.run(
            [sys.executable, program, str(path)],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    def test_takes_what_the_role_writes(self, tmp_path: Path):
        done = self.check(tmp_path, xml())
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('mode="groups"', 'mode="first"', "the first host is let in"),
            (SENTINEL, "none.invalid", "is not https://name:port"),
            ("<group>", "<!--", "no XML"),
            ("/archipel/spaces.json", "", ""),
            ("https://collabora1.example.org/archipel", "http://x/archipel", "is not https"),
            ("pbkdf2.sha512", "$pbkdf2-sha512$", "not pbkdf2.sha512"),
            ("<enable_pam", "<password>x</password><enable_pam", "a password in the clear"),
        ],
    )
    def test_refuses_what_would_be_misread(self, tmp_path: Path, old: str, new: str, said: str):
        text = xml()
        assert old in text
        done = self.check(tmp_path, text.replace(old, new))
        assert done.returncode == (1 if said else 0)
        assert said in done.stderr

    def test_refuses_upper_case_digits(self, tmp_path: Path):
        text = re.sub(r"pbkdf2\.[^<]*", lambda found: found[0].upper(), xml())
        assert self.check(tmp_path, text).returncode == 1


class TestFront:
    def test_says_itself_who_asks_and_for_whom(self):
        text = front()
        assert "proxy_set_header Host collabora1.example.org;" in text
        assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
        # A location with a header of its own would inherit none of these.
        assert all("proxy_set_header" not in part for part in text.split("location ")[1:])
        assert "$host" not in text
        assert "$proxy_add_x_forwarded_for" not in text

    @pytest.mark.parametrize("name", ["cool/adminws", "convert-to"])
    def test_keeps_to_itself_what_few_may(self, name: str):
        assert location(front(), name).split()[:2] == ["deny", "all;"]

    def test_the_named_may(self):
        text = front(
            collabora_convert_addresses=["192.0.2.10"], collabora_admin_addresses=["192.0.2.99"]
        )
        assert "allow 192.0.2.10;" in location(text, "convert-to")
        assert "allow 192.0.2.99;" in location(text, "cool/adminws")

    def test_the_list_is_for_this_machine(self):
        listed = location(front(), "/archipel/spaces.json")
        assert re.findall(r"allow (\S+);", listed) == [
            "127.0.0.1",
            "::1",
            "198.51.100.21",
            "fe80::1",
        ]
        assert "deny all;" in listed

    def test_what_is_not_named_is_not_there(self):
        assert [line.strip() for line in location(front(), "location / ").splitlines()] == [
            "add_header X-Content-Type-Options nosniff always;",
            "return 404;",
        ]
        assert "wopiAccessCheck {" not in front()

    def test_no_request_is_logged(self):
        assert "access_log off;" in front()


class TestUnit:
    def test_has_no_privilege(self):
        unit = render("collabora", "etc/systemd/system/coolwsd.service.d/archipel.conf.j2", **GIVEN)
        assert "CapabilityBoundingSet=\n" in unit
        assert "NoNewPrivileges=yes" in unit

    def test_or_those_that_older_versions_need(self):
        unit = render(
            "collabora",
            "etc/systemd/system/coolwsd.service.d/archipel.conf.j2",
            **GIVEN | {"collabora_sandbox": "capabilities"},
        )
        assert "CapabilityBoundingSet=CAP_FOWNER CAP_CHOWN CAP_SYS_CHROOT CAP_SYS_ADMIN" in unit
        assert "NoNewPrivileges" not in unit


class TestList:
    SPACES: t.ClassVar = [
        {"slug": "velo", "hosts": ["velo.example.org", "cloud.velo.example"]},
        {"slug": "amap", "hosts": ["amap.example.org"]},
    ]

    def groups(self, spaces: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
        document = json.loads(wopi_groups(spaces, SENTINEL))
        assert document["kind"] == "configuration"
        assert document["storage"]["wopi"]["alias_groups"]["mode"] == "groups"
        return document["storage"]["wopi"]["alias_groups"]["groups"]

    def test_has_a_group_for_each_space(self):
        assert self.groups(self.SPACES)[1:] == [
            {"host": "https://amap.example.org:443", "allow": True, "aliases": []},
            {
                "host": "https://velo.example.org:443",
                "allow": True,
                "aliases": ["https://cloud.velo.example:443"],
            },
        ]

    def test_is_never_empty(self):
        assert [group["host"] for group in self.groups([])] == [SENTINEL]

    def test_ten_thousand_spaces(self):
        many = [{"slug": f"s{n}", "hosts": [f"s{n}.example.org"]} for n in range(10_000)]
        assert len(self.groups(many)) == 10_001


def test_another_salt_another_hash():
    assert coolwsd_password("x", "a") != coolwsd_password("x", "b") != coolwsd_password("y", "b")
