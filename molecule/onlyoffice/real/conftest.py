# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The same machine as in the other tests of the scenario."""

from __future__ import annotations

from tests.support.office_fixtures import office, pytest_report_header, scenario

__all__ = ["office", "pytest_report_header", "scenario"]
