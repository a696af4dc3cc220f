# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""An authority that is away, closes the account, or has had enough: what is there stays."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.acme import ANY, Authority, Certificates

OWN = "cloud.velo-ecole.example"
ACCOUNT = "/var/lib/archipel/certificates/accounts/acme.test"
ALERT = "archipel-alert@archipel-certificates.service"


@pytest.fixture
def away(authority: Authority) -> Iterator[None]:
    """Nobody answers at the directory of the authority."""
    authority.stop()
    yield
    authority.resume()


def alerts(node: Certificates) -> int:
    said = node.host.run("journalctl -o cat -u %s | grep -c '^Starting'", ALERT).stdout
    return int(said)


def test_while_the_directory_is_down_the_old_ones_stay(
    authority: Authority, first: Certificates, away: None
):
    before = serial(first)
    told = alerts(first)
    first.let_end("wildcard", OWN)
    assert first.run() == "exit-code"
    assert serial(first) == before
    assert "acme.test" in first.problem("wildcard")
    assert first.metrics()['archipel_certificate_problem{name="wildcard"}'] == 1
    left = first.metrics()['archipel_certificate_expiry_seconds{name="wildcard"}'] - time.time()
    assert 0 < left <= 3600
    assert alerts(first) > told
    said = first.host.check_output("journalctl -o cat -u archipel-certificates.service")
    assert "wildcard: ends in 0.0 days" in said
    # It is not asked again at once.
    assert first.run() == "exit-code"
    assert first.report()["wildcard"]["problem"]["tries"] == 1


def serial(node: Certificates) -> str:
    """Return the wildcard's, as it lies there: nobody can be asked for a root meanwhile."""
    return node.host.check_output(
        "openssl x509 -noout -serial -in /etc/archipel/tls/wildcard/fullchain.pem"
    )


def test_once_it_is_back_all_is_renewed(authority: Authority, first: Certificates):
    first.let_end("wildcard", OWN)
    first.forget()
    assert first.run() == "success"
    for name in (ANY, OWN):
        assert authority.shown(name, first.address)["trusted"]
    assert first.metrics()['archipel_certificate_problem{name="wildcard"}'] == 0


def test_a_closed_account_is_replaced(authority: Authority, first: Certificates):
    folder = first.host.check_output("dirname %s/*/account.json", ACCOUNT)
    account = json.loads(first.host.file(f"{folder}/account.json").content_string)
    key = first.host.check_output("cat %s/keys/*.key", folder)
    authority.deactivate(key, account["registration"]["uri"])
    first.let_end(OWN)
    assert first.run() == "success"
    made = json.loads(first.host.file(f"{folder}/account.json").content_string)
    assert made["registration"]["uri"] != account["registration"]["uri"]
    said = first.host.check_output("journalctl -o cat -u archipel-certificates.service")
    assert "the authority refuses the account" in said


@pytest.fixture
def limited(authority: Authority) -> Iterator[None]:
    """Every order is refused for a limit."""
    authority.limit(limited=True)
    yield
    authority.limit(limited=False)


def test_limits_are_not_tried_again_and_again(
    authority: Authority, first: Certificates, limited: None
):
    names = [f"d{number}.velo-ecole.example" for number in (0, 1, 2, 4, 5)]
    shown = {name: authority.shown(name, first.address)["serial"] for name in names}
    first.let_end(*names, seconds=86400)
    asked = orders(authority)
    first.run()
    refused = [name for name in names if "too many" in first.problem(name)]
    assert len(refused) == 3
    wait = [first.report()[name]["problem"]["again"] - time.time() for name in refused]
    assert min(wait) > 3000
    assert orders(authority) == asked + 3
    assert {n: authority.shown(n, first.address)["serial"] for n in names} == shown


def orders(authority: Authority) -> int:
    """Return how often an order was asked for."""
    return int(authority.run("grep -c order-plz /var/log/nginx/access.log || :"))


def test_afterwards_they_are_renewed(authority: Authority, first: Certificates):
    first.forget()
    assert first.run() == "success"
    for number in (0, 1, 2, 4, 5):
        assert authority.shown(f"d{number}.velo-ecole.example", first.address)["trusted"]
