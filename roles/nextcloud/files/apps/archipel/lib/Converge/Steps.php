<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** What is done, one step after the other: one that fails is noted, and does not keep the others. */
final class Steps
{
    /** @var list<string> */
    private array $changes = [];
    /** @var list<string> */
    private array $errors = [];

    /** @param bool $dryRun whether nothing is done, and each step noted as if it were */
    public function __construct(private readonly bool $dryRun)
    {
    }

    public function do(string $change, callable $do): void
    {
        try {
            if (!$this->dryRun) {
                $do();
            }
            $this->changes[] = $change;
        } catch (\Throwable $error) {
            $this->errors[] = "$change: " . $error->getMessage();
        }
    }

    /** Notes why something is not done at all. */
    public function refuse(string $why): void
    {
        $this->errors[] = $why;
    }

    /** @return list<string> */
    public function changes(): array
    {
        return $this->changes;
    }

    /** @return list<string> */
    public function errors(): array
    {
        return $this->errors;
    }
}
