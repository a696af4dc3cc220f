# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that reports how many accounts spaces have."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_account

INSTALLED = "<?php\n$CONFIG = array (\n  'installed' => true,\n);\n"
MANAGED = """<?php

$CONFIG = [
  'dbhost' => '{host}',
  'dbname' => 'space_{slug}',
  'dbuser' => 'space-{slug}',
  'dbpassword' => '{password}',
  'one-click-instance.user-limit' => 50,
];
"""
# A client that says what it was asked, and answers for the spaces it was asked for.
CLIENT = """#!/usr/bin/python3
import json, re, sys
asked = sys.argv[-1] if "-e" in sys.argv else ""
stdin = sys.stdin.read()
with open("{log}", "a", encoding="utf-8") as log:
    log.write(json.dumps([sys.argv[1:], stdin]) + "\\n")
questions = re.findall(r"SELECT '([a-z-]+)', '(\\w+)'", asked + stdin)
for number, (slug, what) in enumerate(questions, 40):
    if slug == "being-made":
        print("ERROR 1146 (42S02): Table 'oc_users' doesn't exist", file=sys.stderr)
    else:
        print(slug, what, number, sep="\\t")
"""


def managed(slug: str, host: str = "localhost:/run/mysqld/mysqld.sock", password: str = "") -> str:
    return MANAGED.format(slug=slug, host=host, password=password)


@pytest.fixture
def program(load) -> ModuleType:
    return load("roles/quotas/files/accounts.py")


@pytest.fixture
def root(program, monkeypatch, tmp_path) -> Path:
    """The folder of four spaces: two ordinary ones, one without a user, one not installed."""
    slugs = ("amap", "being-made", "no-user", "not-installed")
    for slug in slugs:
        (tmp_path / slug / "config").mkdir(parents=True)
        (tmp_path / slug / "config/managed.config.php").write_text(managed(slug))
        (tmp_path / slug / "config/config.php").write_text(INSTALLED)
    (tmp_path / "not-installed/config/config.php").write_text("<?php\n")
    (tmp_path / "no-config").mkdir()
    rows = [
        SimpleNamespace(pw_name=f"space-{slug}", pw_uid=number)
        for number, slug in enumerate((*slugs, "no-config"), 70001)
        if slug != "no-user"
    ]
    monkeypatch.setattr(sys.modules["_spaces_report"].pwd, "getpwall", lambda: rows)
    return tmp_path


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the client was asked: its arguments and its standard input."""
    folder = tmp_path / "bin.d"
    folder.mkdir()
    log = folder / "log"
    (folder / "mariadb").write_text(CLIENT.format(log=log))
    (folder / "mariadb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


def test_all_spaces_of_this_machine_are_asked_at_once(program, root, asked, capfd):
    found = program.read(root, "/run/db.sock", "/ca.pem")
    assert found == {"amap": program.Accounts(40, 50, 41, 42)}
    ((arguments, statements),) = asked()
    assert {"--force", "--socket=/run/db.sock"} <= set(arguments)
    assert "`space_amap`.oc_users" in statements
    assert "not-installed" not in statements
    # One that cannot be read is told, and does not keep the others from being counted.
    assert "oc_users' doesn't exist" in capfd.readouterr().err


def test_another_machine_is_asked_with_the_spaces_own_account(program, root, asked):
    path = root / "amap/config/managed.config.php"
    path.write_text(managed("amap", "db1.example:3307", "s3cr#t"))
    assert program.read(root, "/run/db.sock", "/ca.pem")["amap"].limit == 50
    arguments, options = next(one for one in asked() if "-e" in one[0])
    assert arguments[0] == "--defaults-file=/dev/stdin"
    assert "s3cr#t" not in " ".join(arguments)
    assert options.splitlines() == [
        *("[client]", "host=db1.example", "port=3307", "user=space-amap", 'password="s3cr#t"'),
        *("ssl-ca=/ca.pem", "ssl-verify-server-cert"),
    ]


def test_a_machine_without_the_client_is_told(program, root, monkeypatch, capfd):
    monkeypatch.setenv("PATH", str(root))
    assert program.read(root, "/run/db.sock", "/ca.pem") == {}
    assert "mariadb: no such program" in capfd.readouterr().err


def test_a_strange_name_of_a_database_is_not_asked_for(program):
    text = managed("amap").replace("space_amap", "x`; DROP DATABASE y")
    assert program.space("amap", text, INSTALLED) is None


@pytest.mark.parametrize(("used", "above"), [(39, []), (40, [80]), (47, [80]), (48, [80, 95])])
def test_the_report_names_what_is_above_each_threshold(program, used, above):
    report = program.report({"amap": program.Accounts(used, 50)}, [80, 95], 0)
    assert report["spaces"]["amap"]["above"] == above
    assert report["time"] == "1970-01-01T00:00:00Z"
    text = program.metrics({"amap": program.Accounts(used, 50)}, [80, 95], 0)
    assert f'archipel_space_accounts_used{{space="amap"}} {used}\n' in text
    value = int(80 in above)
    assert f'archipel_space_accounts_above{{space="amap",percent="80"}} {value}\n' in text


def test_when_a_space_was_used_last_is_asked_of_logins_and_of_tokens(program):
    """A telephone that syncs has no login, and the node's own look at a space is no use of it."""
    space = program.Space("amap", 50, "space_amap", {})
    text = program.question(space, [])
    assert "appid = 'login' AND configkey = 'lastLogin')" in text
    assert "MAX(last_activity), 0) FROM `space_amap`.oc_authtoken" in text
    assert "WHERE name <> 'archipel-upgrade'));" in text
    text = program.question(space, ["support", "a.b@c-d"])
    assert text.count("NOT IN ('support', 'a.b@c-d')") == 2


