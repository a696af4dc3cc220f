<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use Symfony\Component\Console\Input\InputInterface;

/** occ archipel:status: what an operator wants to know of this space, as JSON. */
final class Status extends ReportingCommand
{
    protected const NAME = 'archipel:status';

    protected function configure(): void
    {
        $this->setDescription('Reports accounts, applications and jobs of this space as JSON');
    }

    protected function report(InputInterface $input): Report
    {
        return Report::status($this->space);
    }
}
