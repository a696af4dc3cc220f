# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A scenario's registry, changed as its people change it."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.scenario import Change, Scenario


class Registry:
    """The files of a scenario's spaces."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def give(self, slug: str, *domains: str) -> None:
        """Let a space have these own domains and no others."""
        path = self.scenario.registry(slug)
        found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        found["domains"] = list(domains)
        text = yaml.safe_dump(found, allow_unicode=True, sort_keys=False)
        path.write_text(text, encoding="utf-8")

    def converge(self) -> list[Change]:
        """Converge the spaces; return what that changed."""
        return self.scenario.converge("spaces.yml")

    def node_of(self, slug: str) -> str:
        """Return the name of the node that a space is on."""
        return str(self.scenario.spaces[slug]["web"])
