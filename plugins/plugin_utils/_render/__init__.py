# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Entries to the desired state of a node: files, SQL, units. Pure."""
