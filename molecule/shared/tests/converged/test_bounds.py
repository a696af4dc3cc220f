# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a space writes beside its data, and how often it may fail: both have an end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout, Units
from tests.support.scenario import Scenario, Space

SLUG = "velo-ecole"
HOME = Layout(SLUG).home
PHP = Units(SLUG).php
REDIS = Units(SLUG).redis
DROPIN = "/run/systemd/system/{}.d"
# One request, as the web server passes them on.
CALL = """
import socket, struct

def record(kind, body):
    return struct.pack("!BBHHBx", 1, kind, 1, len(body), 0) + body

def pair(name, value):
    return bytes([len(name), len(value)]) + name.encode() + value.encode()

given = {{"REQUEST_METHOD": "GET", "SCRIPT_FILENAME": "{script}"}}
values = b"".join(pair(name, value) for name, value in given.items())
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect("{socket}")
    begin = struct.pack("!HB5x", 1, 0)
    connection.sendall(record(1, begin) + record(4, values) + record(4, b"") + record(5, b""))
    while connection.recv(4096):
        pass
"""
TIDY = "systemctl start archipel-tidy.service"


def wake(browser: Browser, space: Space) -> int:
    return browser.get(space["domains"][0], "/status.php").status


def configured(node: Host, version: str) -> dict[str, str]:
    """Return PHP's settings as the FPM of spaces has them."""
    lines = node.check_output("php-fpm%s -i", version).splitlines()
    rows = (line.split(" => ") for line in lines)
    return {row[0]: row[1] for row in rows if len(row) == 3}


@pytest.fixture
def version(node: Host) -> str:
    """The version of PHP."""
    return node.check_output("ls /etc/php").strip()


def test_php_forgets_no_session_before_nextcloud_does(node: Host, version: str):
    settings = configured(node, version)
    assert int(settings["session.gc_maxlifetime"]) >= 86400
    assert settings["session.gc_probability"] == "0"


def test_a_session_outlives_lunch_and_not_the_week(
    node: Host, browser: Browser, spaces: dict[str, Space]
):
    """PHP's own 24 minutes are over, and there is traffic, which its collector went by."""
    node.check_output(
        f"cd {HOME}/sessions && touch -d -2hours sess_lunch && touch -d -3days sess_week"
        f" && chown {Layout(SLUG).user}: sess_lunch sess_week"
    )
    for _ in range(20):
        assert browser.get(spaces[SLUG]["domains"][0], "/login").status == 200
    node.check_output(TIDY)
    left = node.check_output(f"ls {HOME}/sessions").split()
    assert "sess_lunch" in left
    assert "sess_week" not in left
    assert node.service("archipel-tidy.timer").is_running
    node.check_output(f"rm {HOME}/sessions/sess_lunch")


def test_a_log_is_put_aside_and_leads_root_nowhere(node: Host):
    """The folder belongs to the space: what it puts there must not be followed by root."""
    log = f"{HOME}/log/bound"
    victim = "/var/lib/archipel/victim"
    node.check_output(f"fallocate -l 12M {victim}; fallocate -l 12M {log}.log")
    node.check_output(f"ln -s {victim} {log}.log.1; ln -s {victim} {log}.link")
    try:
        node.check_output(TIDY)
        assert node.file(victim).size == 12 * 1024**2
        assert not node.file(f"{log}.log").exists
        assert node.file(f"{log}.log.1").is_file
        assert not node.file(f"{log}.log.1").is_symlink
        assert node.file(f"{log}.link").is_symlink
    finally:
        node.check_output(f"rm -f {victim} {log}.*")


