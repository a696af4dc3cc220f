#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Start an nginx with many names, measure its handshakes: ``handshakes.py KIND NAMES HANDSHAKES``.

``one``: one certificate for all names; ``map``: found by name with each handshake, as the role
writes it; ``server``: a server block for each name. Prints JSON.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import re
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path("/tmp/handshakes")
PORT = 8443
MAIN = """\
user www-data;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    map_hash_max_size 65536;
    map_hash_bucket_size 256;
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 256;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
    {spaces}
}}
"""
SERVER = """
server {{
    listen 127.0.0.1:{port} ssl;
    server_name {names};
    ssl_certificate {folder}/fullchain.pem;
    ssl_certificate_key {folder}/privkey.pem;
    return 204;
}}
"""


def sign(name: str, issuer: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    """Return a certificate for a name and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2026, 11, 1)
    subject, authority = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, "CA")
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    encoding = serialization.Encoding.PEM
    return certificate.public_bytes(encoding), key.private_bytes(encoding, form, plain)


def make(names: list[str]) -> None:
    """Make what is not there: a folder for each name, readable by nginx's workers."""
    issuer = ec.generate_private_key(ec.SECP256R1())
    authority, _ = sign("CA", issuer)
    for name in names:
        folder = ROOT / "names" / name
        if not folder.exists():
            certificate, key = sign(name, issuer)
            folder.mkdir(parents=True)
            (folder / "fullchain.pem").write_bytes(certificate + authority)
            (folder / "privkey.pem").write_bytes(key)


def render(kind: str, names: list[str]) -> str:
    """Return the configuration of nginx. Pure."""
    base, every = f"{ROOT}/names", " ".join(names)
    if kind == "server":
        spaces = "".join(SERVER.format(port=PORT, names=n, folder=f"{base}/{n}") for n in names)
    elif kind == "one":
        spaces = SERVER.format(port=PORT, names=every, folder=f"{base}/{names[0]}")
    else:
        rows = "".join(f"{name} {base}/{name};\n" for name in names)
        spaces = f"map $ssl_server_name $found {{ default {base}/{names[0]};\n{rows} }}"
        spaces += SERVER.format(port=PORT, names=every, folder="$found")
    return MAIN.format(root=ROOT, spaces=spaces)


def nginx(*arguments: str) -> None:
    """Run nginx on that configuration."""
    subprocess.run(["nginx", "-c", f"{ROOT}/nginx.conf", *arguments], check=True)


def worker() -> str:
    """Return the process id of its worker."""
    master = (ROOT / "nginx.pid").read_text().strip()
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()[0]


def processor(process: str) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shake(names: list[str], number: int, seed: int) -> None:
    """Make full handshakes under names by chance, one after the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    chance = random.Random(seed)
    for _ in range(number):
        name = chance.choice(names)
        with (
            socket.create_connection(("127.0.0.1", PORT)) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            secure.getpeercert(binary_form=True)


def main() -> None:
    """Measure one configuration."""
    kind, names = sys.argv[1], [f"n{n}.asso.example" for n in range(int(sys.argv[2]))]
    handshakes = int(sys.argv[3])
    make(names)
    (ROOT / "nginx.conf").write_text(render(kind, names))
    start = time.perf_counter()
    nginx("-t", "-q")
    checked = time.perf_counter() - start
    nginx()
    try:
        time.sleep(1)
        shake(names, handshakes // 8, 1)
        before = processor(worker())
        shake(names, handshakes, 2)
        used = processor(worker()) - before
        memory = Path(f"/proc/{worker()}/status").read_text()
        resident = int(re.search(r"^VmRSS:\s+(\d+)", memory, re.MULTILINE).group(1))  # type: ignore[union-attr]
    finally:
        nginx("-s", "stop")
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    result = {"kind": kind, "names": len(names), "check": checked, "mib": resident / 1024}
    result |= {"milliseconds": used / handshakes * 1000, "version": said.split("/")[-1].strip()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
