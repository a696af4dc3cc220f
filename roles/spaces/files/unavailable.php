<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

// Read before each request of a space (auto_prepend_file). While its database does not answer, most pages of
// Nextcloud end with 500: a fault, to whoever asks, and one that stays. nginx is led to its own answer instead,
// 503 with a page in the space's language and a time to come back. Only 500 and 503 ask the database, so that
// those of applications stay what they are, and requests that succeed cost one look for a file.

declare(strict_types=1);

(static function (): void {
    $answers = static function (): bool {
        // Where it is, as PHP writes a stream's address: unix:///run/mysqld/mysqld.sock, tcp://db1.example.org:3306.
        $server = @stream_socket_client((string)getenv('ARCHIPEL_DATABASE'), timeout: 2.0);
        if ($server === false) {
            return false;
        }
        stream_set_timeout($server, 2);
        // Three bytes of length and one of a number, then the protocol's version; an error such as "Too many
        // connections" has 255 in its place.
        $greeting = (string)fread($server, 5);
        fclose($server);
        return ($greeting[4] ?? '') === "\x0a";
    };
    // When it last did not answer. Nextcloud 33 tries to connect ten times in a request, in all of the space's
    // processes, and whoever comes meanwhile waits for them: for a moment nobody tries again, and who comes
    // then asks first.
    $noted = sys_get_temp_dir() . '/database-unavailable';
    $leave = static function (bool $tried) use ($noted): void {
        // Who did not try says nothing new: somebody must, each time.
        if ($tried) {
            touch($noted);
        }
        // nginx takes over the type, cookies and times to keep of what it is led away from.
        header_remove();
        header('Content-Type: text/html; charset=utf-8');
        header('X-Accel-Redirect: @unavailable');
    };
    $since = @filemtime($noted);
    if ($since !== false) {
        $age = time() - $since;
        if (($age >= 0 && $age < 3) || !$answers()) {
            $leave($age >= 3 || $age < 0);
            exit;
        }
        // Others may have found it out as well.
        @unlink($noted);
    }
    header_register_callback(static function () use ($answers, $leave): void {
        if (in_array(http_response_code(), [500, 503], true) && !$answers()) {
            $leave(true);
        }
    });
})();
