# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A check run says exactly what a real run then does, and a second run does nothing."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout
from tests.support.scenario import Change, Scenario


def test_a_check_run_of_what_is_converged_reports_nothing(scenario: Scenario):
    assert scenario.converge("site.yml", "--check", "--diff") == []


# A vhost, a PHP service, a configuration, a unit.
EDITED = (
    "/etc/nginx/archipel/velo-ecole.conf",
    "/etc/archipel/php/velo-ecole.conf",
    "/srv/spaces/velo-ecole/config/managed.config.php",
    "/etc/systemd/system/space-cron@.timer",
)


DATA = "/srv/spaces/velo-ecole/data"
ACCESS_LIST = "system.posix_acl_access"
LIST = "import os; print(os.listxattr"


@dataclass(frozen=True)
class Runs:
    """What a check run previewed, and what the real run after it did."""

    accounts: int
    previewed: list[Change]
    done: list[Change]


class TestChange:
    """A change of the registry and damage on the node, met by one run."""

    @pytest.fixture(scope="class")
    def runs(self, scenario: Scenario, node: Host) -> Runs:
        accounts = grow(scenario)
        damage(node)
        previewed = scenario.converge("spaces.yml", "--check", "--diff")
        return Runs(accounts, previewed, scenario.converge("spaces.yml"))

    def test_the_check_run_previewed_what_was_done(self, runs: Runs):
        assert runs.previewed == runs.done

    def test_it_was_about_the_spaces_that_differ_and_no_other(self, runs: Runs):
        text = " ".join(change.spaces for change in runs.done)
        assert "velo-ecole" in text
        assert "amap-du-val" in text
        assert "theatre-du-quai" not in text
        assert "access list" in text
        assert "grant" in text.lower()

    def test_the_node_is_whole_again(self, node: Host, runs: Runs):
        assert node.file("/etc/nginx/archipel/amap-du-val.conf").exists
        assert node.service("space-cron@amap-du-val.timer").is_running
        managed = node.file("/srv/spaces/velo-ecole/config/managed.config.php")
        assert oct(managed.mode) == oct(0o640)
        assert f"'one-click-instance.user-limit' => {runs.accounts}" in managed.content_string

    def test_what_was_edited_by_hand_is_as_rendered_again(self, node: Host, runs: Runs):
        assert runs.done
        for path in EDITED:
            assert "by hand" not in node.file(path).content_string
        assert node.run("systemctl cat space-cron@.timer").stdout.count("by hand") == 0

    def test_what_was_granted_by_hand_is_taken_back(
        self, scenario: Scenario, node: Host, runs: Runs
    ):
        assert runs.done
        shown = scenario.sql("SHOW GRANTS FOR `space-velo-ecole`@localhost")
        text = " ".join(cell for row in shown for cell in row)
        assert "amap" not in text
        assert "GRANT ALL PRIVILEGES ON `space\\_velo-ecole`" in text
        for slug in ("velo-ecole", "amap-du-val"):
            ((account,),) = scenario.sql(f"SHOW CREATE USER `{Layout(slug).user}`@localhost")
            assert "IDENTIFIED VIA unix_socket" in account
            assert "unix_socket OR" not in account
            assert "ACCOUNT LOCK" not in account
        assert ACCESS_LIST not in node.check_output("python3 -c %s", f"{LIST}({DATA!r}))")

    def test_a_socket_that_was_removed_is_there_again(self, browser: Browser, runs: Runs):
        assert runs.done
        assert browser.get("velo-ecole.archipel.localhost", "/status.php").status == 200

    def test_a_further_run_changes_nothing(self, scenario: Scenario, runs: Runs):
        assert runs.done
        assert scenario.converge("spaces.yml") == []


def grow(scenario: Scenario) -> int:
    """Give the association more accounts in its file; return how many it now has."""
    accounts = int(scenario.spaces["velo-ecole"]["accounts"]) + 1
    path = scenario.registry("velo-ecole")
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("limits:")]
    changed = [*kept, f"limits: {{accounts: {accounts}, storage_gb: 45}}", ""]
    path.write_text("\n".join(changed), encoding="utf-8")
    return accounts


def damage(node: Host) -> None:
    """What a hurried hand leaves behind on a server."""
    for path in EDITED:
        node.check_output("echo '# by hand' >> %s", path)
    # What `setfacl -m u:33:rx` does.
    entries = [(1, 7, -1), (2, 5, 33), (4, 5, -1), (0x10, 5, -1), (0x20, 0, -1)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    node.check_output(
        "python3 -c %s", f"import os; os.setxattr({DATA!r}, {ACCESS_LIST!r}, {value!r})"
    )
    node.check_output(
        "mariadb -e %s",
        "REVOKE ALL ON `space\\_velo-ecole`.* FROM `space-velo-ecole`@localhost;"
        "GRANT SELECT ON `space\\_amap-du-val`.* TO `space-velo-ecole`@localhost;"
        "ALTER USER `space-velo-ecole`@localhost ACCOUNT LOCK;"
        "ALTER USER `space-amap-du-val`@localhost "
        "IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('by hand')",
    )
    node.check_output("rm /run/archipel/php/velo-ecole.sock")
    node.check_output("rm /etc/nginx/archipel/amap-du-val.conf")
    node.check_output("chmod 0666 /srv/spaces/velo-ecole/config/managed.config.php")
    node.check_output("systemctl disable --now space-cron@amap-du-val.timer")
