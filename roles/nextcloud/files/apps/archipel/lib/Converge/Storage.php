<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** How much of its storage a whole space uses. */
final class Storage
{
    /** The file system itself counts, with the space's quota: exact. */
    public const DISK = 'disk';
    /** Nextcloud's own index of files, where the file system has no quota to show. */
    public const INDEX = 'index';

    private function __construct(
        public readonly int $used,
        public readonly ?int $limit,
        public readonly string $counted,
    ) {
    }

    /**
     * A file system that shows the quota of a project gives the limit as its own size.
     * Any other size is that of the whole disk, which says nothing about this space.
     */
    public static function of(Space $space): self
    {
        $setting = $space->setting('archipel', 'storage');
        $limit = $setting === null ? null : (int)$setting;
        ['size' => $size, 'free' => $free] = $space->disk();
        if ($limit !== null && $size > 0 && abs($size - $limit) <= $limit / 100) {
            return new self($size - $free, $limit, self::DISK);
        }
        return new self($space->indexed(), $limit, self::INDEX);
    }

    public function percent(): int
    {
        return $this->limit === null || $this->limit === 0 ? 0 : (int)floor($this->used * 100 / $this->limit);
    }
}
