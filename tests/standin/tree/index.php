<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\HttpError;
use Standin\Pages;
use Standin\Server;
use Standin\Web;

require_once __DIR__ . '/lib/base.php';

Web::serve(
    static function (Server $server, Web $web): void {
        $path = $_SERVER['PATH_INFO'] ?? '';
        if ($path === '') {
            $path = preg_replace('#^/index\.php#', '', (string)parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH));
        }
        if (preg_match('#^/apps/([a-z0-9_]+)(/.*)$#', $path, $parts) === 1 && $web->serveApplication($parts[1], $parts[2])) {
            return;
        }
        (new Pages($server))->show($path, $web->account());
    },
    static fn (HttpError $error) => Pages::error($error),
);
