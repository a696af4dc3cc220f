# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Certificates that somebody else has signed: handed over, refused, and our own again."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from testinfra.host import Host

from tests.support.association import Association
from tests.support.browser import Browser
from tests.support.scenario import Scenario, Space

WILDCARD = "/etc/archipel/tls/wildcard"
DOMAINS = "/etc/archipel/tls/domains"
SERVER = "/etc/nginx/conf.d/archipel-domains.conf"
NOW = datetime.now(UTC)
# How long a reload of nginx may take on a busy node.
RELOAD_SECONDS = 10


def usage(*, signs: bool) -> x509.KeyUsage:
    """Return what a key is for: strict clients look."""
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **never)


class Party:
    """An authority, one below it, or a server: a key, and a certificate that somebody signed."""

    def __init__(
        self, name: str, signer: Party | None = None, domains: tuple[str, ...] = (), days: int = 90
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        signed_by = signer or self
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signed_by.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=200))
            .not_valid_after(NOW + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=not domains, path_length=None), critical=True)
            .add_extension(usage(signs=not domains), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.key.public_key()),
                critical=False,
            )
        )
        if domains:
            names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
            made = made.add_extension(names, critical=False)
        self.certificate = made.sign(signed_by.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def secret(self) -> str:
        """The key as text."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


ROOT = Party("A public authority")
BETWEEN = Party("Its daily hand", ROOT)


def put(folder: Path, name: str, server: Party, key: Party | None = None) -> None:
    """Put what an authority delivers where the role looks for it."""
    (folder / name).mkdir(parents=True)
    (folder / name / "fullchain.pem").write_text(server.pem + BETWEEN.pem)
    (folder / name / "privkey.pem").write_text((key or server).secret)


def installed(folder: Path) -> tuple[str, ...]:
    """Return the options of a run that takes certificates from a folder."""
    made = {"certificates_provider": "installed", "certificates_installed_directory": str(folder)}
    return ("--tags", "certificates", "--extra-vars", json.dumps(made))


@pytest.fixture(scope="module")
def domain(spaces: dict[str, Space]) -> str:
    return str(spaces["velo-ecole"]["domains"][0]).split(".", 1)[1]


@pytest.fixture(scope="module")
def own(spaces: dict[str, Space], domain: str) -> tuple[str, ...]:
    """Domains of the spaces' own."""
    every = {name for space in spaces.values() for name in space["domains"]}
    return tuple(sorted(name for name in every if not name.endswith(f".{domain}")))


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory, domain: str, own: tuple[str, ...]) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    put(folder, "wildcard", Party("*." + domain, BETWEEN, ("*." + domain, domain, *own)))
    return folder


def names_of(node: Host, folder: str) -> set[str]:
    """Return the names of a certificate that is there."""
    made = node.check_output(f"openssl x509 -noout -ext subjectAltName -in {folder}/fullchain.pem")
    return set(re.findall(r"DNS:([^\s,]+)", made))


def trusting(scenario: Scenario, node: Host) -> Browser:
    """A browser whose owner has just imported the authority's file."""
    chain = node.file(f"{DOMAINS}/chain.pem").content_string
    return Browser(port=scenario.machine.port(443), authority=chain)


def answers(browser: Browser, host: str) -> int:
    """Return the status of a page, once nginx has done what it was asked to.

    A reload returns before the processes with the new certificates are there.
    """
    for _ in range(RELOAD_SECONDS):
        try:
            return browser.get(host, "/status.php").status
        except ssl.SSLCertVerificationError:
            time.sleep(1)
    return browser.get(host, "/status.php").status


def test_own_domains_have_a_certificate_of_their_own(
    browser: Browser, node: Host, domain: str, own: tuple[str, ...]
):
    assert own
    for name in own:
        assert browser.get(name, "/status.php").status == 200
    assert names_of(node, DOMAINS) == set(own)
    assert names_of(node, WILDCARD) == {"*." + domain, domain}


