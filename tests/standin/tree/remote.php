<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\Dav;
use Standin\HttpError;
use Standin\Server;
use Standin\Web;

require_once __DIR__ . '/lib/base.php';

Web::serve(
    static fn (Server $server, Web $web) => Dav::handle($server, $web, $_SERVER['PATH_INFO'] ?? ''),
    static fn (HttpError $error) => Dav::error($error),
);
