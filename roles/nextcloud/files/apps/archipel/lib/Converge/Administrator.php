<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** The first administrator of a space: runs its accounts, never the server. */
final class Administrator
{
    /** Nextcloud refuses accounts a longer name, in characters. */
    public const NAME_MOST = 64;

    /**
     * @param list<string> $groups
     * @param list<string> $subadminOf
     */
    public function __construct(
        public readonly string $uid,
        public readonly string $displayName,
        public readonly string $email,
        public readonly string $language,
        public readonly string $locale,
        public readonly array $groups,
        public readonly array $subadminOf,
    ) {
    }

    /** The name that the account gets: of a longer one, its beginning. Letters greet by the whole. */
    public function accountName(): string
    {
        return trim(mb_substr($this->displayName, 0, self::NAME_MOST));
    }
}
