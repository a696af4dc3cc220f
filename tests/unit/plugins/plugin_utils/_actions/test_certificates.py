# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Certificates that are as asked for, and each way in which they are not."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
    CertificateFolder,
    FoundCertificates,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _certificates

NOW = datetime(2026, 11, 28, tzinfo=UTC)
DOMAINS = ("*.spaces.example", "spaces.example")
REQUEST = _certificates.Request("wildcard", DOMAINS)
Extensions = list[tuple[x509.ExtensionType, bool]]


class Pair(t.NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def text(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def public_key(self) -> str:
        return _certificates.encode_public_key(self.certificate)


def usage(**used: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**(dict.fromkeys(names.split(), False) | used))


def make(
    subject: str,
    extensions: Extensions,
    signer: Pair | None = None,
    curve: ec.EllipticCurve | None = None,
    days: int = 365,
) -> Pair:
    """Return a certificate for a new key, signed by another one or by itself."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.certificate.subject if signer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Pair(builder.sign(signer.key if signer else key, hashes.SHA256()), key)


def make_authority(
    name: str = "Archipel local authority",
    domains: tuple[str, ...] = ("spaces.example",),
    curve: ec.EllipticCurve | None = None,
    basic: tuple[bool, int | None] = (True, 0),
    critical: bool = True,
    **used: bool,
) -> Pair:
    extensions: Extensions = [
        (x509.BasicConstraints(*basic), True),
        (usage(**{"key_cert_sign": True, "crl_sign": True, **used}), True),
        (x509.SubjectKeyIdentifier(b"archipel"), False),
    ]
    if domains:
        permitted = [x509.DNSName(one) for one in domains]
        extensions.append((x509.NameConstraints(permitted, None), critical))
    return make(name, extensions, curve=curve or ec.SECP384R1(), days=3650)


def make_leaf(
    signer: Pair,
    domains: tuple[str, ...] = DOMAINS,
    subject: str = DOMAINS[0],
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    critical: bool = True,
    **changes: t.Any,
) -> Pair:
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(one)) if ":" in one else x509.DNSName(one)
        for one in domains
    ]
    extensions: Extensions = [
        (x509.SubjectAlternativeName(names), False),
        (usage(digital_signature=True), critical),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    return make(subject, extensions, signer, **changes)


SIGNER = make_authority()
LEAF = make_leaf(SIGNER)
RIGHTS = {
    ".": "root:ssl-cert:0750",
    "privkey.pem": "root:ssl-cert:0640",
    "fullchain.pem": "root:ssl-cert:0644",
    "chain.pem": "root:ssl-cert:0644",
    "request.csr": "root:root:0644",
}


def folder(leaf: Pair = LEAF, **changes: t.Any) -> CertificateFolder:
    found: t.Any = {
        "public_key": leaf.public_key,
        "certificate": leaf.text,
        "chain": SIGNER.text,
        "rights": RIGHTS,
    }
    return found | changes


def found(**changes: t.Any) -> FoundCertificates:
    whole: t.Any = {
        "rights": "root:ssl-cert:0750",
        "certificates": {"wildcard": folder()},
        "trusted": SIGNER.text,
        "trusted_rights": "root:root:0644",
        "bundled": True,
    }
    return whole | changes


def compare(node: FoundCertificates, request: _certificates.Request = REQUEST) -> list[str]:
    return _certificates.compare_all(
        [request], node, SIGNER.text, group="ssl-cert", now=NOW, renew_days=60
    )


def test_nothing_is_to_be_done_where_all_is_as_asked_for():
    assert compare(found()) == []
    turned = replace(REQUEST, domains=("spaces.example", "*.spaces.example"))
    assert compare(found(), turned) == ["wildcard: fullchain.pem differs in its subject"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rights": ""}, "the folder belongs to nobody"),
        ({"rights": "root:root:0755"}, "the folder belongs to root:root:0755"),
        ({"trusted": ""}, "the node does not trust the authority"),
        ({"trusted_rights": "root:root:0600"}, "the node does not trust the authority"),
        ({"bundled": False}, "what the system trusts is older than the authority"),
    ],
)
def test_what_is_wrong_with_the_node_is_said(changes: dict[str, t.Any], said: str):
    assert compare(found(**changes)) == [said]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (folder(certificate=""), "fullchain.pem cannot be read"),
        (folder(chain=""), "chain.pem is not the authority"),
        (folder(public_key=""), "fullchain.pem differs in its key"),
        (folder(rights=RIGHTS | {"privkey.pem": ""}), "privkey.pem belongs to nobody"),
        (folder(rights=RIGHTS | {".": "root:root:0755"}), ". belongs to root:root:0755"),
        (folder(rights=RIGHTS | {"request.csr": ""}), "request.csr belongs to nobody"),
        (folder(make_leaf(SIGNER, DOMAINS[:1])), "fullchain.pem differs in its names"),
        (folder(make_leaf(SIGNER, (*DOMAINS, "a.example"))), "fullchain.pem differs in its names"),
        (folder(make_leaf(SIGNER, subject="other")), "fullchain.pem differs in its subject"),
        (folder(make_leaf(SIGNER, curve=ec.SECP384R1())), "fullchain.pem differs in its key"),
        (folder(make_leaf(SIGNER, critical=False)), "fullchain.pem differs in its use"),
        (
            folder(make_leaf(SIGNER, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)),
            "fullchain.pem differs in its purpose",
        ),
        (folder(make_leaf(make_authority())), "fullchain.pem differs in who signed it"),
        (folder(make_leaf(SIGNER, days=60)), "it ends at 2027-01-27T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_certificate_is_said(one: CertificateFolder, said: str):
    assert compare(found(certificates={"wildcard": one})) == [f"wildcard: {said}"]


def test_a_day_before_its_renewal_a_certificate_is_good():
    assert compare(found(certificates={"wildcard": folder(make_leaf(SIGNER, days=61))})) == []


def test_addresses_are_names_too():
    request = _certificates.Request("database", ("fd00:0:0::2",))
    leaf = make_leaf(SIGNER, ("fd00::2",), subject="database")
    assert compare(found(certificates={"database": folder(leaf)}), request) == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the folder of an authority."""
    tmp_path.chmod(0o700)
    write(tmp_path, SIGNER)
    return tmp_path


def write(place: Path, pair: Pair, passphrase: str = "") -> None:
    encryption: t.Any = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    key = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    (place / "privkey.pem").write_bytes(key)
    (place / "privkey.pem").chmod(0o600)
    (place / "ca.pem").write_text(pair.text)
    (place / "ca.pem").chmod(0o644)


def wanted(place: Path, **changes: t.Any) -> _certificates.Authority:
    usual = _certificates.Authority(place, "Archipel local authority", ("spaces.example",), "")
    return replace(usual, **changes)


class TestAuthority:
    def test_one_that_is_as_wanted_is_taken(self, place: Path):
        assert _certificates.read_authority(wanted(place)) == (SIGNER.text, [])

    def test_one_that_may_sign_anything(self, place: Path):
        write(place, make_authority(domains=()))
        assert _certificates.read_authority(wanted(place, domains=()))[1] == []
        assert _certificates.read_authority(wanted(place))[1] == [
            "the authority differs in what it may sign"
        ]

    def test_a_domain_that_is_named_twice_is_one(self, place: Path):
        twice = ("spaces.example", "spaces.example")
        assert _certificates.read_authority(wanted(place, domains=twice))[1] == []

    def test_one_with_a_passphrase(self, place: Path):
        write(place, SIGNER, "geheim")
        assert _certificates.read_authority(wanted(place, passphrase="geheim"))[1] == []

    @pytest.mark.parametrize("passphrase", ["", "wrong"])
    def test_one_that_cannot_be_read_is_for_the_tasks_that_make_it(
        self, place: Path, passphrase: str
    ):
        write(place, SIGNER, "geheim")
        _text, (said,) = _certificates.read_authority(wanted(place, passphrase=passphrase))
        assert said.startswith("the authority cannot be read: ")

    @pytest.mark.parametrize("name", ["ca.pem", "privkey.pem"])
    def test_one_of_which_a_part_is_missing_or_spoilt(self, place: Path, name: str):
        (place / name).write_text("spoilt")
        assert "cannot be read" in _certificates.read_authority(wanted(place))[1][0]
        (place / name).unlink()
        assert "cannot be read" in _certificates.read_authority(wanted(place))[1][0]

    def test_a_key_that_others_may_read_is_told(self, place: Path):
        (place / "privkey.pem").chmod(0o640)
        place.chmod(0o755)
        assert _certificates.read_authority(wanted(place))[1] == [
            f"{place} has mode 0755",
            f"{place}/privkey.pem has mode 0640",
        ]

    def test_a_key_of_somebody_else_is_told(self, place: Path):
        write(place, make_authority())
        (place / "ca.pem").write_text(SIGNER.text)
        assert _certificates.read_authority(wanted(place))[1] == [
            "the authority's key is not that of its certificate"
        ]

    @pytest.mark.parametrize(
        ("pair", "said"),
        [
            (make_authority(name="Other"), "its name"),
            (make_authority(domains=("other.example",)), "what it may sign"),
            (make_authority(critical=False), "what it may sign"),
            (make_authority(curve=ec.SECP256R1()), "its key"),
            (make_authority(digital_signature=True), "its use"),
            (make_authority(basic=(True, None)), "its constraints"),
            (make_authority(basic=(False, None)), "its constraints"),
        ],
    )
    def test_one_that_differs_is_told_in_what(self, place: Path, pair: Pair, said: str):
        write(place, pair)
        assert _certificates.read_authority(wanted(place))[1] == [
            f"the authority differs in {said}"
        ]
