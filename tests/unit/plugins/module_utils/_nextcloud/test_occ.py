# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How occ is run: in the sandbox, with nothing to read in the process list."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ


@pytest.fixture
def calls(monkeypatch):
    found = []

    def run(command, **options):
        found.append((command, options.get("input")))
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr("subprocess.run", run)
    return found


@pytest.fixture
def root(tmp_path):
    (tmp_path / "releases/33.0.9").mkdir(parents=True)
    (tmp_path / "amap").mkdir()
    (tmp_path / "amap/release").symlink_to(tmp_path / "releases/33.0.9")
    return str(tmp_path)


def test_the_redis_of_a_space_is_started_and_stopped_once(calls):
    with _occ.awake("amap"), _occ.awake("amap"):
        pass
    assert [command[1] for command, _ in calls] == ["start", "stop"]


def test_spaces_do_not_keep_each_other_awake(calls):
    with _occ.awake("amap"), _occ.awake("velo"):
        pass
    verbs = [(command[1], command[-1]) for command, _ in calls]
    assert verbs == [
        ("start", "space-occ@amap.target"),
        ("start", "space-occ@velo.target"),
        ("stop", "space-occ@velo.target"),
        ("stop", "space-occ@amap.target"),
    ]


def test_commands_travel_over_the_pipe(calls, root):
    more = [("db:add-missing-indices",), ("status", "--output=json")]
    _occ.run(
        "amap", "php", ["user:add", "camille"], root=root, lines=[], unit="own.service", more=more
    )
    command, sent = calls[1]
    assert json.loads(sent) == {
        "arguments": ["user:add", "camille"],
        "environment": {},
        "more": [["db:add-missing-indices"], ["status", "--output=json"]],
    }
    assert "camille" not in " ".join(command)
    assert "--unit=own.service" in command


def test_one_command_is_sent_as_before(calls, root):
    _occ.run("amap", "php", ["status"], root=root, lines=[])
    command, sent = calls[1]
    assert json.loads(sent) == {"arguments": ["status"], "environment": {}}
    assert not [part for part in command if part.startswith("--unit")]


def test_a_runner_waits_until_it_is_asked():
    ready = _occ.Ready(["python3", "-c", "import sys; print(sys.stdin.read()); sys.exit(3)"])
    assert ready.run("asked") == _occ.Outcome(3, "asked\n", "")
    # One that has run needs no dismissal.
    ready.dismiss()


def test_a_runner_that_is_not_needed_ends(tmp_path):
    mark = tmp_path / "heard"
    text = f"import sys; open({str(mark)!r}, 'w').write(repr(sys.stdin.read()))"
    _occ.Ready(["python3", "-c", text]).dismiss()
    assert mark.read_text() == "''"


def test_a_failure_names_the_command_of_several():
    said = "\nocc-args: upgrade ended with 5\n"
    outcome = _occ.Outcome(5, "Could not update app", said)
    assert outcome.failed("archipel:apply") == "upgrade"
    assert outcome.why() == "Could not update app"
    assert _occ.Outcome(2, "", "no").failed("archipel:apply") == "archipel:apply"


# PHP writes a space before the line that a list begins on.
COPIED = """<?php
$CONFIG = array (
  'instanceid' => 'oc1',
  'trusted_domains' =>{}
  array (
    0 => 'old.example',
  ),
  'data-fingerprint' => 'f',
  'installed' => true,
);
""".format(" ")
MANAGED = "<?php\n$CONFIG = [\n  'trusted_domains' => [\n    'new.example',\n  ],\n];\n"


def test_copies_of_the_operators_keys_are_gone_after_each_run(calls, root):
    """Nextcloud writes all it has read into config.php whenever it stores a key of its own."""
    folder = Path(root, "amap/config")
    folder.mkdir()
    config = folder / "config.php"
    (folder / "managed.config.php").write_text(MANAGED)
    config.write_text(COPIED)
    _occ.run("amap", "php", ["maintenance:data-fingerprint"], root=root, lines=[])
    kept = config.read_text()
    assert "trusted_domains" not in kept
    assert "old.example" not in kept
    assert "'data-fingerprint' => 'f'" in kept
    assert "'installed' => true" in kept
    before = config.stat()
    _occ.run("amap", "php", ["status"], root=root, lines=[])
    assert (config.stat().st_ino, config.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )


