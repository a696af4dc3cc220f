# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filters take what their documentation says, in that order."""

from __future__ import annotations

import importlib
import inspect
import typing as t

import pytest
import yaml

from tests.policy.tree import ROOT

PACKAGE = "ansible_collections.archipel.spaces.plugins.filter"
FOLDER = ROOT / "plugins/filter"
MODULES = [importlib.import_module(f"{PACKAGE}.{path.stem}") for path in FOLDER.glob("[a-z]*.py")]
FILTERS = {
    name: function
    for module in MODULES
    for name, function in module.FilterModule().filters().items()
}


def documented() -> dict[str, list[str]]:
    """Return filter → the positional arguments that its documentation names."""
    texts = [module.DOCUMENTATION for module in MODULES if hasattr(module, "DOCUMENTATION")]
    told = [yaml.safe_load(text) for text in texts]
    told += [yaml.safe_load(path.read_text())["DOCUMENTATION"] for path in FOLDER.glob("*.yml")]
    return {
        one["name"]: [word.strip() for word in one.get("positional", "").split(",") if word.strip()]
        for one in told
    }


def taken(function: t.Callable[..., t.Any]) -> list[str]:
    """Return what a filter takes after its input."""
    names = list(inspect.signature(function).parameters)
    return names[2:] if hasattr(function, "jinja_pass_arg") else names[1:]


def test_every_filter_is_documented():
    assert set(documented()) == set(FILTERS)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_it_takes_what_is_documented(name: str):
    told = documented()[name]
    assert taken(FILTERS[name])[: len(told)] == told
