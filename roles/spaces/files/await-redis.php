<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors
//
// What the PHP of a space runs when it starts (opcache.preload): it returns once the space's Redis answers.
//
// Both wake at the same time, and PHP takes no request before both are there. It waits here, and not before
// it starts, so that its extensions are loaded while the sandbox of Redis is built. A Redis that does not come
// keeps PHP back for so many seconds, no longer: Nextcloud then says itself what it lacks.

declare(strict_types=1);

(static function (string $socket, float $seconds): void {
    $end = microtime(true) + $seconds;
    do {
        $redis = @stream_socket_client("unix://$socket", $number, $message, 3);
        if ($redis !== false) {
            stream_set_timeout($redis, 3);
            fwrite($redis, "PING\r\n");
            if (fgets($redis) === "+PONG\r\n") {
                return;
            }
            fclose($redis);
        }
        usleep(2000);
    } while (microtime(true) < $end);
    // systemd reads the priority in front of a line.
    file_put_contents('php://stderr', "<3>no answer from Redis at $socket in $seconds seconds\n");
})((string)getenv('ARCHIPEL_REDIS_SOCKET'), (float)getenv('ARCHIPEL_REDIS_SECONDS'));
