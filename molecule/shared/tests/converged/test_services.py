# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""PHP, Redis and jobs of a space: there when needed, walled in, and gone when idle."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout, Units
from tests.support.scenario import Scenario, Space

SHARED = ("redis-server.service", "php8.2-fpm.service", "php8.4-fpm.service")
# systemd's own measure, in tenths: 0 is closed everywhere, 100 none.
EXPOSURE = {"space-php": 20, "space-redis": 20, "space-cron": 20}
IDLE = "/usr/local/libexec/archipel/idle --after"
SANDBOX = {
    "PrivateUsers": "yes",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "NoNewPrivileges": "yes",
    "ProtectHome": "yes",
    "ProtectProc": "invisible",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "LockPersonality": "yes",
}


def wake(browser: Browser, space: Space) -> int:
    return browser.get(space["domains"][0], "/status.php").status


@pytest.mark.parametrize("unit", SHARED)
def test_shared_services_of_the_distribution_are_off(node: Host, unit: str):
    """A cache or a PHP that all spaces share is a hole between them."""
    shown = node.run("systemctl is-active %s", unit).stdout.strip()
    enabled = node.run("systemctl is-enabled %s", unit).stdout.strip()
    assert shown in {"inactive", "unknown"}
    # Older systemd says nothing of a unit that is not there.
    assert enabled in {"", "disabled", "masked", "not-found", "masked-runtime"}


def test_the_door_belongs_to_the_web_server(node: Host, approved_slug: str):
    """A space that could write to its own socket could drop PHP's settings."""
    folder = node.file("/run/archipel/php")
    assert (folder.user, folder.group, folder.mode) == ("root", "www-data", 0o750)
    assert node.file(Layout(approved_slug).php_socket).is_socket
    user = Layout(approved_slug).user
    connect = f"import socket; socket.socket(1).connect('{Layout(approved_slug).php_socket}')"
    done = node.run(f"setpriv --reuid={user} --regid={user} --clear-groups python3 -c %s", connect)
    assert "PermissionError" in done.stderr
    assert node.service(Units(approved_slug).php_socket).is_enabled


@pytest.mark.parametrize("kind", ["php", "redis"])
def test_services_are_walled_in(
    scenario: Scenario, browser: Browser, spaces: dict[str, Space], approved_slug: str, kind: str
):
    assert wake(browser, spaces[approved_slug]) == 200
    unit = f"space-{kind}@{approved_slug}.service"
    shown = scenario.show(unit, "User", "ActiveState", *SANDBOX)
    assert shown == {"User": Layout(approved_slug).user, "ActiveState": "active", **SANDBOX}


@pytest.mark.parametrize("kind", EXPOSURE)
def test_exposure_does_not_grow(node: Host, kind: str):
    measure = f"systemd-analyze security --no-pager --threshold={EXPOSURE[kind]}"
    done = node.run(f"{measure} {kind}@velo-ecole.service")
    assert done.rc == 0, done.stdout


class TestInside:
    """What a program of a space sees, asked among the mounts of its running PHP."""

    @pytest.fixture(params=["velo-ecole", "piege"])
    def slug(self, request: pytest.FixtureRequest) -> str:
        """One unit file serves all spaces: two of them show it."""
        return str(request.param)

    @pytest.fixture
    def inside(
        self, scenario: Scenario, browser: Browser, spaces: dict[str, Space], slug: str
    ) -> str:
        """Return a command line that runs what follows it there, as the space's user."""
        assert wake(browser, spaces[slug]) == 200
        pid = scenario.show(Units(slug).php, "MainPID")["MainPID"]
        # By number: inside, no name is known.
        number = spaces[slug]["id"]
        return f"nsenter --target={pid} --mount setpriv --reuid={number} --clear-groups"

    def test_there_is_no_other_space(self, node: Host, inside: str, slug: str):
        assert node.check_output(f"{inside} ls /srv/spaces").split() == [slug]

    def test_nobody_tells_who_else_lives_here(
        self, node: Host, inside: str, spaces: dict[str, Space], slug: str
    ):
        folders = "/etc/archipel/php /etc/nginx/archipel /etc/sysusers.d /run/archipel/php /var"
        seen = node.check_output(f"{inside} cat /etc/passwd /etc/group")
        seen += node.run(f"{inside} ls -R {folders}").stdout
        assert slug in seen
        assert [other for other in spaces if other != slug and other in seen] == []

    @pytest.mark.parametrize("path", ["release/index.php", "config/zz.config.php", "new"])
    def test_what_runs_it_cannot_be_changed(self, node: Host, inside: str, slug: str, path: str):
        """Neither the code, nor its settings, which a further file would override."""
        done = node.run(f"{inside} touch {Layout(slug).home}/{path}")
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr

    def test_data_can_be_written(self, node: Host, inside: str, slug: str):
        """The sandbox stands around the space, not in it."""
        path = f"{Layout(slug).data}/probe"
        assert node.run(f"{inside} touch {path}").rc == 0
        node.check_output(f"rm {path}")


