<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

// Read before each request of a space (auto_prepend_file). While its database does not answer, most pages of
// Nextcloud end with 500: a fault, to whoever asks, and one that stays. nginx is led to its own answer instead,
// 503 with a page in the space's language and a time to come back. Only a 500 asks the database, so that
// those of applications stay what they are, and requests that succeed cost nothing.

declare(strict_types=1);

header_register_callback(static function (): void {
    if (http_response_code() !== 500) {
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
    // nginx takes over the type, cookies and times to keep of what it is led away from.
    header_remove();
    header('Content-Type: text/html; charset=utf-8');
    header('X-Accel-Redirect: @unavailable');
});
