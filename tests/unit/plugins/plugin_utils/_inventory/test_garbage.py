# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Garbage is not collected while the registry is read, and is afterwards, whatever happens."""

from __future__ import annotations

import gc

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _garbage


def test_none_is_collected_meanwhile_and_what_was_made_is_left_alone():
    try:
        with _garbage.uncollected():
            assert not gc.isenabled()
            assert gc.get_freeze_count() == 0
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def fail() -> None:
    with _garbage.uncollected():
        raise ValueError("wrong")


def test_it_is_collected_again_after_an_error():
    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_it_stays_off_for_who_turned_it_off():
    gc.disable()
    try:
        with _garbage.uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