def test_user_namespace_maps_no_other_user(
    scenario: Scenario, browser: Browser, spaces: dict[str, Space], node: Host
):
    """Outside its own namespace the owner of a file could leave the quota's project."""
    assert wake(browser, spaces["velo-ecole"]) == 200
    pid = scenario.show("space-php@velo-ecole.service", "MainPID")["MainPID"]
    mapped = [
        line.split() for line in node.file(f"/proc/{pid}/uid_map").content_string.splitlines()
    ]
    assert sum(int(count) for _inside, _outside, count in mapped) <= 2


def test_redis_is_the_space_s_own(
    browser: Browser, spaces: dict[str, Space], node: Host, approved_slug: str
):
    assert wake(browser, spaces[approved_slug]) == 200
    socket = node.file(Layout(approved_slug).redis_socket)
    assert socket.is_socket
    assert socket.user == Layout(approved_slug).user
    assert socket.mode & 0o007 == 0


def test_an_idle_space_costs_nothing_and_wakes(
    scenario: Scenario, browser: Browser, spaces: dict[str, Space], node: Host
):
    slug = "velo-ecole"
    assert wake(browser, spaces[slug]) == 200
    look = f"{IDLE} 0.5 --longest 0.5 --available 0; sleep 1"
    php, redis = (f"systemctl --quiet is-active space-{kind}@{slug}" for kind in ("php", "redis"))
    node.check_output(f"timeout 60 sh -c 'while {php}; do {look}; done'")
    node.check_output(f"timeout 20 sh -c 'while {redis}; do sleep 0.2; done'")
    assert scenario.show(Units(slug).php, "MainPID") == {"MainPID": "0"}
    assert wake(browser, spaces[slug]) == 200
    assert node.service(f"space-php@{slug}").is_running
    assert node.service(f"space-redis@{slug}").is_running


def test_an_unused_space_stays_awake_until_memory_is_short(
    scenario: Scenario, browser: Browser, spaces: dict[str, Space], node: Host
):
    """Its jobs go back to the rhythm of those that sleep, until somebody comes."""
    slug = "velo-ecole"
    assert wake(browser, spaces[slug]) == 200
    master = scenario.show(Units(slug).php, "MainPID")
    timer = f"systemctl --quiet is-active {Units(slug).awake_timer}"
    kept = f"{IDLE} 0.5 --longest 9999 --available 0; sleep 1"
    node.check_output(f"timeout 60 sh -c 'while {timer}; do {kept}; done'")
    assert scenario.show(Units(slug).php, "MainPID") == master
    assert wake(browser, spaces[slug]) == 200
    node.check_output(f"{IDLE} 500 --longest 9999 --available 0; {timer}")
    assert scenario.show(Units(slug).php, "MainPID") == master
    php = f"systemctl --quiet is-active {Units(slug).php}"
    short = f"{IDLE} 0.5 --longest 9999 --available 100; sleep 1"
    node.check_output(f"timeout 60 sh -c 'while {php}; do {short}; done'")


@pytest.fixture
def slow_redis(node: Host) -> Iterator[str]:
    """A space whose Redis takes a second longer to wake than its PHP."""
    slug = "velo-ecole"
    folder = f"/run/systemd/system/{Units(slug).redis}.d"
    node.check_output(f"mkdir -p {folder}")
    node.check_output(f"printf '[Service]\\nExecStartPre=sleep 1\\n' > {folder}/slow.conf")
    node.check_output("systemctl daemon-reload")
    yield slug
    node.check_output(f"rm -r {folder}; systemctl daemon-reload")


def woken(scenario: Scenario, browser: Browser, space: Space) -> None:
    """Call a space whose PHP was stopped: it waits for a Redis that is there to stay."""
    slug = space["slug"]
    assert wake(browser, space) == 200
    began = {
        kind: scenario.show(f"space-{kind}@{slug}.service", "ActiveEnterTimestampMonotonic")
        for kind in ("php", "redis")
    }
    moments = {kind: int(*shown.values()) for kind, shown in began.items()}
    assert 0 < moments["redis"] < moments["php"]
    socket = Layout(slug).redis_socket
    assert scenario.machine.execute("redis-cli", "-s", socket, "ping").strip() == "PONG"


