<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** How far the export is that an association has started, as its node says it. */
final class Export
{
    public const RUNNING = 'running';
    public const READY = 'ready';
    public const FAILED = 'failed';

    private function __construct(
        public readonly string $state,
        public readonly int $at,
        public readonly int $until,
        public readonly int $size,
    ) {
    }

    /** What the node has written; null: nothing, or nothing that can be read. */
    public static function of(?string $json): ?self
    {
        $said = json_decode($json ?? '', true);
        if (!is_array($said) || !in_array($said['state'] ?? null, [self::RUNNING, self::READY, self::FAILED], true)) {
            return null;
        }
        $number = fn (string $key): int => is_int($said[$key] ?? null) ? $said[$key] : 0;
        return new self($said['state'], $number('at'), $number('until'), $number('size'));
    }
}
