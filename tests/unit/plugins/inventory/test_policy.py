# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an environment says of the platform is checked as strictly as what associations say."""

from __future__ import annotations

import json
import re
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _policy
from tests.unit.environment import ROOT, Environment

EXTRA = "group_vars/all/zz-extra.yml"
VAULTED = """!vault |
    $ANSIBLE_VAULT;1.1;AES256
    33363965326261303234623266653338643132
"""

# What somebody writes, and what they are told.
WRONG: list[tuple[str, str]] = [
    ("archipel_grace_days: trente", ':1: archipel_grace_days: found "trente"; allowed: a whole'),
    ("archipel_grace_days: -1", ':1: archipel_grace_days: found "-1"; allowed'),
    ("archipel_grace_days: 50.0", ':1: archipel_grace_days: found "50.0"; allowed: a whole '
                                  "number of days from 0 to 36500, without a point or zeros"),
    ("archipel_grace_days: 010", ':1: archipel_grace_days: found "010"; allowed'),
    ("archipel_grace_days: 0x10", ':1: archipel_grace_days: found "0x10"; allowed'),
    ('archipel_grace_days: "30"', "Write 30, without zeros before it and without quotes."),
    ("archipel_grace_days: true", ':1: archipel_grace_days: found "True"; allowed'),
    ("archipel_grace_days:", ":1: archipel_grace_days: found nothing; allowed"),
    ("archipel_limits_default:\n  accounts: 50\n  storage_gb: 40.0",
     ':3: archipel_limits_default.storage_gb: found "40.0"; allowed: a whole number of gigabytes'),
    ("archipel_limits_default: {accounts: 500, storage_gb: 1}",
     ":1: archipel_limits_default.accounts: found 500; allowed: at most archipel_limits_maximum"),
    ("archipel_default_locale: klingon", ':1: archipel_default_locale: found "klingon"; allowed: a '
                                         "language of Nextcloud (ar, "),
    ("archipel_default_locale: fr-FR", 'Did you mean "fr_FR"?'),
    ("archipel_default_timezone: Mars/Olympus",
     ':1: archipel_default_timezone: found "Mars/Olympus"; allowed: UTC or a place of the tz'),
    ("archipel_default_phone_region: France", ':1: archipel_default_phone_region: found "France"; '
                                              "allowed: a country as two capital letters"),
    ("archipel_mail_relay: {hots: smtp.example}",
     ":1: archipel_mail_relay.hots: unknown key; allowed: host, port, from, user, password, "
     "secure, ca, certificate_name, verify. Did you mean \"host\"?"),
    ("archipel_mail_relay: {hots: smtp.example}", ":1: archipel_mail_relay.from: missing; allowed"),
    ("archipel_mail_relay: {hots: smtp.example}", "instance `from: archipel@spaces.example.org`"),
    ("archipel_mail_relay: {host: smtp.example, from: nobody}",
     ':1: archipel_mail_relay.from: found "nobody"; allowed: a mail address'),
    ("archipel_mail_relay: {host: smtp.example, from: a@b.example, port: smtp}",
     ':1: archipel_mail_relay.port: found "smtp"; allowed: a port number'),
    ("archipel_mail_relay: {host: smtp.example, from: a@b.example, user: me}",
     ":1: archipel_mail_relay.password: missing; allowed: the password that belongs to user"),
    ("archipel_mail_relay: {host: smtp.example, from: a@b.example, user: me, password: 7777}",
     ":1: archipel_mail_relay.password: found a value that is not shown; allowed"),
    ("archipel_mail_relay: [smtp.example, s3cret]",
     ":1: archipel_mail_relay: found a value that is not shown; allowed: a mapping of host"),
    ("archipel_limit_default: {accounts: 5, storage_gb: 5}",
     ":1: archipel_limit_default: unknown key; allowed: the variables of docs/architecture.md. "
     'Did you mean "archipel_limits_default"?'),
    ("a: 1\n\narchipel_klingons: 1", ":3: archipel_klingons: unknown key; allowed: the variables"),
    ("archipel_spaces: []", ":1: archipel_spaces: found by the inventory itself; remove it"),
    ("archipel_quota_backend: btrfs", ':1: archipel_quota_backend: found "btrfs"; allowed: auto'),
    ("archipel_offices: [collabora, libreoffice]\narchipel_office_suites: {collabora: {}}",
     ':1: archipel_offices.1: unknown suite "libreoffice"; allowed, from archipel_office_suites: '
     "collabora."),
    ("archipel_office_suites: {collabora: {naem: C}}", ":1: archipel_office_suites.collabora.naem: "
                                                       "unknown key; allowed: name, application, "),
    ("archipel_upgrade_rings: [canary, erly]", ':1: archipel_upgrade_rings: rings: found "erly"; '
                                               "allowed: canary, early, stable, a number"),
    ("archipel_upgrade_budget: much", ':1: archipel_upgrade_budget: budget: found "much"; allowed'),
    ("archipel_upgrade_parallel: 0", ':1: archipel_upgrade_parallel: found "0"; allowed'),
    ("archipel_applications: {enabled: calendar}", ":1: archipel_applications.enabled: found "),
    ("archipel_applications: {enable: []}", 'Did you mean "enabled"?'),
    ("archipel_operator: {name: Us, url: https://us.example}",
     ":1: archipel_operator.email: missing; allowed: a mail address"),
    ("archipel_backup_retention: {daily: 7}", ":1: archipel_backup_retention.daily: unknown key"),
    ("archipel_ring_releases: {canary: 35}", ':1: archipel_ring_releases.canary: found "35"; '
                                             "allowed: the id of a release in"),
    ('archipel_release: "34"', ':1: archipel_release: unknown release "34"; allowed, from arch'),
    ("archipel_releases: {'33.0.9': {versoin: x}}", ":1: archipel_releases.33.0.9.versoin: "),
    ("archipel_releases:\n  '33.0.9': {applications: {deck: {version: '1'}, deck: {version: '2'}}}",
     "archipel_releases.33.0.9.applications.deck: comes twice; remove one of the two"),
    ('archipel_grace_days: "{{ 6 * 7.5 }}"', ':1: archipel_grace_days: found "45.0"; allowed'),
    ('"archipel_x: ok\\nspaces/a.yml:1: name": 1', ":1: archipel_x: ok\\nspaces/a.yml:1: name: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_is_wrong_is_told_with_its_line(environment: Environment, text: str, expected: str):
    environment.write(EXTRA, f"{text}\n")
    problems = environment.problems()
    assert any(
        (f"{EXTRA}{expected}" if expected.startswith(":") else expected) in problem
        for problem in problems
    ), problems
    assert len(set(problems)) == len(problems)


@pytest.mark.parametrize(
    "text",
    [
        f"archipel_master_key: {VAULTED}",
        "archipel_master_key: \"{{ lookup('pipe', 'false') }}\"",
        f"archipel_mail_relay:\n  host: smtp.example\n  from: a@b.example\n  user: x\n"
        f"  password: {VAULTED}",
        "archipel_mail_relay: {host: '{{ nowhere }}', from: a@b.example}",
        'archipel_mail_relay: "{{ {} if true else nowhere }}"',
        'archipel_php_version: "{{ ansible_facts.distribution }}"',
        'archipel_grace_days: "{{ 6 * 7 }}"',
        'archipel_operator: {name: !unsafe "{{ us }}", url: "https://us.example", email: a@b.c}',
        f"archipel_grace_days: {VAULTED}",
        'archipel_backup_repository: "sftp:x@{{ ansible_facts.hostname }}:/y"',
        "archipel_upgrade_rings: canary,10%,rest",
        "archipel_default_phone_region: ''",
    ],
)
def test_secrets_and_templates_are_left_alone(environment: Environment, text: str):
    environment.write(EXTRA, f"{text}\n")
    assert environment.problems() == []


@pytest.mark.parametrize("value", ["[node1.example]", "[10.0.0.300]", '["{{ 1 + 1 }}"]'])
def test_an_address_is_one(environment: Environment, value: str):
    """Also where there is no office server, and where a template makes it."""
    environment.write("host_vars/node1.yml", f"archipel_addresses: {value}\n")
    problems = environment.problems()
    assert any("archipel_addresses" in one and "allowed: a" in one for one in problems), problems


def test_everything_comes_at_once_from_wherever_it_stands(environment: Environment):
    environment.write(EXTRA, "archipel_grace_days: x\n")
    environment.write("group_vars/web.yml", "\narchipel_capacty: 5\n")
    environment.write("host_vars/node1.yml", "archipel_addresses: 192.0.2.1\n")
    environment.write("host_vars/velo-ecole/a.yml", "archipel_quota: 5\n")
    environment.write(
        "nodes.yml",
        "web:\n  hosts:\n    node1:\n      archipel_capacity: many\n"
        "  vars:\n    archipel_shard: 1\ndb: {hosts: {node1: {}}}\n",
    )
    assert [problem.partition("; ")[0] for problem in environment.problems()] == [
        'group_vars/all/zz-extra.yml:1: archipel_grace_days: found "x"',
        "group_vars/web.yml:2: archipel_capacty: unknown key",
        'host_vars/node1.yml:1: archipel_addresses: found "192.0.2.1"',
        "host_vars/velo-ecole/a.yml:1: archipel_quota: unknown key",
        'nodes.yml:4: archipel_capacity: found "many"',
        "nodes.yml:6: archipel_shard: unknown key",
    ]


def test_what_another_file_overrides_is_checked_as_well(environment: Environment):
    environment.write("group_vars/all/00-first.yml", "archipel_grace_days: x\n")
    environment.write(EXTRA, "archipel_grace_days: 5\n")
    (problem,) = environment.problems()
    assert problem.startswith('group_vars/all/00-first.yml:1: archipel_grace_days: found "x"')


def test_a_file_that_is_encrypted_as_a_whole(environment: Environment):
    environment.write("group_vars/all/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n3336396532626130\n")
    assert environment.problems() == [
        "group_vars/all/vault.yml: encrypted as a whole, and there is no password that opens it; "
        "encrypt the values in it and not the file, or give --ask-vault-pass"
    ]


def test_a_name_nobody_knows_on_the_command_line(environment: Environment):
    done = environment.command("ansible-inventory", "--list", "-e", "archipel_grace_day=5")
    assert done.returncode != 0
    assert "--extra-vars: archipel_grace_day: unknown key" in done.stderr
    assert 'Did you mean "archipel_grace_days"?' in done.stderr


def test_it_costs_little(environment: Environment):
    """Once per run, whatever the number of spaces: the baseline, and a long file of others."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.write(EXTRA, "".join(f"other_{n}: [a, b, c]\n" for n in range(2000)))
    environment.write(
        "group_vars/all/policy.yml",
        ("archipel_environment: lab\narchipel_base_domain: spaces.example.org\n"),
    )
    environment.load()  # what is loaded once per process
    begin = time.process_time()
    environment.load()
    assert time.process_time() - begin < 3


class TestSchema:
    """The schema knows every variable that the project does, and says what each is."""

    SCHEMA: t.ClassVar[dict[str, t.Any]] = json.loads(_policy.SCHEMA.text)

    def test_it_is_published(self):
        published = ROOT / "schema" / "policy.schema.json"
        used = ROOT / "plugins/plugin_utils/_policy/policy.schema.json"
        assert published.resolve() == used.resolve()

    def test_everything_that_is_set_is_in_it(self):
        files = [
            *(ROOT / "group_vars").rglob("*.yml"),
            *(ROOT / "inventories").glob("*/group_vars/**/*.yml"),
            *(ROOT / "molecule").glob("*/environment/**/group_vars/**/*.yml"),
        ]
        assert len(files) > 8
        names = {
            name
            for file in files
            for name in yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            if name.startswith("archipel_")
        }
        assert names - set(self.SCHEMA["properties"]) == set()

    def test_the_table_of_variables_is_the_same(self):
        text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
        chapter = text.partition("## Variables")[2].partition("\n## ")[0]
        written = set(re.findall(r"`(archipel_[a-z_]+)", chapter))
        assert set(self.SCHEMA["properties"]) - written == set()
        assert written - set(self.SCHEMA["properties"]) == set()

    def test_each_part_says_what_is_allowed(self):
        def parts(node: t.Any) -> t.Iterator[dict[str, t.Any]]:
            if isinstance(node, dict):
                yield node
                for kind in ("properties",):
                    for below in node.get(kind, {}).values():
                        yield from parts(below)
                for kind in ("additionalProperties", "items"):
                    yield from parts(node.get(kind))

        root, *others = parts(self.SCHEMA)
        assert root["title"]
        assert len(others) > 100
        assert [part for part in others if not part.get("description")] == []

    def test_the_environments_of_the_project_are_right(self):
        for folder in ("demo", "production.example"):
            copy = Environment.__new__(Environment)
            copy.root = Path(ROOT / "inventories" / folder)
            assert copy.problems() == []
