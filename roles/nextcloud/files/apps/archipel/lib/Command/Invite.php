<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use Symfony\Component\Console\Input\InputInterface;

/** occ archipel:invite: a new invitation for the first administrator. */
final class Invite extends ReportingCommand
{
    protected const NAME = 'archipel:invite';

    protected function configure(): void
    {
        $this
            ->setDescription('Sends the first administrator of this space a new invitation')
            ->takesDocument()
            ->takesDryRun('Report who would be sent what and send nothing');
    }

    protected function report(InputInterface $input): Report
    {
        return Report::invite($this->space, self::file($input), self::isDryRun($input));
    }
}