def test_a_bought_certificate_without_an_own_domain_is_refused(
    scenario: Scenario, tmp_path: Path, domain: str, own: tuple[str, ...]
):
    put(tmp_path, "wildcard", Party("*." + domain, BETWEEN, ("*." + domain, domain)))
    said = scenario.refusal("platform.yml", *installed(tmp_path))
    assert f"wildcard/fullchain.pem: is not for {own[0]}; it is for *.{domain}, {domain}" in said


def test_a_bought_certificate_of_own_domains_must_be_for_all_of_them(
    scenario: Scenario, tmp_path: Path, domain: str, own: tuple[str, ...]
):
    put(tmp_path, "wildcard", Party("*." + domain, BETWEEN, ("*." + domain, domain)))
    put(tmp_path, "domains", Party("other", BETWEEN, ("other.example",)))
    said = scenario.refusal("platform.yml", *installed(tmp_path))
    assert f"domains/fullchain.pem: is not for {own[0]}; it is for other.example" in said
    assert "wildcard/fullchain.pem" not in said


def test_a_domain_that_is_added_is_in_the_certificate_at_once(
    scenario: Scenario, browser: Browser, node: Host, domain: str
):
    """One that is taken away is no longer; whoever trusts the file of before keeps every space."""
    path, name = scenario.registry("repair-cafe-brest"), "cloud.repair.example"
    kept = path.read_text(encoding="utf-8")
    before = node.file(f"{WILDCARD}/fullchain.pem").content_string
    try:
        path.write_text(f"{kept}\ndomains: [{name}]\n", encoding="utf-8")
        scenario.converge("spaces.yml")
        assert answers(trusting(scenario, node), name) == 200
        for slug in scenario.in_status("approved"):
            assert answers(browser, f"{slug}.{domain}") == 200
        # The file of before does not let it sign for the new domain.
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            browser.get(name, "/status.php")
    finally:
        path.write_text(kept, encoding="utf-8")
        scenario.converge("spaces.yml")
    assert scenario.converge("spaces.yml") == []
    assert name not in names_of(node, DOMAINS)
    assert node.file(f"{WILDCARD}/fullchain.pem").content_string == before


def test_without_own_domains_there_is_neither_certificate_nor_server(
    scenario: Scenario, node: Host, domain: str, own: tuple[str, ...]
):
    having = {
        scenario.registry(slug): scenario.registry(slug).read_text(encoding="utf-8")
        for slug, space in scenario.spaces.items()
        if set(space["domains"]) & set(own)
    }
    try:
        for path in having:
            Association(scenario, path.stem, ("", "")).write(domains=None)
        scenario.converge("spaces.yml")
        assert scenario.converge("spaces.yml") == []
        assert not node.file(DOMAINS).exists
        assert "server" not in node.file(SERVER).content_string
        assert names_of(node, WILDCARD) == {"*." + domain, domain}
        node.check_output("nginx -t -q")
    finally:
        for path, text in having.items():
            path.write_text(text, encoding="utf-8")
        scenario.converge("spaces.yml")
    assert answers(trusting(scenario, node), own[0]) == 200


def test_own_domains_of_a_space_without_a_file_are_renewed(
    scenario: Scenario, node: Host, own: tuple[str, ...]
):
    """It goes on, and nobody knows its domains: here no file names any at all."""
    having = [s for s, space in scenario.spaces.items() if set(space["domains"]) & set(own)]
    kept = {path: path.read_text(encoding="utf-8") for path in map(scenario.registry, having)}
    before = node.file(f"{DOMAINS}/fullchain.pem").content_string
    soon = json.dumps({"certificates_valid_days": 366, "certificates_renew_days": 365})
    late = ("--tags", "certificates", "--extra-vars", soon)
    try:
        for path in kept:
            path.unlink()
        assert scenario.converge("platform.yml", "--tags", "certificates") == []
        assert scenario.converge("platform.yml", *late)
        assert names_of(node, DOMAINS) == set(own)
        assert node.file(f"{DOMAINS}/fullchain.pem").content_string != before
        assert answers(trusting(scenario, node), own[0]) == 200
    finally:
        for path, text in kept.items():
            path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="class")
