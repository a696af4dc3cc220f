# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Document Servers as their neighbours see them: spaces with secrets, and anybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from tests.support.scenario import Scenario
from tools import ROOT

PLAYBOOKS = ROOT / "molecule/onlyoffice"
AUTHORITY = "/etc/archipel/tls/office/chain.pem"


@dataclass(frozen=True)
class Tenant:
    """A space that may use a shard."""

    slug: str
    host: str
    shard: str
    secret: str

    def token(self, payload: dict[str, Any], algorithm: str = "HS256") -> str:
        """Sign something as the space's connector does."""
        parts = [{"alg": algorithm, "typ": "JWT"}, {"iat": int(time.time()), **payload}]
        text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        signature = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        return f"{text}.{'' if algorithm == 'none' else _encoded(signature)}"


class Office:
    """The shards of the scenario `onlyoffice`."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.settings = scenario.environment / "group_vars/all/zz-onlyoffice.yml"

    @property
    def variables(self) -> dict[str, Any]:
        """What the environment says, read anew: tests change it."""
        return dict(yaml.safe_load(self.settings.read_text(encoding="utf-8")))

    @property
    def tenants(self) -> dict[str, Tenant]:
        """Slug → tenant."""
        found = [Tenant(**entry) for entry in self.variables["onlyoffice_tenants"]]
        return {tenant.slug: tenant for tenant in found}

    @cached_property
    def ports(self) -> dict[str, int]:
        """Shard → its own port on the machine."""
        return {shard["name"]: shard["port"] for shard in self.variables["onlyoffice_shards"]}

    def write(self, **changes: Any) -> None:
        """Change the environment."""
        text = json.dumps({**self.variables, **changes}, indent=2)
        self.settings.write_text(text + "\n", encoding="utf-8")

    def converge(self, playbook: str, *options: str) -> list[str]:
        """Run a playbook of the scenario; return the tasks that changed something."""
        changes = self.scenario.converge(str(PLAYBOOKS / playbook), *options)
        return [change.task for change in changes]

    def refusal(self, playbook: str, *options: str) -> str:
        """Run a playbook of the scenario, which must fail; return what it said."""
        return self.scenario.refusal(str(PLAYBOOKS / playbook), *options)

    def ask(self, host: str, path: str, *options: str) -> tuple[int, str]:
        """Ask nginx from the machine itself, as a space on it does; return status and body."""
        command = ["curl", "-sS", "--path-as-is", "--max-time", "20", "--cacert", AUTHORITY]
        command += ["--resolve", f"{host}:443:127.0.0.1", "-w", "\n%{http_code}", *options]
        said = self.scenario.machine.execute(*command, f"https://{host}{path}")
        body, _, status = said.rpartition("\n")
        return int(status), body

    def command(
        self, signer: Tenant, host: str, payload: dict[str, Any] | None = None, *options: str
    ) -> Any:
        """Send a signed command to a name; return the server's answer."""
        token = signer.token(payload or {"c": "version"})
        return self.post(host, "/command", json.dumps({"token": token}), *options)

    def post(self, host: str, path: str, body: str, *options: str) -> Any:
        """Send JSON to a name; return the server's answer, or the status where it is none."""
        kind = "Content-Type: application/json"
        status, answer = self.ask(host, path, "-H", kind, "--data-binary", body, *options)
        return json.loads(answer) if status == 200 else status

    def inside(self, shard: str, path: str, *options: str) -> str:
        """Ask a shard past nginx, as root."""
        address = f"http://127.0.0.1:{self.ports[shard]}{path}"
        return self.scenario.machine.execute("curl", "-sS", "--max-time", "20", *options, address)

    def processes(self) -> dict[str, str]:
        """Unit → the process it runs, of every part of every shard."""
        units = [
            f"onlyoffice-{part}@{shard}.service"
            for shard in self.ports
            for part in ("docservice", "converter")
        ]
        return {unit: self.scenario.show(unit, "MainPID")["MainPID"] for unit in units}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
