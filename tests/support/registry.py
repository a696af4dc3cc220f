# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A scenario's registry, changed as its people change it."""

from __future__ import annotations

import re

from tests.support.scenario import Change, Scenario


class Registry:
    """The files of a scenario's spaces."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def give(self, slug: str, *domains: str) -> None:
        """Let a space have these own domains and no others."""
        path = self.scenario.registry(slug)
        # As text: what else is in the file stays as its people wrote it.
        text = re.sub(r"^domains:\n(?: +- .*\n)+", "", path.read_text("utf-8"), flags=re.MULTILINE)
        rows = "".join(f"  - {name}\n" for name in domains)
        path.write_text(f"{text}domains:\n{rows}" if domains else text, encoding="utf-8")

    def converge(self) -> list[Change]:
        """Converge the spaces; return what that changed."""
        return self.scenario.converge("spaces.yml")
