# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What nginx's maps make of a request under a name that is not the canonical one."""

from __future__ import annotations

import re

import pytest

from tests.render.samples import ROOT
from tests.render.test_platform import render

CONF = "etc/nginx/conf.d/archipel-spaces.conf.j2"
BASE = "*.spaces.example.org"
SPACE = (ROOT / "roles/spaces/templates/etc/nginx/snippets/archipel-space.conf.j2").read_text(
    encoding="utf-8"
)
OTHER = "approved/fr/velo@127.112.0.3>cloud.velo.example"
CANONICAL = "approved/fr/velo@127.112.0.3"
MAPS = render("spaces", CONF, spaces_server_names=[BASE])
# With a certificate for each own domain, in a map that is written on the node.
EACH = render(
    "spaces", CONF, spaces_server_names=[BASE], spaces_domains_tls_names="/etc/archipel/names"
)


def evaluate(variable: str, known: dict[str, str], maps: str = MAPS) -> str:
    """Return a variable of nginx, through as many maps as it takes."""
    if variable in known:
        return known[variable]
    match = re.search(rf'^map (\S+|"[^"]+") \${variable} \{{\n(.*?)^\}}', maps, re.M | re.S)
    assert match, variable
    source = re.sub(r"\$(\w+)", lambda m: evaluate(m[1], known, maps), match[1].strip('"'))
    lines = re.findall(r'^    ("[^"]*"|\S+) ("[^"]*"|\S+);$', match[2], re.M)
    default = ""
    for wanted, value in ((one.strip('"'), two.strip('"')) for one, two in lines):
        if wanted == "default":
            default = value
        elif groups := _hit(wanted, source):
            known = {**known, **groups}
            default = value
            break
    return evaluate(default[1:], known, maps) if default.startswith("$") else default


def _hit(wanted: str, source: str) -> dict[str, str]:
    """Return what an entry of a map finds, the whole as one; nothing if it is another's."""
    if wanted.startswith("~"):
        hit = re.search(wanted[1:].replace("?<", "?P<"), source)
        return {"": source, **hit.groupdict()} if hit else {}
    found = source.endswith(wanted[1:]) if wanted.startswith("*.") else source == wanted
    return {"": source} if found else {}


def request(uri: str = "/", **changes: str) -> dict[str, str]:
    return {
        "archipel_entry": OTHER,
        "host": "velo.spaces.example.org",
        "request_method": "GET",
        "http_sec_fetch_mode": "",
        "http_authorization": "",
        "uri": uri,
        **changes,
    }


@pytest.mark.parametrize(
    "asked",
    [
        request(),
        request("/index.php/login"),
        request("/index.php/apps/files/files/12", http_sec_fetch_mode="navigate"),
        request("/s/2fMk9", request_method="HEAD"),
        request("/index.php/login/v2/flow/abc"),
        request("/apps/onlyoffice/12"),
    ],
)
def test_what_people_open_leads_to_the_canonical_name(asked):
    assert evaluate("archipel_elsewhere", asked) == "cloud.velo.example"


@pytest.mark.parametrize(
    "asked",
    [
        request("/index.php/login", request_method="POST"),
        request("/remote.php/dav/files/x/", request_method="PROPFIND"),
        request("/remote.php/dav/public-calendars/x"),
        request("/public.php/dav/files/x"),
        request("/status.php"),
        request("/ocs/v2.php/cloud/capabilities"),
        request("/index.php/ocm/shares"),
        request("/ocm-provider/"),
        request("/.well-known/carddav"),
        request("/index.php/.well-known/webfinger"),
        request("/index.php/204"),
        request("/index.php/login/v2/poll"),
        request("/index.php/apps/richdocuments/wopi/files/12_oc/contents"),
        request("/apps/richdocuments/wopi/files/12"),
        request("/index.php/apps/onlyoffice/download"),
        request("/index.php/apps/deck/api/v1.0/boards", http_authorization="Basic eDp4"),
        request("/index.php/avatar/x/64", http_sec_fetch_mode="no-cors"),
        request("/index.php/apps/text/session", http_sec_fetch_mode="same-origin"),
    ],
)
def test_programs_are_answered_under_the_name_that_they_know(asked):
    """Clients that sync, office servers, other clouds, scripts of an open page."""
    assert evaluate("archipel_elsewhere", asked) == ""


@pytest.mark.parametrize("entry", [CANONICAL, "approved/fr/velo", ""])
def test_the_canonical_name_and_names_side_by_side_lead_nowhere(entry):
    assert evaluate("archipel_elsewhere", request(archipel_entry=entry)) == ""
    assert evaluate("archipel_host", request(archipel_entry=entry)) == "velo.spaces.example.org"


@pytest.mark.parametrize(
    ("entry", "certificates", "leads"),
    [
        (OTHER, "", ""),
        (OTHER, "other.example /etc/archipel/names/other.example;", ""),
        (OTHER, "cloud.velo.example /etc/archipel/names/cloud.velo.example;", "cloud.velo.example"),
        (f"{CANONICAL}>velo.spaces.example.org", "", "velo.spaces.example.org"),
        (CANONICAL, "", ""),
    ],
)
def test_nobody_is_led_to_a_domain_without_a_certificate(entry, certificates, leads):
    """It may lead elsewhere still: the space is served under the names that work."""
    (include,) = set(re.findall(r"^    include (\S+\.map);$", EACH, re.M))
    maps = EACH.replace(f"    include {include};", f"    {certificates}")
    asked = request(archipel_entry=entry, host="www.velo.example")
    assert evaluate("archipel_elsewhere", asked, maps) == leads
    assert evaluate("archipel_host", asked, maps) == (leads or "www.velo.example")


def test_links_are_made_of_the_canonical_name_whoever_asks():
    """A share that a program makes under another name is sent by mail with the canonical one."""
    asked = request("/ocs/v2.php/apps/files_sharing/api/v1/shares", request_method="POST")
    assert evaluate("archipel_host", asked) == "cloud.velo.example"
    assert "fastcgi_param HTTP_HOST $archipel_host{{ __spaces_public_port }};" in SPACE


def test_browsers_remember_nothing_of_it():
    """Or an association could not change its mind: 301 and 308 are kept for good."""
    (line,) = re.findall(r"return (.*archipel_elsewhere.*);", SPACE)
    assert line == "302 https://$archipel_elsewhere{{ __spaces_public_port }}$request_uri"


def test_a_space_that_is_not_there_says_so_under_every_name():
    """Nobody is sent elsewhere to read that it is suspended, closed or upgraded."""
    assert SPACE.index("if ($archipel_maintenance = on)") < SPACE.index("if ($archipel_elsewhere)")
