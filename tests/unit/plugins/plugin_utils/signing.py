# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A code signing authority and authors for tests, made anew each time."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Signer:
    """A key and its certificate: an authority, or an author."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def vouch(self, called: str) -> Signer:
        return make(called, self)

    def revoke(self, *authors: Signer) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(NOW - DAY).next_update(NOW + DAY)
        for author in authors:
            entry = x509.RevokedCertificateBuilder()
            entry = entry.serial_number(author.certificate.serial_number).revocation_date(NOW)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def sign(self, files: dict[str, bytes]) -> bytes:
        """Return the signature.json of these files, as Nextcloud's own tool makes it."""
        listed = {path: hashlib.sha512(data).hexdigest() for path, data in sorted(files.items())}
        text = json.dumps(listed, separators=(",", ":")).replace("/", "\\/")
        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=0)
        value = self.key.sign(text.encode(), scheme, hashes.SHA1())
        document = {
            "hashes": listed,
            "signature": base64.b64encode(value).decode(),
            "certificate": self.pem.decode(),
        }
        return json.dumps(document, indent=4).encode()

    def sign_archive(self, data: bytes) -> str:
        """Return what the application store publishes beside an archive."""
        return base64.b64encode(self.key.sign(data, padding.PKCS1v15(), hashes.SHA512())).decode()


def make(called: str, issuer: Signer | None = None) -> Signer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    by = issuer.certificate.subject if issuer else name(called)
    builder = x509.CertificateBuilder().subject_name(name(called)).issuer_name(by)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Signer(key, certificate)


def info(application: str, version: str, extra: str = "") -> bytes:
    return (
        f"<info><id>{application}</id><version>{version}</version><dependencies>"
        f'<nextcloud min-version="29" max-version="35"/>{extra}</dependencies></info>'
    ).encode()


def pack(target: Path, top: str, files: dict[str, bytes]) -> Path:
    with tarfile.open(target, "w:gz") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}" if top else path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target
