# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The instance under test, and what the tests need of it."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.client import Client

STANDIN = "Archipel stand-in"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Occ = Callable[..., Outcome]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--url", help="address of the instance, as https://space.example:8443")
    group.addoption("--occ", help="command that runs its occ")
    group.addoption("--cron", help="command that runs its cron.php")
    group.addoption("--ca", help="certificate authority of the instance")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: about parts of Nextcloud that no stand-in has")
    missing = [name for name in ("--url", "--occ", "--cron") if not config.getoption(name)]
    if missing:
        raise pytest.UsageError(f"{', '.join(missing)} missing; see tests/conformance/README.md")


def tested(config: pytest.Config) -> dict[str, Any]:
    """Ask the instance what it is."""
    status: dict[str, Any] = (
        Client(config.getoption("--url"), config.getoption("--ca")).get("/status.php").json
    )
    return status


def pytest_report_header(config: pytest.Config) -> str:
    status = tested(config)
    kind = "STAND-IN" if status["productname"] == STANDIN else "real"
    return f"Nextcloud under test: {status['productname']} {status['versionstring']} ({kind})"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a stand-in's run what is about pages and rights that it has none of."""
    if tested(config)["productname"] == STANDIN:
        real = [item for item in items if item.get_closest_marker("real")]
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]


@pytest.fixture(scope="session")
def anonymous(pytestconfig: pytest.Config) -> Client:
    return Client(pytestconfig.getoption("--url"), pytestconfig.getoption("--ca"))


def run(command: list[str], stdin: str | None = None, **environment: str) -> Outcome:
    done = subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, **environment},
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def occ(pytestconfig: pytest.Config) -> Occ:
    prefix = shlex.split(pytestconfig.getoption("--occ"))

    def call(*arguments: str, stdin: str | None = None, **environment: str) -> Outcome:
        return run([*prefix, *arguments], stdin, **environment)

    return call


@pytest.fixture
def cron(pytestconfig: pytest.Config) -> Callable[[], Outcome]:
    return lambda: run(shlex.split(pytestconfig.getoption("--cron")))


@pytest.fixture
def new_account(occ: Occ, anonymous: Client) -> Iterator[Callable[..., Client]]:
    """Make accounts that are gone after the test."""
    made: list[str] = []

    def make(*arguments: str) -> Client:
        name, password = f"t{secrets.token_hex(4)}", secrets.token_urlsafe(16) + "aA1!"
        made.append(name)
        added = occ(
            "user:add", "--password-from-env", *arguments, name, OC_PASS=password, NC_PASS=password
        )
        assert added.code == 0, added
        return Client(anonymous.url, anonymous.ca, name, password)

    yield make
    for name in made:
        occ("user:delete", name)


@pytest.fixture
def account(new_account: Callable[..., Client]) -> Client:
    return new_account()


@pytest.fixture(scope="module")
def shared_account(occ: Occ, anonymous: Client) -> Iterator[Client]:
    """One account, with an application password, for a module's many small requests."""
    name, password = f"m{secrets.token_hex(4)}", secrets.token_urlsafe(16) + "aA1!"
    assert (
        occ("user:add", "--password-from-env", name, OC_PASS=password, NC_PASS=password).code == 0
    )
    token = occ(
        "user:add-app-password", "--password-from-env", name, NC_PASS=password, OC_PASS=password
    )
    assert token.code == 0, token
    yield Client(anonymous.url, anonymous.ca, name, token.out.split()[-1])
    occ("user:delete", name)
