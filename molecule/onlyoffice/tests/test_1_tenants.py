# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Who is let in under which name, and what nginx keeps to itself."""

from __future__ import annotations

import json

import pytest

from tests.support.browser import Browser
from tests.support.office import Office, Tenant
from tests.support.scenario import Scenario

REFUSED = {"error": 6}
SLUGS = ("velo-ecole", "amap-du-val", "fanfare")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_tenant_is_let_in_under_its_own_name(office: Office, slug: str):
    tenant = office.tenants[slug]
    assert office.command(tenant, tenant.host)["error"] == 0
    token = tenant.token({"payload": {"c": "version"}})
    header = f"Authorization: Bearer {token}"
    answer = office.post(tenant.host, "/coauthoring/CommandService.ashx", "{}", "-H", header)
    assert answer["error"] == 0


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("other", SLUGS)
def test_a_token_is_refused_under_another_name(office: Office, slug: str, other: str):
    """In the same shard and in another."""
    tenant, host = office.tenants[slug], office.tenants[other].host
    assert (office.command(tenant, host) == REFUSED) is (slug != other)


def test_without_a_right_token_nobody_is_let_in(office: Office):
    tenant = office.tenants["velo-ecole"]
    stranger = Tenant("velo-ecole", tenant.host, "first", "another secret of the same length too")
    assert office.command(stranger, tenant.host) == REFUSED
    assert office.post(tenant.host, "/command", json.dumps({"c": "version"})) == REFUSED
    unsigned = tenant.token({"c": "version"}, algorithm="none")
    assert office.post(tenant.host, "/command", json.dumps({"token": unsigned})) == REFUSED
    empty = Tenant("velo-ecole", tenant.host, "first", "")
    assert office.command(empty, tenant.host) == REFUSED


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Host: {}",
        "X-Forwarded-Host: {}, x.example",
        "Forwarded: host={}",
        "X-Original-Host: {}",
        "X_Forwarded_Host: {}",
    ],
)
def test_a_client_does_not_choose_the_tenant(office: Office, header: str):
    velo, amap = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
    options = ("-H", header.format(velo.host))
    assert office.command(velo, amap.host, None, *options) == REFUSED
    assert office.command(amap, amap.host, None, *options)["error"] == 0


def test_a_name_in_capitals_is_the_same_name(office: Office):
    tenant = office.tenants["velo-ecole"]
    assert office.command(tenant, tenant.host.upper())["error"] == 0


def test_a_name_nobody_has_gets_no_answer_and_leaves_nothing(office: Office, scenario: Scenario):
    for host in ("nobody.first.archipel.localhost", "first.archipel.localhost", "localhost"):
        # The handshake itself ends, or nginx answers that it is not in charge.
        options = ["-sk", "-m", "9", "-w", "%{http_code}", "--resolve", f"{host}:443:127.0.0.1"]
        command = ["curl", *options, "-o", "/dev/null", f"https://{host}/healthcheck"]
        done = scenario.node.run(" ".join(command))
        assert (done.rc, done.stdout) in [(35, "000"), (0, "421")], host
    host = office.tenants["velo-ecole"].host
    # A connection made for one name may ask for another.
    assert office.ask(host, "/healthcheck", "-H", "Host: nobody.example")[0] == 421
    found = scenario.machine.execute("find", "/var/lib/archipel-onlyoffice", "-name", "nobody*")
    assert found == ""


@pytest.mark.parametrize(
    "path",
    [
        "/doc/..%2Fother/c/info",
        "/doc/..%2fother/c/info",
        "/doc/a%2Fb/c/info",
        "/doc/a%5Cb/c/info",
        "/doc/a\\b/c/info",
        "/doc/%2e%2e/c/info",
        "/doc/%2E./c/info",
        "/doc/../c/info",
        "/doc/./c/info",
        "/doc//c/info",
        "/downloadas/..%2F..%2Fx",
        "/savefile/../../x",
        "/1.2.3-abc/doc/..%2Fother/c/info",
        "/command?shardkey=../other",
        "/command?shardkey=..%2Fother",
        "/command?shardkey=..",
        "/command?ShardKey=a/b",
    ],
)
def test_a_key_with_parts_of_a_path_is_refused(office: Office, path: str):
    host = office.tenants["velo-ecole"].host
    assert office.ask(host, path)[0] == 400


@pytest.mark.parametrize("key", ["...", "%20", "a%00b", "a b", "é", "a" * 129, "<x>"])
def test_a_key_of_other_letters_is_not_led_on(office: Office, key: str):
    status, _ = office.ask(office.tenants["velo-ecole"].host, f"/doc/{key.replace(' ', '%20')}/c/")
    assert status in {400, 404}


@pytest.mark.parametrize(
    "path",
    [
        "/info",
        "/info/",
        "/info/index.html",
        "/internal/cluster/inactive",
        "/internal/connections/edit",
        "/1.2.3-abc/internal/connections/edit",
        "/index.html",
        "/",
        "/meta",
        "/baseurl",
        "/docbuilder",
        "/dummyCallback",
        "/hosting/discovery",
        "/wopi/files/x",
        "/lool/convert-to",
        "/ai-proxy",
        "/welcome/",
        "/server/DocService/docservice",
        "/npm/json",
        "/example/",
    ],
)
def test_the_interior_is_not_shown_to_spaces_either(office: Office, path: str):
    for method in ("GET", "POST", "PUT"):
        assert office.ask(office.tenants["velo-ecole"].host, path, "-X", method)[0] == 404


