# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Requests of associations: from a submission to a file of the registry, and what is decided."""
