# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a request for a certificate names."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.policy.tree import ROOT, load

LONG = ".".join(["abcdefgh"] * 9)


@pytest.mark.parametrize(
    ("domains", "subject", "names"),
    [
        (["*.a.example", "a.example"], "*.a.example", ["DNS:*.a.example", "DNS:a.example"]),
        # As a subject it would be taken for a host name, which the authority may not sign.
        (["10.0.0.2"], "database", ["IP:10.0.0.2"]),
        (["fd00::2", "db.example"], "db.example", ["IP:fd00::2", "DNS:db.example"]),
        ([LONG], "database", [f"DNS:{LONG}"]),
    ],
)
def test_addresses_are_no_host_names(domains: list[str], subject: str, names: list[str]):
    tasks = load(ROOT / "roles/certificates/tasks/local_certificate.yml")
    (request,) = (
        task["community.crypto.openssl_csr"]
        for task in tasks
        if "community.crypto.openssl_csr" in task
    )
    variables = {
        "__certificates_domains": domains,
        "__certificates_request": {"name": "database"},
    }
    templar = Templar(DataLoader(), variables=variables)
    asked = {
        key: templar.template(trust_as_template(request[key]))
        for key in ("common_name", "subject_alt_name")
    }
    assert asked == {"common_name": subject, "subject_alt_name": names}