def test_php_s_own_log_is_the_journal(
    scenario: Scenario, node: Host, browser: Browser, spaces: dict[str, Space]
):
    """Files would grow without end, outside the limit of the space."""
    assert wake(browser, spaces[SLUG]) == 200
    since = node.check_output("date +%s")
    pid = scenario.show(PHP, "MainPID")["MainPID"]
    # What it says of a child that dies.
    node.check_output(f"kill -9 $(pgrep --parent {pid} | head -1); sleep 2")
    said = node.check_output(f"journalctl --unit={PHP} --since=@{since} --output=cat")
    assert "SIGKILL" in said
    # What a child says itself.
    script = f"{HOME}/tmp/bound.php"
    node.check_output(f"echo '<?php error_log(\"a warning of ours\");' >{script}")
    node.check_output("python3 -c %s", CALL.format(socket=Layout(SLUG).php_socket, script=script))
    node.check_output(f"rm {script}; sleep 1")
    said = node.check_output(f"journalctl --unit={PHP} --since=@{since} --output=cat")
    assert "a warning of ours" in said
    assert "a warning of ours" not in node.file("/var/log/nginx/error.log").content_string
    files = node.check_output(f"ls {HOME}/log").split()
    assert [name for name in files if name.startswith("php")] == []
    burst = scenario.show(PHP, "LogRateLimitBurst", "LogRateLimitIntervalUSec")
    assert burst == {"LogRateLimitBurst": "300", "LogRateLimitIntervalUSec": "5min"}


def test_the_logs_of_upgrades_are_bounded(node: Host):
    node.check_output("install -d -m 750 /var/log/archipel/upgrade")
    log = "/var/log/archipel/upgrade/bound.log"
    try:
        for _ in range(9):
            node.check_output(f"fallocate -l 1M {log}; logrotate --force /etc/logrotate.d/archipel")
        kept = node.check_output(f"ls {log}*").split()
        assert len(kept) == 6
        # What the next look goes by, with all other files of the machine.
        assert node.run("logrotate --debug /etc/logrotate.conf").rc == 0
    finally:
        node.check_output(f"rm -f {log}*")


@pytest.fixture
def alerted(node: Host) -> Iterator[str]:
    """Where a program of the operator's writes what it hears has failed."""
    alert, alerted = "/etc/archipel/alert.d/test", "/run/archipel/test-alerts"
    node.check_output(f"printf '#!/bin/sh\\necho $1 >>{alerted}\\n' >{alert}; chmod 755 {alert}")
    node.check_output("rm -f /run/archipel/alerts.json")
    yield alerted
    node.check_output(f"rm -f {alert} {alerted}")


@contextmanager
def unable(node: Host, unit: str) -> Iterator[str]:
    """Let a unit of the space fail at each start; say where that stands."""
    dropin = DROPIN.format(unit)
    node.check_output(f"systemctl stop {PHP}; mkdir -p {dropin}")
    node.check_output(f"printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >{dropin}/a.conf")
    # What was started before must not count.
    node.check_output(f"systemctl daemon-reload; systemctl reset-failed {PHP} {REDIS}")
    yield dropin
    node.check_output(f"rm -rf {dropin}; systemctl daemon-reload; systemctl stop {PHP}")
    node.check_output(f"systemctl reset-failed {PHP} {REDIS}")
    node.check_output(f"systemctl start {Units(SLUG).php_socket}")


@pytest.fixture
def broken(node: Host) -> Iterator[str]:
    """A space whose PHP cannot start, as after a broken extension."""
    with unable(node, PHP) as dropin:
        yield dropin


@pytest.fixture
def without_redis(node: Host) -> Iterator[str]:
    """A space whose Redis cannot start; only what needs it keeps it."""
    with unable(node, REDIS) as dropin:
        node.check_output(f"systemctl start --no-block {PHP}")
        yield dropin


def test_a_redis_that_cannot_start_is_told_of_and_tried_again_by_a_run(
    scenario: Scenario,
    node: Host,
    browser: Browser,
    spaces: dict[str, Space],
    alerted: str,
    without_redis: str,
):
    """It is given up after some hundred tries, long before its PHP is."""
    given_up = f"systemctl is-failed --quiet {REDIS}"
    node.check_output(f"timeout 300 sh -c 'until {given_up}; do sleep 1; done'")
    heard = node.file(alerted).content_string.split()
    assert set(heard) == {REDIS.removesuffix(".service")}
    assert len(heard) <= 5
    node.check_output(f"rm -rf {without_redis}; systemctl daemon-reload")
    scenario.converge("spaces.yml", "--extra-vars", f"only={SLUG}")
    assert wake(browser, spaces[SLUG]) == 200
    assert node.check_output("systemctl --failed --no-legend --plain") == ""


