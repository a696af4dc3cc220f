# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The form at which associations ask, as its tests see it: pages, what was kept, who sends."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import urlencode

from tests.support import strangers
from tests.support.scenario import Scenario
from tools.chromium import Page

HOST = "demande.archipel.localhost"
REQUESTS = "/var/lib/archipel-intake/requests"
UNIT, SOCKET = "archipel-intake.service", "archipel-intake.socket"


class Answer(t.NamedTuple):
    """What a stranger was answered; status 0: nothing."""

    status: int
    seconds: float
    page: str

    @property
    def thanked(self) -> bool:
        """Whether the stranger was told that the request was received."""
        return self.status == 200 and ("Demande reçue" in self.page or "received" in self.page)


class Form:
    """The form on a scenario's machine."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.node = scenario, scenario.node
        self.origin = f"https://{HOST}:{scenario.machine.port(443)}"

    def kept(self) -> dict[str, dict[str, t.Any]]:
        """Return the requests that wait on the machine, by the names of their files."""
        script = f"cd {REQUESTS} && for f in *.json; do [ -f $f ] && echo $f && cat $f; done; true"
        found: dict[str, dict[str, t.Any]] = {}
        name, text = "", ""
        for line in self.node.check_output(script).splitlines():
            if line.endswith(".json") and len(line) == 37:
                name, text = line, ""
            else:
                text += line
                if line == "}":
                    found[name] = json.loads(text)
        return found

    def clear(self) -> None:
        """Have nothing wait, on the machine and here."""
        self.node.check_output(f"rm -f {REQUESTS}/*.json")
        for path in self.inbox.glob("*"):
            path.unlink()

    @property
    def inbox(self) -> Path:
        """Where requests are fetched to."""
        folder = self.build / "intake"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def build(self) -> Path:
        """Where runs leave what people look at: archipel_build."""
        return self.scenario.environment.parent / "build" / f"molecule-{self.scenario.name}"

    def send(self, *posts: dict[str, t.Any], workers: int = 1, pause: float = 0) -> list[Answer]:
        """Have strangers send forms, from within the machine; `pause` seconds before each."""
        program = Path(strangers.__file__).read_text(encoding="utf-8")
        path = "/run/strangers.py"
        self.scenario.machine.execute("sh", "-c", f"cat >{path}", stdin=program)
        given = {"port": 443, "host": HOST, "posts": posts, "workers": workers, "pause": pause}
        said = self.scenario.machine.execute("python3", path, stdin=json.dumps(given))
        return [Answer(*one) for one in json.loads(said)]


def fill(page: Page, fields: t.Mapping[str, str]) -> None:
    """Type into the fields of a form that is open, and agree to the charter."""
    for name, text in fields.items():
        page.type(f"#{name}", text)
    page.click("#charter")


def address(number: int) -> str:
    """Return an address of the loopback network: a stranger of its own."""
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def body(fields: t.Mapping[str, str], *, task: bool = True) -> str:
    """Return a form as a browser sends it, with a task that is solved on the way."""
    return urlencode(fields) + ("&@task@" if task else "")
