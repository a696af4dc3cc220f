<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** Who runs the space, as its operator describes it. */
final class Operator
{
    /** @return array{name: string, url: string, email: string, help_url: string} */
    public static function of(Space $space): array
    {
        $given = json_decode($space->setting('archipel', 'operator') ?? '{}', true) ?: [];
        return $given + ['name' => '', 'url' => '', 'email' => '', 'help_url' => ''];
    }
}
