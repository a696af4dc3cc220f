<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\HttpError;
use Standin\Ocs;
use Standin\Pages;
use Standin\Server;
use Standin\Web;

require_once __DIR__ . '/../lib/base.php';

Web::serve(
    static fn (Server $server, Web $web) => (new Ocs($server, $web, 1))->answer($_SERVER['PATH_INFO'] ?? ''),
    static fn (HttpError $error) => Pages::error($error),
);
