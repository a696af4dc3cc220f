<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use Symfony\Component\Console\Input\InputInterface;

/** occ archipel:check: can everything that is set be read by who reads it? */
final class Check extends ReportingCommand
{
    protected const NAME = 'archipel:check';

    protected function configure(): void
    {
        $this
            ->setDescription('Reads the settings of this space back as applications do, and changes nothing')
            ->takesDocument('File with a document of archipel:apply', '');
    }

    protected function report(InputInterface $input): Report
    {
        return Report::check($this->space, self::file($input));
    }
}