BARS = """\

Starting ...
    0/0 [>---------------------------]   0% Starting ...
    0/0 [->--------------------------]   0%
 Done
 3/3 [============================] 100%
occ-args: upgrade ended with 5
"""
UPGRADE = """\
Turned on maintenance mode
Updating <deck> ...
Exception: Database error when running migration 10900Date202206151724222 for app deck
An exception occurred while executing a query: SQLSTATE[42S01]: 1050 Table 'oc_x' already exists
Update failed
Maintenance mode is kept active
Resetting log level
"""


WHY_NOT_INSTALLED = """\
Error while trying to create admin account: SQLSTATE[HY000] [3159] Connections are prohibited
Previous: PDOException: SQLSTATE[HY000] [3159] Connections are prohibited
"""
FRAMES = "".join(
    f"#{n} {where}: OC\\Setup->install()\n"
    for n in range(1, 40, 2)
    for where in ("/srv/nextcloud/releases/x/lib/private/Setup.php(380)", "[internal function]")
)
NOT_INSTALLED = "".join(
    f"{line}\nTrace: #0 /srv/nextcloud/releases/x/Connection.php(1976): convert()\n"
    f"{FRAMES}#40 {{main}}\n\n"
    for line in WHY_NOT_INSTALLED.splitlines()
)


@pytest.mark.parametrize(
    ("stdout", "stderr", "why"),
    [
        # The installer's reason stands above a trace that is longer than a report.
        (NOT_INSTALLED, "", WHY_NOT_INSTALLED.strip()),
        ("#1 of the cards is not readable: x\n", "", "#1 of the cards is not readable: x"),
        # What ended an upgrade is in the middle of what it said, and its bars are said apart.
        (UPGRADE, BARS, "\n".join(UPGRADE.splitlines()[2:4])),
        (
            "",
            "Doctrine\\DBAL\\Exception\\DriverException: gone\n" + BARS,
            "Doctrine\\DBAL\\Exception\\DriverException: gone",
        ),
        ("Turned on\n", f"An error\n{BARS}", "An error"),
        ("no such app\n", BARS, "no such app"),
        ("", BARS, "exit code 5"),
        (f"Error: {'x' * 2000}\n", "", f"Error: {'x' * 793}"),
        # An exception in passing is no sentence that begins like one.
        ("The Exception: of the rule\n", "", "The Exception: of the rule"),
    ],
)
def test_a_failure_names_its_exception_and_no_progress_bar(stdout, stderr, why):
    assert _occ.Outcome(5, stdout, stderr).why() == why


def test_arguments_of_occ_never_reach_the_command_line(tmp_path, monkeypatch):
    (tmp_path / "amap").mkdir()
    (tmp_path / "amap" / "release").symlink_to(tmp_path)
    calls = []

    def run(command, **options):
        calls.append((command, options))
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    _occ.run(
        "amap",
        "php",
        ["user:add", "--password=hunter2"],
        root=str(tmp_path),
        lines=["User=space-%i"],
    )
    commands = [command for command, _ in calls]
    assert not any("hunter2" in part for command in commands for part in command)
    assert any("hunter2" in options.get("input", "") for _, options in calls)
    assert "--property=User=space-amap" in commands[1]


def test_occ_reads_compiled_code_where_the_sandbox_shows_some():
    without = _occ.interpreter("php", ["BindReadOnlyPaths=/srv/nextcloud"])
    cached = _occ.interpreter("php", ["TemporaryFileSystem=/run/opcache:mode=1777,size=1m"])
    assert "opcache.file_cache=/run/opcache" not in without
    assert "opcache.file_cache=/run/opcache" in cached