SERVERS_ONLY = ["/healthcheck", "/info/info.json", "/command", "/converter", "/ConvertService.ashx"]


@pytest.mark.parametrize("path", SERVERS_ONLY)
def test_what_is_between_servers_is_for_the_spaces_machines(
    office: Office, scenario: Scenario, path: str
):
    host = office.tenants["velo-ecole"].host
    browser = Browser(scenario.machine.port(443), scenario.machine.execute("cat", AUTHORITY))
    assert browser.get(host, path).status == 403
    assert browser.get(host, f"/1.2.3-abc{path}").status == 403
    assert browser.get(host, path, **{"X-Forwarded-For": "127.0.0.1"}).status == 403
    method = ("-d", "{}") if path.startswith(("/com", "/con", "/Con")) else ()
    assert office.ask(host, path, *method)[0] == 200


AUTHORITY = "/etc/archipel/tls/office/chain.pem"


def test_a_space_sees_how_many_edit_with_it_and_nobody_elses(office: Office):
    velo, amap = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
    status, body = office.ask(velo.host, f"/info/info.json?tenant={amap.host}")
    assert status == 200
    assert json.loads(body)["quota"]["edit"]["connectionsCount"] == 0
    assert amap.host not in body


def test_health_is_answered_and_conversions_are_checked(office: Office):
    tenant, other = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
    assert office.ask(tenant.host, "/healthcheck") == (200, "true")
    request = {"async": True, "filetype": "docx", "key": "k1", "outputtype": "pdf"}
    request["url"] = "https://velo-ecole.invalid/file.docx"
    for signer, refused in ((tenant, False), (other, True)):
        body = json.dumps({"token": signer.token(request)})
        answer = office.post(tenant.host, "/converter", body, "-H", "Accept: application/json")
        assert (answer.get("error") == -8) is refused, answer


def test_cached_files_of_another_tenant_are_refused_before_their_signature(office: Office):
    velo, amap = office.tenants["velo-ecole"], office.tenants["amap-du-val"]
    path = f"/cache/files/data/{amap.host}/key/Editor.bin/Editor.bin?md5=x&expires=9999999999"
    assert office.ask(velo.host, path)[0] == 403


def test_pages_for_browsers_are_served(office: Office):
    host = office.tenants["velo-ecole"].host
    status, _ = office.ask(host, "/web-apps/apps/api/documents/api.js")
    assert status == 200
    assert office.ask(host, "/9.0.4-abc/web-apps/apps/api/documents/api.js")[0] == 200


def signed(tenant: Tenant, payload: dict[str, object], where: str) -> tuple[str, ...]:
    """Return what curl sends for a signed command: in the body, in the header, in both."""
    in_header = f"Authorization: Bearer {tenant.token({'payload': payload})}"
    bodies = {
        "body": ("-d", json.dumps({"token": tenant.token(payload)})),
        "header": ("-H", in_header, "-d", "{}"),
        "plain": ("-H", in_header, "-d", json.dumps(payload)),
    }
    return bodies[where]


@pytest.mark.parametrize("where", ["body", "header", "plain"])
@pytest.mark.parametrize(
    "key",
    ["../..", "..", "../amap-du-val.first.archipel.localhost/k", "a/b", "a\\b", "", ["../.."], 7],
)
def test_a_command_for_a_key_with_parts_of_a_path_is_refused(
    office: Office, where: str, key: object
):
    """Rightly signed: it is the server that would follow it out of the tenant."""
    tenant = office.tenants["velo-ecole"]
    for path in ("/command", "/converter", "/1.2.3-abc/coauthoring/CommandService.ashx"):
        command = signed(tenant, {"c": "deleteForgotten", "key": key}, where)
        assert office.ask(tenant.host, path, *command)[0] == 400


@pytest.mark.parametrize("where", ["body", "header", "plain"])
def test_a_command_for_a_plain_key_is_led_on(office: Office, where: str):
    tenant = office.tenants["velo-ecole"]
    command = signed(tenant, {"c": "version", "key": "ocabc_1-2.3="}, where)
    status, body = office.ask(tenant.host, "/command", *command)
    assert (status, json.loads(body)["error"]) == (200, 0)


@pytest.mark.parametrize(
    "options",
    [
        ("-d", "not json"),
        ("-d", "[]"),
        ("-d", "null"),
        ("-d", '{"token": "a.b"}'),
        ("-d", '{"token": "a.e30!.b"}'),
        ("-d", '{"token": 7}'),
        ("-d", "{}", "-H", "Authorization: Basic eDp5"),
        ("-d", "{}", "-H", "Content-Encoding: gzip"),
        ("-d", '{"\\u006bey": "../.."}'),
        ("-d", '{"deep": [{"Key": "../.."}]}'),
    ],
)
def test_a_command_that_cannot_be_read_beyond_doubt_is_refused(
    office: Office, options: tuple[str, ...]
):
    assert office.ask(office.tenants["velo-ecole"].host, "/command", *options)[0] == 400


def test_a_command_in_the_address_is_refused(office: Office):
    tenant = office.tenants["velo-ecole"]
    token = tenant.token({"c": "deleteForgotten", "key": "../.."})
    assert office.ask(tenant.host, f"/command?token={token}")[0] == 403
    status, body = office.ask(tenant.host, f"/command?token={token}", "-d", "{}")
    assert (status, json.loads(body)) == (200, REFUSED)
