# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The receiver under systemd: who it is, what it may, and that the role says so once."""

from __future__ import annotations

import time

import pytest
from testinfra.host import Host

from tests.support.form import REQUESTS, SOCKET, UNIT, Form, address, body
from tests.support.scenario import Scenario

FIELDS = {"name": "x", "contact_email": "a@x.example", "charter": "yes"}
# What systemd counts from 0 to 10: the higher the more a service could do.
EXPOSED = 1.5
OURS = (
    "/etc/nginx/conf.d/archipel-intake.conf",
    "/etc/nginx/snippets/archipel-intake-receiver.conf",
    "/etc/systemd/system/archipel-intake.service",
    "/etc/systemd/system/archipel-intake.socket",
    "/etc/sysusers.d/archipel-intake.conf",
    "/etc/archipel/intake-taken",
    "/usr/local/libexec/archipel/receiver",
    "/srv/www/archipel-intake/fr/index.html",
)


@pytest.fixture
def running(form: Form, scenario: Scenario) -> str:
    """The process id of a receiver that somebody has just asked."""
    form.send({"body": body(FIELDS, task=False), "from": address(9000)})
    number = scenario.show(UNIT, "MainPID")["MainPID"]
    assert number != "0"
    return number


def status(node: Host, pid: str, name: str) -> str:
    lines = node.file(f"/proc/{pid}/status").content_string.splitlines()
    return dict(line.split(":", 1) for line in lines)[name].strip()


def test_it_is_a_user_of_its_own_without_any_right(node: Host, running: str):
    user = node.user("archipel-intake")
    assert status(node, running, "Uid").split()[0] == str(user.uid)
    assert user.shell == "/usr/sbin/nologin"
    assert user.groups == ["archipel-intake"]
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status(node, running, kind), 16) == 0
    assert status(node, running, "NoNewPrivs") == "1"
    assert status(node, running, "Seccomp") == "2"


def test_its_folder_is_its_own_and_the_only_one(node: Host, running: str):
    folder = node.file(REQUESTS)
    assert (folder.user, folder.group, folder.mode) == ("archipel-intake", "archipel-intake", 0o750)
    assert node.file("/var/lib/archipel-intake").user == "root"
    written = [
        place
        for place in ("/", "/etc", "/usr", "/srv/www", "/var/lib", "/run", "/home", "/root")
        if node.run(f"nsenter --target {running} --mount -- touch {place}/x").succeeded
    ]
    assert written == []
    assert node.run(f"nsenter --target {running} --mount -- touch {REQUESTS}/.x").succeeded
    node.check_output(f"rm {REQUESTS}/.x")
    assert node.run(f"nsenter --target {running} --mount -- ls /srv/spaces/velo-ecole").failed


def test_it_has_no_network(node: Host, running: str):
    links = node.check_output(f"nsenter --target {running} --net -- ip -brief link")
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]


def test_nobody_but_nginx_and_root_reaches_it(node: Host):
    socket = node.file("/run/archipel-intake.sock")
    assert (socket.user, socket.group, socket.mode) == ("root", "www-data", 0o660)


def test_systemd_finds_it_hardened(node: Host):
    said = node.check_output("systemd-analyze security --no-pager %s", UNIT)
    last = said.splitlines()[-1]
    exposure = float(last.split(":")[1].split()[0])
    assert exposure <= EXPOSED, said


def test_it_ends_when_nobody_asks_and_comes_with_the_next_one(
    scenario: Scenario, form: Form, node: Host
):
    scenario.converge("platform.yml", "--tags=intake", "-e", "intake_idle_seconds=2")
    try:
        form.send({"body": body(FIELDS, task=False), "from": address(9001)})
        assert node.check_output("systemctl is-active %s", UNIT) == "active"
        time.sleep(4)
        assert node.run("systemctl is-active %s", UNIT).stdout.strip() == "inactive"
        assert node.check_output("systemctl is-active %s", SOCKET) == "active"
        (answer,) = form.send({"body": body(FIELDS), "from": address(9002)})
        assert answer.thanked
    finally:
        scenario.converge("platform.yml", "--tags=intake")
        form.clear()


def test_a_second_run_changes_nothing(scenario: Scenario):
    assert scenario.converge("platform.yml", "--tags=intake") == []


def test_a_new_receiver_is_run_by_the_next_request(scenario: Scenario, node: Host, running: str):
    """Also where the run that wrote it died before it could stop the old one."""
    node.check_output("echo '# newer' >>/usr/local/libexec/archipel/receiver")
    scenario.converge("platform.yml", "--tags=intake")
    assert scenario.show(UNIT, "MainPID")["MainPID"] == "0"
    assert scenario.converge("platform.yml", "--tags=intake") == []


def test_a_check_on_a_machine_without_it_says_all_and_does_nothing(
    scenario: Scenario, form: Form, node: Host
):
    node.check_output(f"systemctl disable --now {SOCKET}; systemctl stop {UNIT}; true")
    node.check_output(f"rm -rf {' '.join(OURS)} /srv/www/archipel-intake /var/lib/archipel-intake")
    node.check_output("userdel archipel-intake; systemctl daemon-reload; systemctl reload nginx")
    would = {one.task for one in scenario.converge("platform.yml", "--tags=intake", "--check")}
    assert any("Ensure the form and what receives it are there and run" in task for task in would)
    for path in OURS:
        assert not node.file(path).exists
    assert scenario.converge("platform.yml", "--tags=intake") != []
    for path in OURS:
        assert node.file(path).exists
    assert scenario.converge("platform.yml", "--tags=intake") == []
    (answer,) = form.send({"body": body(FIELDS), "from": address(9003)})
    assert answer.thanked
    form.clear()
