<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** An answer other than success; $sabre is the name WebDAV clients look for. */
final class HttpError extends \Exception
{
    public function __construct(public readonly int $status, public readonly string $sabre, string $message)
    {
        parent::__construct($message);
    }
}
