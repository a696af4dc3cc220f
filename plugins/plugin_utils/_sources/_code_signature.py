# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Check the signature that the author of a Nextcloud application put on its code.

Nextcloud signs code with `appinfo/signature.json`: the SHA-512 of every file, an RSA
signature of that list, and the author's certificate, which names the application and
comes from Nextcloud's code signing authority. Nextcloud itself checks it in
lib/private/IntegrityCheck/Checker.php; this does the same before the code is unpacked
anywhere, with the authority's certificate that the Nextcloud archive brings.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import typing as t
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ansible_collections.archipel.spaces.plugins.module_utils._core import _archive

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

SIGNATURE = "appinfo/signature.json"
AUTHORITY = "resources/codesigning/root.crt"
REVOKED = "resources/codesigning/root.crl"
# Nextcloud's own name: it may sign any application.
CORE = "core"
LARGEST_SIGNATURE = 64 * 1024 * 1024


class SignatureError(Exception):
    """The code is not what its author signed, or nobody we trust signed it."""


@dataclass(frozen=True)
class Authority:
    """Who may vouch for authors, and whose certificates are no longer good."""

    certificates: tuple[x509.Certificate, ...]
    revoked: frozenset[int]


def authority_of(archive: str, top: str = "nextcloud") -> Authority:
    """Read the code signing authority out of a Nextcloud archive.

    Raises:
        SignatureError: it brings none.
        _archive.ArchiveError: it is damaged.

    """
    found: dict[str, bytes] = {}
    wanted = {f"{top}/{AUTHORITY}", f"{top}/{REVOKED}"}
    with _archive.readable():
        for member, opened in _archive.members(archive):
            if member.name in wanted:
                found[member.name] = opened().read(LARGEST_SIGNATURE)
            if len(found) == len(wanted):
                break
    if f"{top}/{AUTHORITY}" not in found:
        raise SignatureError(f"{archive} brings no {AUTHORITY}, so no application can be checked")
    return authority(found[f"{top}/{AUTHORITY}"], found.get(f"{top}/{REVOKED}"))


def authority(certificates: bytes, revoked: bytes | None = None) -> Authority:
    """Return the authority that PEM files describe.

    Raises:
        SignatureError: they do not describe one.

    """
    try:
        trusted = tuple(x509.load_pem_x509_certificates(certificates))
        serials = frozenset[int]()
        if revoked:
            listed = x509.load_pem_x509_crl(revoked)
            if not any(is_from(listed, one) for one in trusted):
                raise SignatureError("the list of revoked certificates is not the authority's")
            serials = frozenset(entry.serial_number for entry in listed)
    except ValueError as error:
        raise SignatureError(f"the code signing authority cannot be read: {error}") from error
    return Authority(trusted, serials)


def is_from(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Tell whether an authority signed a list of revoked certificates."""
    key = issuer.public_key()
    return isinstance(key, rsa.RSAPublicKey) and listed.is_signature_valid(key)


def author_of(pem: str, application: str, trusted: Authority) -> rsa.RSAPublicKey:
    """Return the key that may sign an application.

    Raises:
        SignatureError: the certificate is not good for it.

    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise SignatureError(f"its author's certificate cannot be read: {error}") from error
    if not any(issued_by(certificate, one) for one in trusted.certificates):
        raise SignatureError("its author's certificate is not from Nextcloud's authority")
    if certificate.serial_number in trusted.revoked:
        raise SignatureError("its author's certificate was revoked")
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if not {str(name.value) for name in names} & {application, CORE}:
        given = ", ".join(str(name.value) for name in names)
        raise SignatureError(f"its author's certificate is for {given}, not for {application}")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureError("its author's key is no RSA key")
    return key


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether one certificate vouches for another."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def listing(signed: t.Mapping[str, str]) -> bytes:
    """Return the list of hashes as Nextcloud signs it: as PHP's json_encode writes it. Pure."""
    text = json.dumps(dict(sorted(signed.items())), separators=(",", ":"))
    return text.replace("/", "\\/").encode()


def read(archive: str, application: str) -> tuple[dict[str, str], Draft]:
    """Return the SHA-512 of every file of an application, and its signature file.

    Raises:
        SignatureError: it is not signed.
        _archive.ArchiveError: it is damaged, or holds something that does not belong there.

    """
    found: dict[str, str] = {}
    signature: t.Any = None
    with _archive.readable():
        for member, opened in _archive.members(archive):
            path = _archive.check_name(member.name, application)
            if member.kind == _archive.FOLDER:
                continue
            if path == SIGNATURE:
                signature = parsed(opened().read(LARGEST_SIGNATURE))
            elif member.kind == _archive.FILE:
                with opened() as file:
                    found[path] = hashlib.file_digest(t.cast("t.Any", file), "sha512").hexdigest()
    if not isinstance(signature, dict):
        raise SignatureError(f"it has no {SIGNATURE}: nobody signed it")
    return found, signature


def parsed(data: bytes) -> t.Any:
    """Return what a signature file says; None if it is damaged."""
    try:
        return json.loads(data)
    except ValueError:
        return None


def verify(archive: str, application: str, trusted: Authority) -> None:
    """Accept an application's archive only as its author signed it.

    Raises:
        SignatureError: it is not signed, or not as it is, or by somebody else.

    """
    found, signature = read(archive, application)
    try:
        signed = {str(path): str(digest) for path, digest in signature["hashes"].items()}
        value = base64.b64decode(signature["signature"], validate=True)
        key = author_of(str(signature["certificate"]), application, trusted)
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise SignatureError(f"its {SIGNATURE} is damaged: {error!r}") from error
    # The parameters are Nextcloud's.
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=0)
    try:
        key.verify(value, listing(signed), scheme, hashes.SHA1())
    except InvalidSignature:
        raise SignatureError(f"its {SIGNATURE} is not what its author signed") from None
    compare(signed, found)


def compare(signed: t.Mapping[str, str], found: t.Mapping[str, str]) -> None:
    """Refuse files that were added, changed or taken away. Pure.

    Raises:
        SignatureError: naming the first few.

    """
    added, gone = sorted(set(found) - set(signed)), sorted(set(signed) - set(found))
    changed = sorted(path for path in set(found) & set(signed) if found[path] != signed[path])
    parts = [
        f"{word} {', '.join(paths[:3])}{' …' if len(paths) > 3 else ''}"
        for word, paths in (("added", added), ("changed", changed), ("missing", gone))
        if paths
    ]
    if parts:
        raise SignatureError(f"it is not as its author signed it: {'; '.join(parts)}")


def verify_download(data: bytes, signature: str, certificate: str, application: str) -> None:
    """Check what the application store says about an archive: the author's signature of it.

    Whether Nextcloud's authority vouches for that author is checked when a release is built.

    Raises:
        SignatureError: it is not the author's.

    """
    anyone = x509.load_pem_x509_certificate(certificate.encode())
    key = anyone.public_key()
    try:
        if not isinstance(key, rsa.RSAPublicKey):
            raise SignatureError(f"{application}: its author's key is no RSA key")
        value = base64.b64decode(signature)
        key.verify(value, data, padding.PKCS1v15(), hashes.SHA512())
    except (InvalidSignature, binascii.Error):
        raise SignatureError(
            f"{application}: the archive is not what the store's signature is for"
        ) from None