def in_force(scenario: Scenario, bought: Path) -> Iterator[Path]:
    """Bought certificates, and afterwards those of our own authority again."""
    previewed = scenario.converge("platform.yml", "--check", *installed(bought))
    done = scenario.converge("platform.yml", *installed(bought))
    assert done
    assert [one.task for one in previewed] == [one.task for one in done]
    yield bought
    assert scenario.converge("platform.yml", "--tags", "certificates")
    assert scenario.converge("platform.yml", "--tags", "certificates") == []
    assert answers(scenario.browser, "velo-ecole.archipel.localhost") == 200


class TestInstalled:
    def test_it_is_what_browsers_get(self, scenario: Scenario, in_force: Path, domain: str):
        """With the certificate in between: a browser knows the authority alone."""
        assert in_force
        browser = Browser(port=scenario.machine.port(443), authority=ROOT.pem)
        assert answers(browser, f"velo-ecole.{domain}") == 200

    def test_its_files(self, node: Host, in_force: Path):
        key = node.file(f"{WILDCARD}/privkey.pem")
        assert key.content_string == (in_force / "wildcard/privkey.pem").read_text()
        assert (key.user, key.group, key.mode) == ("root", "ssl-cert", 0o640)
        assert node.file(f"{WILDCARD}/chain.pem").content_string == BETWEEN.pem
        assert not node.file(f"{WILDCARD}/request.csr").exists

    def test_a_further_run_warns_before_its_end_and_changes_nothing(
        self, scenario: Scenario, in_force: Path
    ):
        late = ("--extra-vars", "certificates_warn_days=91")
        results = scenario.attempt("platform.yml", *installed(in_force), *late)
        assert not any(result.get("changed") for result in results.values())
        task = "archipel.spaces.certificates : installed_read | Warn of what ends soon"
        (warned,) = results[task]["results"]
        assert "wildcard/fullchain.pem ends on" in warned["msg"]


def test_all_that_is_wrong_is_named_and_no_machine_touched(
    scenario: Scenario, node: Host, tmp_path: Path, domain: str
):
    good, over = ("*." + domain,), Party("over", BETWEEN, ("*." + domain,), days=-1)
    put(tmp_path, "ended", over)
    put(tmp_path, "mixed", Party("one", BETWEEN, good), Party("two"))
    put(tmp_path, "elsewhere", Party("other", BETWEEN, ("*.example.org",)))
    put(tmp_path, "turned", BETWEEN, Party("three"))
    put(tmp_path, "no-key", Party("four", BETWEEN, good))
    (tmp_path / "no-key/privkey.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    names = ["ended", "mixed", "elsewhere", "turned", "no-key", "missing"]
    wanted = [{"name": name, "domains": [f"velo-ecole.{domain}"]} for name in names]
    asked = ("--extra-vars", json.dumps({"certificates_requests": wanted}))
    said = scenario.refusal("platform.yml", *installed(tmp_path), *asked)
    assert "ended/fullchain.pem: ended at" in said
    assert "mixed/privkey.pem: is not the key of fullchain.pem" in said
    assert (
        f"elsewhere/fullchain.pem: is not for velo-ecole.{domain}; it is for *.example.org" in said
    )
    assert "turned/privkey.pem: is not the key of fullchain.pem" in said
    assert "no-key/privkey.pem: cannot be read as a key" in said
    assert "missing/fullchain.pem: cannot be read as a certificate" in said
    assert not any(node.file(f"/etc/archipel/tls/{name}").exists for name in names)
    for path in tmp_path.glob("*/privkey.pem"):
        assert not any(line in said for line in path.read_text().splitlines()[1:-1])
