# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether our own authority has anything to sign: what is compared with what is asked for.

Nothing is made here. Where something differs, the tasks of the role certificates do all of it.
"""

from __future__ import annotations

import ipaddress
import stat
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
    CertificateFolder,
    FoundCertificates,
)

# On the controller: file of the authority's folder → its mode.
MODES = {".": 0o700, "privkey.pem": 0o600, "ca.pem": 0o644}
EXTENSION = t.TypeVar("EXTENSION", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Authority:
    """Our own authority, as it shall be."""

    folder: Path
    name: str
    # What it may sign, and nothing else; empty: anything.
    domains: tuple[str, ...]
    passphrase: str


@dataclass(frozen=True)
class Request:
    """A certificate that is asked for."""

    name: str
    domains: tuple[str, ...]


def find_extension(
    certificate: x509.Certificate, kind: type[EXTENSION]
) -> tuple[EXTENSION | None, bool]:
    """Return an extension of a certificate, and whether it is critical. Pure."""
    try:
        found = certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None, False
    return found.value, found.critical


def encode_public_key(certificate: x509.Certificate) -> str:
    """Return the public key of a certificate as openssl prints it. Pure."""
    return (
        certificate.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def is_on_curve(certificate: x509.Certificate, name: str) -> bool:
    """Tell whether the key of a certificate is one of this elliptic curve. Pure."""
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == name


def read_authority(wanted: Authority) -> tuple[str, list[str]]:
    """Return the certificate of the authority, and in words what is not as wanted."""
    try:
        text = (wanted.folder / "ca.pem").read_text(encoding="ascii")
        certificate = x509.load_pem_x509_certificate(text.encode())
        key = serialization.load_pem_private_key(
            (wanted.folder / "privkey.pem").read_bytes(), wanted.passphrase.encode() or None
        )
        modes = {name: (wanted.folder / name).stat().st_mode for name in MODES}
    except (OSError, ValueError, TypeError) as error:
        return "", [f"the authority cannot be read: {error}"]
    problems = [
        f"{wanted.folder / name} has mode {stat.S_IMODE(mode):04o}"
        for name, mode in modes.items()
        if stat.S_IMODE(mode) != MODES[name]
    ]
    if key.public_key() != certificate.public_key():
        problems.append("the authority's key is not that of its certificate")
    return text, problems + compare_authority(certificate, wanted)


def compare_authority(certificate: x509.Certificate, wanted: Authority) -> list[str]:
    """Return in words what an authority's certificate says otherwise. Pure."""
    basic, basic_critical = find_extension(certificate, x509.BasicConstraints)
    usage, usage_critical = find_extension(certificate, x509.KeyUsage)
    names, names_critical = find_extension(certificate, x509.NameConstraints)
    permitted = [] if names is None else [one.value for one in names.permitted_subtrees or []]
    identifier, _ = find_extension(certificate, x509.SubjectKeyIdentifier)
    subject = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    right = {
        "its name": [one.value for one in subject] == [wanted.name],
        "its key": is_on_curve(certificate, "secp384r1"),
        "what it may sign": set(permitted) == set(wanted.domains)
        and names_critical == bool(wanted.domains),
        "its use": usage is not None
        and usage_critical
        and usage.key_cert_sign
        and usage.crl_sign
        and not usage.digital_signature,
        "its constraints": basic is not None
        and basic_critical
        and basic.ca
        and basic.path_length == 0,
        "its identifier": identifier is not None,
    }
    return [f"the authority differs in {what}" for what, so in right.items() if not so]


def list_names(certificate: x509.Certificate) -> set[str]:
    """Return the names and addresses that a certificate is for. Pure."""
    names, _ = find_extension(certificate, x509.SubjectAlternativeName)
    return {str(one.value) for one in names or []}


def normalise(domain: str) -> str:
    """Return a name, or an address in its shortest form. Pure."""
    try:
        return str(ipaddress.ip_address(domain))
    except ValueError:
        return domain


def find_subject(request: Request) -> str:
    """Return the subject of a certificate, as local_certificate.yml says it. Pure."""
    names = (
        name
        for name in request.domains
        if len(name) <= 64 and ":" not in name and not name.replace(".", "").isdigit()
    )
    return next(names, request.name)


def compare(
    request: Request,
    found: CertificateFolder,
    authority: str,
    *,
    group: str,
    now: datetime,
    renew_days: int,
) -> list[str]:
    """Return in words what is wrong with one certificate. Pure.

    Args:
        request: what is asked for.
        found: what is on the node.
        authority: the certificate that must have signed it, PEM.
        group: whose members may read the key.
        now: the moment, with its time zone.
        renew_days: days before its end from which on it is renewed.

    """
    expected = {
        ".": f"root:{group}:0750",
        "privkey.pem": f"root:{group}:0640",
        "fullchain.pem": f"root:{group}:0644",
        "chain.pem": f"root:{group}:0644",
        "request.csr": "root:root:0644",
    }
    problems = [
        f"{name} belongs to {found['rights'].get(name) or 'nobody'}"
        for name, rights in expected.items()
        if found["rights"].get(name) != rights
    ]
    if found["chain"] != authority:
        problems.append("chain.pem is not the authority")
    try:
        certificate = x509.load_pem_x509_certificate(found["certificate"].encode())
        signer = x509.load_pem_x509_certificate(authority.encode())
        problems += compare_certificate(request, certificate, found["public_key"], signer)
    except ValueError:
        return [*problems, "fullchain.pem cannot be read"]
    if certificate.not_valid_after_utc - timedelta(days=renew_days) <= now:
        problems.append(f"it ends at {certificate.not_valid_after_utc.isoformat()}")
    return problems


def compare_certificate(
    request: Request, certificate: x509.Certificate, public_key: str, signer: x509.Certificate
) -> list[str]:
    """Return in words what a certificate says otherwise. Pure."""
    usage, usage_critical = find_extension(certificate, x509.KeyUsage)
    purposes, _ = find_extension(certificate, x509.ExtendedKeyUsage)
    subject = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    right = {
        "its names": list_names(certificate) == {normalise(one) for one in request.domains},
        "its subject": [one.value for one in subject] == [find_subject(request)],
        "its key": encode_public_key(certificate).strip() == public_key.strip()
        and is_on_curve(certificate, "secp256r1"),
        "its use": usage is not None and usage_critical and usage.digital_signature,
        "its purpose": list(purposes or []) == [ExtendedKeyUsageOID.SERVER_AUTH],
        "who signed it": is_signed(certificate, signer),
    }
    return [f"fullchain.pem differs in {what}" for what, so in right.items() if not so]


def is_signed(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    """Tell whether an authority has signed a certificate. Pure."""
    try:
        certificate.verify_directly_issued_by(signer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def compare_all(
    requests: t.Sequence[Request],
    found: FoundCertificates,
    authority: str,
    *,
    group: str,
    now: datetime,
    renew_days: int,
) -> list[str]:
    """Return in words all that differs on a node. Pure."""
    problems = []
    if found["rights"] != f"root:{group}:0750":
        problems.append(f"the folder belongs to {found['rights'] or 'nobody'}")
    if found["trusted"] != authority or found["trusted_rights"] != "root:root:0644":
        problems.append("the node does not trust the authority")
    elif not found["bundled"]:
        problems.append("what the system trusts is older than the authority")
    for request in requests:
        folder = found["certificates"][request.name]
        said = compare(request, folder, authority, group=group, now=now, renew_days=renew_days)
        problems += [f"{request.name}: {one}" for one in said]
    return problems
