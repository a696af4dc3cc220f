#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
#
# with-redis SOCKET SECONDS COMMAND...: become COMMAND once the Redis behind SOCKET answers.
#
# A space's Redis wakes beside its PHP: their sandboxes are built at the same time, and PHP
# takes no request before both are there. A Redis that does not come keeps PHP back for so
# many seconds, no longer: Nextcloud then says itself what it lacks.
set -eu
socket=$1
seconds=$2
shift 2
# PHP's signal to stop: to stop while waiting is no failure of the unit.
trap 'exit 0' QUIT
answers() {
    [ "$(timeout 3 redis-cli -s "$socket" ping 2>/dev/null)" = PONG ]
}
end=$(($(date +%s) + seconds))
until answers || [ "$(date +%s)" -ge "$end" ]; do
    sleep 0.01
done
# systemd reads the priority in front of a line.
[ "$(date +%s)" -lt "$end" ] || echo "<3>no answer from Redis at $socket in $seconds seconds" >&2
exec "$@"
