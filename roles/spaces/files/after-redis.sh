#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
# Usage: after-redis SLUG PROGRAM [ARGUMENT...]
# Become a program once the Redis of a space has opened its door. systemd would start one after
# the other, and people wait for both; here they start side by side. Without Redis the program
# starts all the same, after five seconds: Nextcloud says best what is wrong.
set -eu
door=/run/archipel/redis/$1/redis.sock
shift
left=250
until [ -S "$door" ] || [ "$left" -eq 0 ]; do
    sleep 0.02
    left=$((left - 1))
done
exec "$@"
