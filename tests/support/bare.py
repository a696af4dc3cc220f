# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A Nextcloud beside the spaces of a machine, as tests/conformance wants one.

It runs the release that the spaces run, from the same tree, on the same PHP and MariaDB, but with
a configuration that may be written and without the policy: what is checked is Nextcloud itself.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.scenario import Scenario
from tools import ROOT
from tools.lab.machine import Machine

PORT = 8099
NAME = "conformance"
HOME = f"/srv/{NAME}"
DATABASE_GROUP = "archipel-db"
RELEASES = "/srv/nextcloud/releases"
PROCESSES = 4
SECONDS = 60
CONFIG = """<?php
$CONFIG = [
    // An installation without an administrator leaves it out in 32.
    'instanceid' => 'ocarchipel01',
    'one-click-instance' => true,
    'one-click-instance.user-limit' => 8,
    'default_language' => 'fr',
    'appstoreenabled' => false,
    // What greets new accounts would fill the small quotas that tests give them.
    'skeletondirectory' => '',
    // As in a space: else an upgrade that is due is offered to visitors, with a status of 200.
    'upgrade.disable-web' => true,
    'trusted_domains' => ['127.0.0.1'],
    'has_internet_connection' => false,
    // All tests come from one address, and open more links in five minutes than anybody may.
    'ratelimit.protection.enabled' => false,
    // As in a space: what occ sets, the web side sees some seconds later.
    'memcache.local' => '\\OC\\Memcache\\APCu',
    // Teams tell themselves of each change of a group by a request: it must arrive.
    'overwrite.cli.url' => 'http://127.0.0.1:8099',
    'allow_local_remote_servers' => true,
    'apps_paths' => [
        ['path' => OC::$SERVERROOT . '/apps', 'url' => '/apps', 'writable' => false],
        ['path' => OC::$SERVERROOT . '/apps-extra', 'url' => '/apps-extra', 'writable' => false],
    ],
];
"""
# Addresses without index.php, as a space's nginx leads them to it.
ROUTER = r"""<?php
$root = $_SERVER['DOCUMENT_ROOT'];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$named = preg_match('#^/(index|remote|public|status|ocs/v[12])\.php(/|$)#', $path);
if ($named || is_file($root . $path)) {
    return false;
}
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $root . '/index.php';
chdir($root);
require $root . '/index.php';
"""
# Compiling a whole release for each command would take longer than the commands.
PHP = (
    *("php", "-d", "opcache.enable_cli=1", "-d", f"opcache.file_cache={HOME}/tmp"),
    *("-d", "opcache.memory_consumption=256", "-d", "opcache.max_accelerated_files=30000"),
)


@dataclass(frozen=True)
class Bare:
    """The instance, and how tests/conformance reaches it."""

    scenario: Scenario
    release: str
    port: int

    @property
    def tree(self) -> str:
        """Where its code is."""
        return f"{RELEASES}/{self.release}"

    def command(self, script: str) -> str:
        """Return what runs one of its programs, from here, with what is on standard input."""
        machine = self.scenario.machine
        assert isinstance(machine, Machine)
        words = ["podman", "exec", "-i", "-e", "OC_PASS", "-e", "NC_PASS", machine.container]
        words += ["runuser", "-u", NAME, "--", "env", f"NEXTCLOUD_CONFIG_DIR={HOME}/config"]
        return shlex.join([*words, *PHP, f"{self.tree}/{script}"])

    def conformance(self) -> subprocess.CompletedProcess[str]:
        """Run the suite against it; its heading says which Nextcloud answered."""
        options = [
            f"--url=http://127.0.0.1:{self.port}",
            f"--occ={self.command('occ')}",
            f"--cron={self.command('cron.php')}",
        ]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "tests/conformance", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def running(scenario: Scenario, release: str) -> Iterator[Bare]:
    """Install a release, serve it, and take everything away afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    bare = Bare(scenario, release, port)
    try:
        _install(bare)
        with _forwarded(bare):
            yield bare
    finally:
        _remove(scenario)


def _install(bare: Bare) -> None:
    """Make account, folders and database, install, and start PHP's own server."""
    shell = bare.scenario.node.check_output
    _remove(bare.scenario)
    # MariaDB's socket is for members of a group.
    account = f"--home-dir {HOME} --shell /usr/sbin/nologin --groups {DATABASE_GROUP}"
    shell(f"useradd --system {account} {NAME}")
    shell(f"install -d -o {NAME} -g {NAME} -m 0750 {HOME} {HOME}/config {HOME}/data {HOME}/tmp")
    bare.scenario.node.check_output(
        "printf %%s %s > %s", CONFIG, f"{HOME}/config/{NAME}.config.php"
    )
    bare.scenario.node.check_output("printf %%s %s > %s", ROUTER, f"{HOME}/router.php")
    bare.scenario.sql(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
    bare.scenario.sql(f"CREATE USER {NAME}@localhost IDENTIFIED BY '{NAME}'")
    bare.scenario.sql(f"GRANT ALL ON {NAME}.* TO {NAME}@localhost")
    options = ["--no-interaction", "--database=mysql", f"--database-name={NAME}"]
    options += [f"--database-user={NAME}", f"--database-pass={NAME}", "--database-host=localhost"]
    # Nobody is in "admin", as in a space.
    options += [f"--data-dir={HOME}/data", "--disable-admin-user"]
    runner = f"runuser -u {NAME} -- env NEXTCLOUD_CONFIG_DIR={HOME}/config"
    occ = f"{runner} {shlex.join(PHP)} {bare.tree}/occ"
    shell(f"{occ} maintenance:install {shlex.join(options)}")
    shell(f"{occ} app:enable archipel")
    shell(
        f"systemd-run --quiet --collect --unit={NAME} --uid={NAME} --property=PrivateTmp=yes"
        f" --setenv=NEXTCLOUD_CONFIG_DIR={HOME}/config"
        f" --setenv=PHP_CLI_SERVER_WORKERS={PROCESSES}"
        f" {shlex.join(PHP)} -S 127.0.0.1:{PORT} -t {bare.tree} {HOME}/router.php"
    )


def _remove(scenario: Scenario) -> None:
    """Take away what is there of it."""
    scenario.node.check_output(f"systemctl stop {NAME}.service 2>/dev/null || true")
    scenario.sql(f"DROP DATABASE IF EXISTS {NAME}")
    scenario.sql(f"DROP USER IF EXISTS {NAME}@localhost")
    scenario.node.check_output(f"rm -rf {HOME}; ! getent passwd {NAME} || userdel {NAME}")


@contextmanager
def _forwarded(bare: Bare) -> Iterator[None]:
    """Lead a port of this host to it."""
    machine = bare.scenario.machine
    tunnel = f"127.0.0.1:{bare.port}:127.0.0.1:{PORT}"
    command = ["ssh", "-F", str(machine.ssh_config), "-N", "-o", "ExitOnForwardFailure=yes"]
    with subprocess.Popen([*command, "-L", tunnel, machine.name], stdin=subprocess.DEVNULL) as ssh:
        try:
            _await(bare.port)
            yield
        finally:
            ssh.terminate()


def _await(port: int) -> None:
    """Wait until something listens."""
    end = time.monotonic() + SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, f"nothing listens on port {port}"
        time.sleep(0.2)