@pytest.mark.parametrize("service", ["mariadb", "nginx"])
def test_what_all_spaces_need_comes_back_at_once_and_is_told_of(
    node: Host, browser: Browser, spaces: dict[str, Space], alerted: str, service: str
):
    node.check_output("systemctl kill --signal=KILL %s.service", service)
    node.check_output(f"timeout 20 sh -c 'until test -s {alerted}; do sleep 0.2; done'")
    assert node.file(alerted).content_string.split() == [service]
    there = f"systemctl --quiet is-active {service}.service"
    node.check_output(f"timeout 60 sh -c 'until {there}; do sleep 0.5; done'")
    assert wake(browser, spaces[SLUG]) == 200


def test_a_php_that_cannot_start_is_given_up_told_of_and_tried_again_by_a_run(
    scenario: Scenario,
    node: Host,
    browser: Browser,
    spaces: dict[str, Space],
    alerted: str,
    broken: str,
):
    """It would else be started each second for ever, and nobody would know."""
    node.run(f"systemctl start {PHP}")
    given_up = f"systemctl is-failed --quiet {PHP}"
    node.check_output(f"timeout 200 sh -c 'until {given_up}; do sleep 1; done'")
    node.check_output(f"timeout 20 sh -c 'until test -s {alerted}; do sleep 0.2; done'")
    assert node.file(alerted).content_string.split() == [PHP]
    # It stays so, whoever calls.
    tries = scenario.show(PHP, "NRestarts")
    assert wake(browser, spaces[SLUG]) >= 500
    assert scenario.show(PHP, "NRestarts", "ActiveState") == {**tries, "ActiveState": "failed"}
    scenario.converge("status.yml", "--extra-vars", f"only={SLUG}")
    # A run that finds it as it is says so.
    assert PHP in scenario.refusal("spaces.yml", "--extra-vars", f"only={SLUG}")
    node.check_output(f"rm -rf {broken}; systemctl daemon-reload")
    scenario.converge("spaces.yml", "--extra-vars", f"only={SLUG}")
    assert wake(browser, spaces[SLUG]) == 200
    assert node.service(Units(SLUG).php_socket).is_running
    assert node.check_output("systemctl --failed --no-legend --plain") == ""


def test_jobs_run_more_often_while_somebody_is_there(
    scenario: Scenario, node: Host, browser: Browser, spaces: dict[str, Space]
):
    """A reminder by mail is a job: a quarter of an hour is late for it."""
    timer = Units(SLUG).awake_timer
    node.check_output(f"systemctl stop {PHP}")
    gone = f"systemctl --quiet is-active {timer}"
    node.check_output(f"timeout 20 sh -c 'while {gone}; do sleep 0.2; done'")
    # A space that sleeps costs nothing more, and its jobs still run.
    assert node.service(Units(SLUG).jobs_timer).is_running
    assert wake(browser, spaces[SLUG]) == 200
    assert node.service(timer).is_running
    node.check_output(f"systemctl start {Units(SLUG).jobs}")
    shown = scenario.show(timer, "NextElapseUSecMonotonic", "Unit", "TimersMonotonic")
    assert shown["Unit"] == Units(SLUG).jobs
    assert "OnUnitInactiveUSec=5min" in shown["TimersMonotonic"]
    assert shown["NextElapseUSecMonotonic"] not in {"", "infinity"}


def test_nobody_s_units_wait_to_be_read_again(node: Host):
    """After a space was added, and for all services of the machine."""
    shown = node.check_output(
        "systemctl show --property=Id,NeedDaemonReload 'space-*' 'archipel-*' ssh.service"
        " mariadb.service nginx.service"
    )
    assert [block for block in shown.split("\n\n") if "NeedDaemonReload=yes" in block] == []
