# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The records that host names need, and what resolvers say of them."""
