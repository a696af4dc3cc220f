<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** The desired state cannot be applied as written. Nothing was changed. */
final class InvalidState extends \Exception
{
    /** @var list<string> */
    public readonly array $problems;

    /** @param list<string> $problems may hold what others wrote */
    public function __construct(array $problems)
    {
        $this->problems = array_map(Sentence::of(...), $problems);
        parent::__construct(implode("\n", $this->problems));
    }
}
