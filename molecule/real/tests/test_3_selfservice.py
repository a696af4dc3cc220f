# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What administrators do on the page "My space": ask for more, and fetch a copy of everything."""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import tarfile
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
import yaml
from testinfra.host import Host

from tests.support import axe
from tests.support.associations import Associations
from tests.support.browser import Answer, Browser, Visit, token
from tests.support.scenario import Scenario
from tools.chromium import Chromium

PAGE = "/settings/admin/archipel"
CHANGES = "/var/lib/archipel/changes"


class MySpace:
    """The page, as an administrator of a space has it open without JavaScript."""

    def __init__(self, browser: Browser, associations: Associations, slug: str) -> None:
        who = associations.space(slug).administrator
        self.visit = Visit(browser, who.host)
        self.visit.login((who.name, who.password))

    @property
    def page(self) -> str:
        """The page, as it is now."""
        answer = self.visit.open(PAGE)
        assert answer.status == 200
        return answer.text

    def send(self, form: str, **fields: str) -> Answer:
        """Send the form whose address ends so."""
        page = self.page
        actions = {html.unescape(one) for one in re.findall(r'action="([^"]+)"', page)}
        (action,) = {one for one in actions if one.endswith(f"/apps/archipel/{form}")}
        return self.visit.open(action, {"requesttoken": token(page), **fields})

    @property
    def came(self) -> str:
        """What the address says of the form that was sent last."""
        return self.visit.trail[-1].partition("?")[2].partition("#")[0]


@pytest.fixture(scope="module")
def my_space(browser: Browser, associations: Associations, full: str) -> MySpace:
    return MySpace(browser, associations, full)


@pytest.fixture(scope="module", autouse=True)
def former(scenario: Scenario, full: str) -> Iterator[None]:
    """Leave the space as it was: what members see of its limits is compared later."""
    path = scenario.registry(full)
    before = path.read_bytes()
    yield
    path.write_bytes(before)
    scenario.converge("spaces.yml", "-e", f"only={full}")


def test_what_is_asked_for_waits_in_the_file_of_the_space(
    scenario: Scenario, node: Host, my_space: MySpace, full: str
):
    assert my_space.send("change", what="storage", value="80", text="Vidéos ☕").status == 200
    assert my_space.came == "change=asked"
    # Nobody answers for another one meanwhile.
    my_space.send("change", what="accounts", value="60")
    assert my_space.came == "change=way"
    node.check_output("systemctl start archipel-changes.service")
    (request,) = (
        json.loads(line) for line in node.check_output(f"cat {CHANGES}/*.json").splitlines()
    )
    assert (request["space"], request["what"], request["value"]) == (full, "storage", 80)
    scenario.converge("intake.yml")
    change = yaml.safe_load(scenario.registry(full).read_text(encoding="utf-8"))["change"]
    assert (change["by"], change["text"]) == ("administration", "Vidéos ☕")
    assert node.run(f"ls {CHANGES}/*.json").rc != 0


def test_what_is_granted_holds(scenario: Scenario, my_space: MySpace, full: str):
    values = {"only": full, "decision": "approve", "by": "moderation"}
    scenario.converge("moderate.yml", "-e", json.dumps(values))
    assert scenario.converge("spaces.yml", "-e", f"only={full}") != []
    assert re.search(r"80\s(Go|GB)", my_space.page)


@pytest.mark.parametrize(
    ("fields", "came"),
    [
        ({"what": "storage", "value": "-1"}, "change=number"),
        ({"what": "domain", "value": "https://x.example/"}, "change=domain"),
        ({"what": "close"}, "change=confirm"),
        ({"what": "everything"}, "change=kind"),
        ({"what": "accounts", "value": "60", "text": "x" * 2001}, "change=text"),
    ],
)
def test_what_is_no_request_is_said_at_once(
    node: Host, my_space: MySpace, fields: dict[str, str], came: str
):
    my_space.send("change", **fields)
    assert my_space.came == came
    assert node.run(f"systemctl start archipel-changes.service && ls {CHANGES}/*.json").rc != 0


def test_the_page_is_accessible(people: Chromium, my_space: MySpace):
    """In a real browser, with every form open; around it is Nextcloud's own."""
    page = people.page(scripts=False)
    for name, value in my_space.visit.cookies.items():
        cookie = {"name": name, "value": value, "url": f"{my_space.visit.origin}/"}
        page.call("Network.setCookie", secure=True, path="/", **cookie)
    page.open(f"{my_space.visit.origin}{PAGE}")
    page.ask("document.querySelectorAll('#archipel-my-space details').forEach(d => d.open = true)")
    assert axe.complaints(page, "#archipel-my-space") == []


def test_members_are_no_administrators(browser: Browser, associations: Associations, full: str):
    zoe = associations.space(full).zoe
    headers = {"OCS-APIRequest": "true"}
    for form in ("change", "export", "export/fetch"):
        answer = browser.request(
            "POST",
            zoe.host,
            f"/apps/archipel/{form}",
            account=(zoe.name, zoe.password),
            headers=headers,
        )
        assert answer.status == 403, form


def test_a_form_of_somebody_elses_page_does_nothing(my_space: MySpace):
    assert my_space.visit.open("/apps/archipel/export", {"requesttoken": "x"}).status == 412


def test_a_copy_of_everything_is_made_and_fetched(
    node: Host, my_space: MySpace, associations: Associations, full: str
):
    my_space.send("export")
    assert my_space.came == "export=asked"
    assert "/export/fetch" not in my_space.page
    node.check_output("systemctl start archipel-exports.service")
    answer = my_space.send("export/fetch")
    assert answer.status == 200
    assert answer.header("content-type").startswith("application/gzip")
    there = node.check_output(f"sha256sum /srv/spaces/{full}/export/export.tar.gz")
    assert hashlib.sha256(answer.body).hexdigest() == there.split()[0]
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        found = {
            member.name: hashlib.sha256(archive.extractfile(member).read()).hexdigest()  # type: ignore[union-attr]
            for member in archive
            if member.isreg()
        }
    expected = {
        unquote(path).partition("/dav/")[2]: one["sha256"]
        for path, one in associations.kept(full)["Files"].items()
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "database.sql" in found


def test_the_copy_goes_after_a_week(node: Host, my_space: MySpace, full: str):
    node.check_output(f"touch -d '8 days ago' /srv/spaces/{full}/export/export.tar.gz")
    node.check_output("systemctl start archipel-exports.service")
    assert "/export/fetch" not in my_space.page
