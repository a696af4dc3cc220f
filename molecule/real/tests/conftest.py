# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Six spaces full of content, on the real releases that lie in artifacts/."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# Makes the collection importable.
import tests.conftest  # noqa: F401
from tests.support import fixtures, real
from tests.support.associations import Associations
from tests.support.fixtures import SCENARIO, browser, node, scenario
from tools.chromium import Chromium, chromium

__all__ = ["browser", "node", "scenario"]

# The older major first, if there are two.
RELEASES = real.versions(SCENARIO.name)
# What needs two majors is left out where there is one, and the header says so.
collect_ignore = ["test_4_upgrade.py"] if len(RELEASES) == 1 else []


def pytest_report_header() -> list[str]:
    """Say which Nextcloud is under test, and which parts are left out for want of another."""
    return [fixtures.pytest_report_header(), *real.describe(RELEASES).splitlines()]


@pytest.fixture(scope="session")
def associations() -> Associations:
    """The spaces."""
    return Associations(SCENARIO)


@pytest.fixture(scope="session")
def people() -> Iterator[Chromium]:
    """A real browser."""
    certificate = SCENARIO.node.file("/etc/archipel/tls/wildcard/fullchain.pem").content_string
    with chromium(certificate) as found:
        yield found


@pytest.fixture(scope="session")
def full(associations: Associations) -> str:
    """The space with every kind of content: it ran the newest release from the beginning."""
    (slug,) = (s for s in associations.slugs if SCENARIO.spaces[s]["ring"] == "canary")
    return slug


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Turn one test into one per space or release: a failure then names it."""
    if "slug" in metafunc.fixturenames:
        metafunc.parametrize("slug", sorted(SCENARIO.in_status("approved")))
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", RELEASES)
