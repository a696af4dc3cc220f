# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The language of whoever sits at the terminal."""

from __future__ import annotations

from collections.abc import Mapping

# The first is what is taken where none of them is asked for.
LANGUAGES = ("en", "fr")
# In the order in which gettext looks at them: the first that says something decides.
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def find(environment: Mapping[str, str]) -> str:
    """Return the language of a terminal: fr of fr_FR.UTF-8. Pure."""
    wanted = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    words = (word.replace("-", "_").split("_")[0].split(".")[0] for word in wanted.split(":"))
    return next((word for word in words if word in LANGUAGES), LANGUAGES[0])
