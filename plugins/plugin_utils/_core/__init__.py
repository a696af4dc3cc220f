# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What every other package stands on: problems in sentences, secrets, progress."""
