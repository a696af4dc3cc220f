# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Names below which anybody may register one: they belong to nobody, as Mozilla's list has them."""

from __future__ import annotations

import functools

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import missing_package

try:
    from publicsuffixlist import PublicSuffixList
except ImportError:
    raise missing_package("publicsuffixlist") from None


@functools.cache
def _read() -> PublicSuffixList:
    """Return the list that the package brings, read when the first domain asks for it: 0.05 s."""
    return PublicSuffixList()


def is_public(name: str) -> bool:
    """Tell whether a host name is a suffix such as co.uk or github.io, and no name below one."""
    return bool(_read().publicsuffix(name) == name)


def is_registered(name: str) -> bool:
    """Tell whether a host name is the one that its owner registered, and no name below that."""
    return bool(_read().privatesuffix(name) == name)
