<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

// Read before each request of a space (auto_prepend_file). While its database does not answer, most pages of
// Nextcloud end with 500: a fault, to whoever asks, and one that stays. nginx is led to its own answer instead,
// 503 with a page in the space's language and a time to come back. Only 500 and 503 ask the database, so that
// those of applications stay what they are, and requests that succeed cost one look for a file.

declare(strict_types=1);

(static function (): void {
    // nginx takes over the type, cookies and times to keep of what it is led away from.
    $leave = static function (): void {
        header_remove();
        header('Content-Type: text/html; charset=utf-8');
        header('X-Accel-Redirect: @unavailable');
    };
    // When it last did not answer. Each request would wait for it as long as the one before, all of PHP's processes
    // at the same time, and whoever comes meanwhile for them: for a moment nobody tries again.
    $noted = sys_get_temp_dir() . '/database-unavailable';
    $age = time() - (int)@filemtime($noted);
    if ($age >= 0 && $age < 3) {
        $leave();
        exit;
    }
    header_register_callback(static function () use ($leave, $noted): void {
        if (!in_array(http_response_code(), [500, 503], true)) {
            return;
        }
        // Where it is, as PHP writes a stream's address: unix:///run/mysqld/mysqld.sock, tcp://db1.example.org:3306.
        $server = @stream_socket_client((string)getenv('ARCHIPEL_DATABASE'), timeout: 2.0);
        if ($server !== false) {
            stream_set_timeout($server, 2);
            // Three bytes of length and one of a number, then the protocol's version; an error such as "Too many
            // connections" has 255 in its place.
            $greeting = (string)fread($server, 5);
            fclose($server);
            if (($greeting[4] ?? '') === "\x0a") {
                return;
            }
        }
        touch($noted);
        $leave();
    });
})();
