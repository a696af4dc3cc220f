# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Certificates of a node as they are: what they say, who may read them, of keys the public half."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        CertificateFolder,
        FoundCertificates,
    )

# What every process of the system trusts, made of single files by update-ca-certificates.
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
KEY, CERTIFICATE, CHAIN, REQUEST = "privkey.pem", "fullchain.pem", "chain.pem", "request.csr"
NAMES = (KEY, CERTIFICATE, CHAIN, REQUEST)


def read(directory: str, names: t.Sequence[str], trusted: str) -> FoundCertificates:
    """Return what there is of certificates, and whether an authority is trusted."""
    return {
        "rights": read_rights(directory),
        "certificates": {name: read_folder(f"{directory}/{name}") for name in names},
        "trusted": _files.read_text(trusted),
        "trusted_rights": read_rights(trusted),
        "bundled": is_younger(BUNDLE, trusted),
    }


def read_folder(folder: str) -> CertificateFolder:
    """Return what is in the folder of one certificate."""
    rights = {name: read_rights(f"{folder}/{name}") for name in NAMES}
    return {
        "public_key": read_public_key(f"{folder}/{KEY}"),
        "certificate": _files.read_text(f"{folder}/{CERTIFICATE}"),
        "chain": _files.read_text(f"{folder}/{CHAIN}"),
        "rights": {".": read_rights(folder), **rights},
    }


def read_rights(path: str) -> str:
    """Return owner, group and mode of a file, such as root:ssl-cert:0640; empty: there is none."""
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    try:
        owner = pwd.getpwuid(info.st_uid).pw_name
    except KeyError:
        owner = str(info.st_uid)
    try:
        group = grp.getgrgid(info.st_gid).gr_name
    except KeyError:
        group = str(info.st_gid)
    return f"{owner}:{group}:{stat.S_IMODE(info.st_mode):04o}"


def read_public_key(path: str) -> str:
    """Return the public half of a private key, PEM; empty where it cannot be told."""
    if not os.path.exists(path):
        return ""
    command = ["openssl", "pkey", "-in", path, "-pubout", "-passin", "pass:"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def is_younger(path: str, other: str) -> bool:
    """Tell whether a file is there and was modified after another one."""
    try:
        return os.stat(path).st_mtime_ns > os.stat(other).st_mtime_ns
    except FileNotFoundError:
        return False