def test_the_nodes_own_token_has_the_name_that_upgrades_give_it(program):
    assert program.OWN_TOKEN == _upgrade_account.NAME


@pytest.mark.parametrize("name", ["x' OR '1'='1", "", "a b", "é", "x" * 65, "a\n"])
def test_a_name_that_could_be_sql_is_refused(program, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["accounts", "--ignore", name])
    with pytest.raises(SystemExit):
        program.main()
    assert "allowed: letters, digits and _ . @ -" in capsys.readouterr().err


def test_a_space_without_tokens_is_counted_all_the_same(program, monkeypatch, root):
    """Of one question the other does not depend."""
    monkeypatch.setattr(program, "ask", lambda *_: {("amap", "used"): 3})
    assert program.read(root, "/s", "/ca") == {"amap": program.Accounts(3, 50, None)}


@pytest.mark.parametrize(
    ("last", "said", "metric"),
    [(None, "unknown", None), (0, "never", 0), (86_400, "1970-01-02", 86_400)],
)
def test_when_it_was_used_is_reported(program, last, said, metric):
    spaces = {"amap": program.Accounts(1, 50, last)}
    assert program.table(spaces).endswith(f"  {said}")
    assert program.report(spaces, [], 0)["spaces"]["amap"]["last_use"] == last
    line = f'archipel_space_last_use_timestamp_seconds{{space="amap"}} {metric}\n'
    assert (line in program.metrics(spaces, [], 0)) is (metric is not None)


def test_when_jobs_ended_is_asked_and_reported(program):
    space = program.Space("amap", 50, "space_amap", {})
    asked = program.last_jobs(space)
    assert "`space_amap`.oc_appconfig WHERE appid = 'core' AND configkey = 'lastcron'" in asked
    spaces = {"amap": program.Accounts(1, 50, None, 5), "cine": program.Accounts(1, 50)}
    text = program.metrics(spaces, [], 0)
    assert 'archipel_space_jobs_last_timestamp_seconds{space="amap"} 5\n' in text
    assert 'archipel_space_jobs_last_timestamp_seconds{space="cine"}' not in text
    assert program.report(spaces, [], 0)["spaces"]["amap"]["last_jobs"] == 5


def test_what_is_written_and_printed(program, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(program, "read", lambda *_: {"amap": program.Accounts(49, 50)})
    command = ["accounts", f"--report={tmp_path}", f"--metrics={tmp_path}", "--percent=80"]
    monkeypatch.setattr(sys, "argv", command)
    assert program.main() == 0
    assert json.loads((tmp_path / "accounts.json").read_text())["spaces"]["amap"]["used"] == 49
    assert (
        "archipel_accounts_timestamp_seconds" in (tmp_path / "archipel_accounts.prom").read_text()
    )
    monkeypatch.setattr(sys, "argv", ["accounts"])
    program.main()
    assert "98.0%" in capsys.readouterr().out
