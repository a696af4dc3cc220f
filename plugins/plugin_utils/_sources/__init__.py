# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Archives of releases and applications: where from, whether genuine."""
