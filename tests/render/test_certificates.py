# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the provider acme writes on a node, from the role's real defaults."""

from __future__ import annotations

import base64
import importlib
import json
import re
import typing as t

import pytest
from ansible.template import Templar, trust_as_template

from tests.policy.tree import ROOT, load
from tests.render.test_platform import LOADER, render

REQUESTS = [
    {"name": "wildcard", "domains": ["*.spaces.example", "spaces.example"]},
    {"name": "database", "domains": ["10.0.0.2"]},
    {"name": "six", "domains": ["fd00::2"]},
]
VALID = {
    "inventory_hostname": "node1",
    "certificates_acme_email": "a@example.org",
    "certificates_acme_dns": "rfc2136",
    "certificates_requests": REQUESTS,
}


def variables(**changes: t.Any) -> dict[str, t.Any]:
    """Return the role's variables, some of them changed."""
    found: dict[str, t.Any] = {"ansible_managed": "Managed by Ansible"}
    for part in ("defaults", "vars"):
        path = str(ROOT / f"roles/certificates/{part}/main.yml")
        found |= LOADER.load_from_file(path, trusted_as_template=True)
    return found | changes


def value(name: str, **changes: t.Any) -> t.Any:
    """Return a variable of the role as a task sees it."""
    return Templar(LOADER, variables(**changes)).template(trust_as_template("{{ " + name + " }}"))


def holds(condition: str, **changes: t.Any) -> bool:
    """Tell whether a condition of the role holds."""
    found = Templar(LOADER, variables(**changes))
    return bool(found.evaluate_conditional(trust_as_template(condition)))


def is_accepted(**changes: t.Any) -> bool:
    """Tell whether the preflight takes an order."""
    (task,) = (
        task
        for task in load(ROOT / "roles/certificates/tasks/preflight.yml")
        if "nobody could serve" in task["name"]
    )
    conditions = task["ansible.builtin.assert"]["that"]
    return all(holds(one, **VALID | changes) for one in conditions)


def test_no_public_authority_is_asked_for_an_address():
    node = value("__certificates_acme_node", **VALID)
    assert node["requests"] == {"wildcard": ["*.spaces.example", "spaces.example"]}
    addressed = value("__certificates_by_address", **VALID)
    assert [one["name"] for one in addressed] == ["database", "six"]


def test_the_program_takes_what_the_role_writes(monkeypatch):
    """Each key, no other, and as JSON."""
    monkeypatch.syspath_prepend(str(ROOT / "roles/certificates/files"))
    wanted = importlib.import_module("_acme_wanted")
    node = json.loads(json.dumps(value("__certificates_acme_node", **VALID)))
    settings = wanted.Settings(**node)
    assert (settings.orders, settings.dns, settings.vhosts) == (50, "rfc2136", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"certificates_acme_email": ""},
        {"certificates_acme_email": "nobody"},
        {"certificates_acme_directory": "http://plain.example/dir"},
        {"certificates_acme_directory": ""},
        {"certificates_acme_dns": ""},
        {"certificates_acme_dns": "rfc2136; id"},
        {"certificates_acme_orders": 0},
        {"certificates_acme_dns_environment": {"lower": "x"}},
        {"certificates_acme_dns_environment": {"A B": "x"}},
        {"certificates_acme_dns_environment": {"KEY": "one\nLD_PRELOAD=/x"}},
        {"certificates_acme_dns_environment": {"KEY": "a\tb"}},
    ],
)
def test_an_order_that_nobody_could_serve_is_refused(changes):
    assert is_accepted()
    assert not is_accepted(**changes)


def test_addresses_alone_need_no_dns():
    assert is_accepted(certificates_acme_dns="", certificates_requests=REQUESTS[1:])


@pytest.mark.parametrize("secret", ["c2Vj/+==", 'a"b', "a\\b", "a b", "$HOME`id`", "é#;", "a\\nb"])
def test_a_secret_comes_out_as_it_was_written(secret):
    """As systemd reads it: in quotes a backslash is taken from these four characters alone."""
    text = render(
        "certificates",
        "etc/archipel/certificates.env.j2",
        certificates_acme_dns_environment={"TSIG_SECRET": secret},
    )
    (line,) = (line for line in text.splitlines() if line.startswith("TSIG_SECRET="))
    quoted = line.partition("=")[2]
    assert (quoted[0], quoted[-1]) == ('"', '"')
    assert re.sub(r'\\(["\\`$])', r"\1", quoted[1:-1]) == secret


def reasons(left: dict[str, t.Any], report: dict[str, t.Any]) -> list[str]:
    """Return what a run says of certificates that are missing."""
    found = {"__certificates_acme_left": left, "__certificates_acme_report": report}
    return list(value("__certificates_acme_reasons", **found))


def test_a_run_that_misses_nothing_has_no_reasons():
    """The tasks that ask were skipped."""
    assert reasons({"skipped": True}, {"skipped": True}) == []


def test_each_that_is_missing_is_named_with_its_reason():
    problem = {"kind": "domain", "reason": "dns: refused", "tries": 1, "again": 1.0}
    report = json.dumps({"certificates": {"wildcard": {"problem": problem}, "office": {}}})
    read = {"content": base64.b64encode(report.encode()).decode()}
    assert reasons({"stdout_lines": ["wildcard", "office"]}, read) == [
        "wildcard: dns: refused",
        "office: not ordered, journalctl -u archipel-certificates says why",
    ]
    # The program died before it wrote anything.
    assert reasons({"stdout_lines": ["office"]}, {"failed": True}) == [
        "office: not ordered, journalctl -u archipel-certificates says why"
    ]


def test_what_the_program_writes_it_may_write():
    unit = render("certificates", "etc/systemd/system/archipel-certificates.service.j2")
    (line,) = (line for line in unit.splitlines() if line.startswith("ReadWritePaths="))
    assert line.removeprefix("ReadWritePaths=").split() == [
        "/etc/archipel",
        "/etc/nginx/archipel-certificates",
        "/var/lib/archipel/certificates",
        "/var/www/acme",
        "-/var/lib/prometheus/node-exporter",
    ]


def test_own_domains_have_a_map_where_each_has_a_certificate():
    template = "etc/nginx/conf.d/archipel-spaces.conf.j2"
    without = (ROOT / "roles/spaces/templates" / template).read_text(encoding="utf-8")
    assert without.count("$archipel_certificate") == 1
    node = value("__certificates_acme_node", **VALID)
    assert f"include {node['map'].rpartition('/')[0]}/*.map;" in without
    assert "default {{ spaces_domains_tls_names }}/_fallback;" in without
