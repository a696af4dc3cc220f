# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The form of the scenario's machine, the people who use it, and the relay that has the letters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support.fixtures import SCENARIO, browser, node, pytest_report_header, scenario
from tests.support.form import Form
from tests.support.relay import Relay
from tools.chromium import Chromium, chromium

__all__ = ["browser", "node", "pytest_report_header", "scenario"]


@pytest.fixture(scope="session")
def form() -> Form:
    """The form, and what it has received."""
    return Form(SCENARIO)


@pytest.fixture(scope="session")
def vault() -> Iterator[str]:
    """The option that every run is given once contacts are in the vault."""
    path = SCENARIO.environment.parent / "vault-password"
    path.write_text("a password of the tests\n", encoding="utf-8")
    yield f"--vault-password-file={path}"
    path.unlink()


@pytest.fixture(scope="session")
def people() -> Iterator[Chromium]:
    """A real browser."""
    certificate = SCENARIO.node.file("/etc/archipel/tls/wildcard/fullchain.pem").content_string
    with chromium(certificate) as found:
        yield found


@pytest.fixture(scope="session")
def relay() -> Iterator[Relay]:
    """A relay that takes all letters."""
    found = Relay(SCENARIO)
    found.start()
    found.use()
    yield found
    found.stop()
    (SCENARIO.environment / "group_vars/all/zz-relay.yml").unlink()