def test_a_space_called_while_it_falls_asleep_has_its_redis(
    scenario: Scenario, browser: Browser, spaces: dict[str, Space], node: Host
):
    """Both wake at once, but PHP takes no request before its Redis is there to stay."""
    for pause in range(8):
        node.check_output(f"systemctl stop space-php@velo-ecole.service; sleep 0.0{pause}")
        woken(scenario, browser, spaces["velo-ecole"])


def test_a_space_that_wakes_often_keeps_the_timer_of_its_jobs(
    browser: Browser, spaces: dict[str, Space], node: Host
):
    """More often than systemd lets a unit start by itself: five times in ten seconds."""
    assert wake(browser, spaces["velo-ecole"]) == 200
    timer = Units("velo-ecole").awake_timer
    node.check_output(f"for _ in $(seq 8); do systemctl restart {timer} || exit 1; done")
    assert node.service(timer).is_running


def test_php_waits_for_a_slow_redis(
    scenario: Scenario,
    browser: Browser,
    spaces: dict[str, Space],
    node: Host,
    slow_redis: str,
):
    stop = f"systemctl stop {Units(slow_redis).php}"
    node.check_output(stop)
    gone = f"systemctl --quiet is-active {Units(slow_redis).redis}"
    node.check_output(f"timeout 20 sh -c 'while {gone}; do sleep 0.1; done'")
    woken(scenario, browser, spaces[slow_redis])
    # To be stopped while it waits is no failure.
    node.check_output(f"{stop}; systemctl start --no-block {Units(slow_redis).php}")
    node.check_output(f"sleep 0.4; {stop}")
    assert node.check_output("systemctl --failed --no-legend --plain") == ""


def test_a_redis_that_dies_comes_back(
    scenario: Scenario, browser: Browser, spaces: dict[str, Space], node: Host
):
    assert wake(browser, spaces["velo-ecole"]) == 200
    show = "systemctl show --property=MainPID --value space-redis@velo-ecole.service"
    before = node.check_output(show)
    node.check_output(f"kill -9 {before}")
    again = (
        f'p=$({show}); while [ "$p" = 0 ] || [ "$p" = {before} ]; do sleep 0.2; p=$({show}); done'
    )
    node.check_output(f"timeout 20 sh -c '{again}'")
    assert node.service("space-redis@velo-ecole").is_running


def test_php_starts_from_code_compiled_for_it_and_cannot_change_it(
    node: Host, browser: Browser, spaces: dict[str, Space], approved_slug: str
):
    """A cache for another build of PHP would be left aside, and one of its own begun."""
    assert wake(browser, spaces[approved_slug]) == 200
    index = json.loads(node.file("/srv/nextcloud/opcache/index.json").content_string)
    process = node.check_output(
        "systemctl show --property=MainPID --value space-php@%s.service", approved_slug
    )
    seen = node.check_output("nsenter --target %s --mount ls /run/opcache", process).split()
    assert set(seen) == {program["system_id"] for program in index.values()}
    mounts = node.file(f"/proc/{process}/mountinfo").content_string.splitlines()
    options = [line.split()[5] for line in mounts if line.split()[4].startswith("/run/opcache/")]
    assert len(options) == len(seen)
    assert all("ro" in option.split(",") for option in options)


def test_jobs_have_a_clock_and_run(node: Host, approved_slug: str):
    timer = node.service(Units(approved_slug).jobs_timer)
    assert timer.is_enabled
    assert timer.is_running
    assert node.run("systemctl start space-cron@%s.service", approved_slug).rc == 0


def test_a_suspended_space_cannot_be_woken(node: Host, suspended_slug: str):
    assert ways_in(node, suspended_slug) == []


def test_a_closed_space_cannot_be_woken(node: Host, closed_slug: str):
    assert ways_in(node, closed_slug) == []


def ways_in(node: Host, slug: str) -> list[str]:
    """Return every unit of a space that runs, or that will after a reboot."""
    running = node.check_output(
        "systemctl list-units --plain --no-legend --state=active 'space-*@%s.*'", slug
    )
    starting = node.check_output(
        "find /etc/systemd/system -path '*.wants/*' -name 'space-*@%s.*'", slug
    )
    return [*running.splitlines(), *starting.splitlines()]


def test_no_unit_failed(node: Host):
    assert node.check_output("systemctl --failed --no-legend --plain") == ""
