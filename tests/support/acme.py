# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""An authority and the DNS of everybody, on a machine of their own: Debian's pebble and BIND.

pebble validates, and refuses one nonce of seven. Before it there is an nginx, which can refuse what
pebble knows no refusal for. ``python -m tests.support.acme`` starts all of it for the scenario.
"""

from __future__ import annotations

import json
import secrets
import textwrap
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from testinfra.host import Host

from tools import ROOT, scenario
from tools.lab.host import until
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

SCENARIO = "acme"
NAME = "archipel-acme-authority"
ADDRESS, FIRST, SECOND = "10.89.78.10", "10.89.78.11", "10.89.78.12"
# Of a machine that a test makes.
EDGE, EDGE_NAME = "10.89.78.13", "archipel-acme-edge"
# Nobody has it.
AWAY = "10.89.78.99"
BASE = "archipel.test"
# The wildcard is shown under it.
ANY = f"any.{BASE}"
HOST = "acme.test"
TRUSTED = "/etc/ssl/acme-test.pem"
ASK = f"curl -sk --resolve {HOST}:443:127.0.0.1"
SIX_DAYS = 6 * 86400
PACKAGES = "bind9 bind9-dnsutils curl nginx-light openssl pebble"

NAMED = """
acl lab {{ 127.0.0.1; 10.89.78.0/24; }};
options {{
    directory "/var/cache/bind"; listen-on {{ any; }}; listen-on-v6 {{ none; }};
    recursion yes; allow-recursion {{ lab; }}; allow-query {{ lab; }}; dnssec-validation no;
    forward only; forwarders {{ {forwarder}; }};
}};
key "acme." {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{base}" {{
    type primary; file "/var/lib/bind/{base}";
    update-policy {{
        grant local-ddns zonesub any;
        grant acme. name _acme-challenge.{base}. TXT;
    }};
}};
zone "example" {{ type primary; file "/var/lib/bind/example"; update-policy local; }};
zone "test" {{ type primary; file "/var/lib/bind/test"; }};
"""
ZONE = """$TTL 1
@ IN SOA ns.test. root.test. 1 3600 600 86400 1
@ IN NS ns.test.
"""
PEBBLE_UNIT = """
[Service]
EnvironmentFile=/etc/pebble.env
ExecStart=/usr/bin/pebble -config /etc/pebble.json -dnsserver 127.0.0.1:53
"""
SITE = """
server {{
    listen 443 ssl;
    server_name {host};
    ssl_certificate {trusted};
    ssl_certificate_key /etc/ssl/private/acme-test.key;
    include /etc/nginx/acme/*.conf;
    location / {{ proxy_pass https://127.0.0.1:14000; proxy_set_header Host $host; }}
}}
"""
LIMITED = """
location = /order-plz {
    default_type application/problem+json;
    return 429 '{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}';
}
"""
# podman writes the file anew at each start.
RESOLVER = f"""
[Unit]
Before=network-online.target
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo nameserver {ADDRESS} > /etc/resolv.conf'
[Install]
WantedBy=sysinit.target
"""


class Authority:
    """The machine."""

    def __init__(self) -> None:
        self.machine = Machine(NAME, ROOT / "build/lab" / NAME)

    def run(self, script: str, stdin: str | None = None) -> str:
        """Run a script of the shell there; it must succeed."""
        return self.machine.execute("sh", "-ec", script, stdin=stdin)

    def write(self, path: str, text: str) -> None:
        """Write a file there."""
        self.run(f"mkdir -p {Path(path).parent}; cat > {path}", stdin=textwrap.dedent(text))

    def install(self, secret: str) -> str:
        """Install and start everything; return the certificate that its server is trusted by."""
        forwarder = self.run("sed -n 's/^nameserver //p' /etc/resolv.conf | head -1").strip()
        self.run(f"apt-get -qq update; apt-get -qq install --no-install-recommends {PACKAGES} >&2")
        self.write(
            "/etc/bind/named.conf", NAMED.format(forwarder=forwarder, secret=secret, base=BASE)
        )
        self.write(f"/var/lib/bind/{BASE}", f"{ZONE}@ IN A {FIRST}\n* IN A {FIRST}\n")
        self.write("/var/lib/bind/example", ZONE)
        self.write("/var/lib/bind/test", f"{ZONE}ns IN A {ADDRESS}\nacme IN A {ADDRESS}\n")
        self.run("chown -R bind: /var/lib/bind; systemctl restart named")
        self.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
            f" -subj /CN={HOST} -addext subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1"
            f" -keyout /etc/ssl/private/acme-test.key -out {TRUSTED} 2>/dev/null"
        )
        self.write("/etc/systemd/system/pebble.service", PEBBLE_UNIT)
        self.write("/etc/nginx/conf.d/acme.conf", SITE.format(host=HOST, trusted=TRUSTED))
        self.run("rm -f /etc/nginx/sites-enabled/default; mkdir -p /etc/nginx/acme")
        self.run("systemctl daemon-reload; systemctl enable --quiet pebble")
        self.start(valid=SIX_DAYS)
        self.run("systemctl restart nginx")
        return self.run(f"cat {TRUSTED}")

    def start(self, valid: int, sleep: bool = False) -> None:
        """Start pebble anew: it knows no account and no certificate any more.

        Args:
            valid: how long its certificates are valid, in seconds.
            sleep: whether it takes its time to validate.

        """
        settings = {
            "listenAddress": "127.0.0.1:14000",
            "managementListenAddress": "127.0.0.1:15000",
            "certificate": TRUSTED,
            "privateKey": "/etc/ssl/private/acme-test.key",
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": valid,
        }
        self.write("/etc/pebble.json", json.dumps({"pebble": settings}))
        quick = "PEBBLE_VA_SLEEPTIME=15" if sleep else "PEBBLE_VA_NOSLEEP=1"
        self.write("/etc/pebble.env", f"{quick}\nPEBBLE_WFE_NONCEREJECT=15\nPEBBLE_AUTHZREUSE=0\n")
        self.run("systemctl restart pebble")
        until(30, "pebble to answer", self._answers)

    def _answers(self) -> bool:
        said = self.run("curl -sk -o /dev/null -w '%{http_code}' https://127.0.0.1:14000/dir || :")
        return said == "200"

    def stop(self) -> None:
        """Let nobody answer under the directory."""
        self.run("systemctl stop pebble nginx")

    def resume(self) -> None:
        """Let the one answer again that was stopped; of accounts it knows none."""
        self.start(valid=SIX_DAYS)
        self.run("systemctl start nginx")

    def limit(self, limited: bool) -> None:
        """Refuse every order for a limit, or no longer."""
        self.write("/etc/nginx/acme/limit.conf", LIMITED if limited else "")
        self.run("systemctl reload nginx")

    def lead(self, name: str, address: str) -> None:
        """Let a domain lead to an address, and nowhere else; empty: nowhere at all."""
        lines = [f"update delete {name}. A"]
        lines += [f"update add {name}. 1 A {address}"] if address else []
        self.run("nsupdate -l", stdin="\n".join([*lines, "send", ""]))

    def root(self) -> str:
        """Return the certificate that what it signs is trusted by."""
        return self.run("curl -sk https://127.0.0.1:15000/roots/0")

    def shown(self, name: str, address: str) -> dict[str, Any]:
        """Return what a browser is shown under a name: names, serial, and whether it is trusted.

        The authority's own certificate is asked for anew: it has another one after each start.
        """
        self.write("/tmp/root.pem", self.root())
        said = self.run(
            f"openssl s_client -connect {address}:443 -servername {name} -verify_hostname {name}"
            " -CAfile /tmp/root.pem </dev/null 2>&1 | tee /tmp/said"
            " | openssl x509 -noout -serial -ext subjectAltName 2>/dev/null || :;"
            " grep -m1 'Verify return code' /tmp/said || :"
        )
        found = [part.strip() for part in said.replace(",", "\n").splitlines()]
        serial = [part.partition("=")[2] for part in found if part.startswith("serial=")]
        return {
            "names": {part[4:] for part in found if part.startswith("DNS:")},
            "serial": serial[0] if serial else "",
            "trusted": bool(serial) and "Verify return code: 0 (ok)" in found,
        }

    def deactivate(self, key: str, account: str) -> None:
        """Close an account, as its owner can: orders of it are refused from then on.

        Args:
            key: its private key, PEM, of the curve P-256.
            account: its URL.

        """
        for _ in range(40):
            said = self.run(f"{ASK} -I https://{HOST}/nonce-plz")
            lines = (
                line.split() for line in said.splitlines() if line.lower().startswith("replay-")
            )
            nonce = next(lines)[1]
            body = _signed(key, {"kid": account, "nonce": nonce, "url": account})
            said = self.run(
                f"{ASK} -H 'Content-Type: application/jose+json' --data-binary @- {account}",
                stdin=body,
            )
            # One nonce of seven is refused.
            if "badNonce" not in said:
                assert json.loads(said)["status"] == "deactivated", said
                return
        raise AssertionError("every nonce was refused")


def _signed(key: str, header: dict[str, str]) -> str:
    """Return a signed request that an account be deactivated (RFC 8555, 7.3.6)."""

    def coded(text: bytes) -> str:
        return urlsafe_b64encode(text).decode().rstrip("=")

    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    protected = coded(json.dumps({"alg": "ES256", **header}).encode())
    payload = coded(b'{"status": "deactivated"}')
    signature = private.sign(f"{protected}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    both = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))
    parts = {"protected": protected, "payload": payload, "signature": coded(both)}
    return json.dumps(parts)


class Certificates:
    """What a node has of them, asked over SSH."""

    STORE = "/var/lib/archipel/certificates"
    UNIT = "archipel-certificates.service"

    def __init__(self, host: Host, address: str) -> None:
        self.host, self.address = host, address

    def run(self) -> str:
        """Make a pass, as its timer does; return how it ended, in systemd's word."""
        self.host.run("systemctl start %s", self.UNIT)
        return self.host.check_output("systemctl show -P Result %s", self.UNIT).strip()

    def begin(self, program: str) -> None:
        """Begin a pass, and return as soon as it runs a program."""
        self.host.check_output("systemctl start --no-block %s", self.UNIT)
        pattern = f"^{program}( |$)"
        until(60, f"{program} to run", lambda: self.host.run("pgrep -f %s", pattern).rc == 0)

    def settle(self) -> None:
        """Wait for the passes that were begun by themselves."""
        until(180, "the passes to end", self._idle)

    def _idle(self) -> bool:
        state = self.host.run("systemctl show -P ActiveState %s", self.UNIT).stdout
        return state.strip() in {"inactive", "failed"}

    @staticmethod
    def reboot(machine: Machine | VirtualMachine) -> None:
        """Reboot the machine; come back once it answers.

        In a network with an address of its own it has another interface then, which its host has
        to find out.
        """
        machine.reboot()
        until(120, "the machine to answer", machine.answers)

    def report(self) -> dict[str, Any]:
        """Return what the last pass has written down, by certificate."""
        text = self.host.file(f"{self.STORE}/report.json").content_string
        return dict(json.loads(text)["certificates"])

    def problem(self, name: str) -> str:
        """Return what is wrong with one, by the last pass."""
        return str((self.report()[name]["problem"] or {"reason": ""})["reason"])

    def folder(self, name: str) -> str:
        """Return where one lies."""
        return f"/etc/archipel/tls/{name}" if name == "wildcard" else f"/etc/archipel/names/{name}"

    def let_end(self, *names: str, seconds: int = 3600) -> None:
        """Let certificates end soon, by what is written down of them: they are due then."""
        for name in names:
            self.host.check_output(
                "python3 -c %s %s %s",
                "import json, sys, time; path, left = sys.argv[1:]; text = json.load(open(path)); "
                "text['until'] = time.time() + int(left); "
                "text['since'] = text['until'] - 6 * 86400; json.dump(text, open(path, 'w'))",
                f"{self.folder(name)}/dates.json",
                str(seconds),
            )

    def forget(self) -> None:
        """Forget what failed, and when it was to be tried again."""
        self.host.check_output("rm -f %s", f"{self.STORE}/state.json")

    def metrics(self) -> dict[str, float]:
        """Return what Prometheus reads."""
        path = "/var/lib/prometheus/node-exporter/archipel_certificates.prom"
        rows = self.host.file(path).content_string.splitlines()
        values = (row.rsplit(" ", 1) for row in rows if not row.startswith("#"))
        return {name: float(value) for name, value in values}

    def reloads(self) -> int:
        """Return how often nginx has been reloaded."""
        said = self.host.run("journalctl -u nginx.service | grep -c Reloaded").stdout
        return int(said)


def introduce(node: Machine | VirtualMachine, trusted: str) -> None:
    """Let a machine know the authority and the DNS.

    Args:
        node: the machine.
        trusted: certificate that the authority's server is trusted by, PEM.

    """
    node.execute("sh", "-ec", f"cat > {TRUSTED}", stdin=trusted)
    node.execute("sh", "-ec", "cat > /etc/systemd/system/lab-resolver.service", stdin=RESOLVER)
    node.execute("systemctl", "enable", "--quiet", "--now", "lab-resolver.service")
    # What an exporter of metrics brings along.
    node.execute("mkdir", "-p", "/var/lib/prometheus/node-exporter")


def main() -> None:
    """Start it, and let the scenario's nodes and its environment know it."""
    authority, secret = Authority(), b64encode(secrets.token_bytes(32)).decode()
    trusted = authority.install(secret)
    for node in [scenario.machine(SCENARIO), *scenario.further(SCENARIO).values()]:
        introduce(node, trusted)
    variables = {
        "certificates_acme_dns_environment": {
            "RFC2136_NAMESERVER": f"{ADDRESS}:53",
            "RFC2136_TSIG_KEY": "acme.",
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
            "RFC2136_TSIG_SECRET": secret,
            "RFC2136_POLLING_INTERVAL": "1",
        }
    }
    place = scenario.environment(SCENARIO) / "group_vars/all/zzz-secret.yml"
    place.write_text(json.dumps(variables), encoding="utf-8")


if __name__ == "__main__":
    main()
