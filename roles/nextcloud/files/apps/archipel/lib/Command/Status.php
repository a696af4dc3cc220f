<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use OCA\Archipel\NextcloudSpace;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** occ archipel:status: what an operator wants to know of this space, as JSON. */
final class Status extends Command
{
    public function __construct(private NextcloudSpace $space)
    {
        parent::__construct('archipel:status');
    }

    protected function configure(): void
    {
        $this->setDescription('Reports accounts, applications and jobs of this space as JSON');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $report = Report::status($this->space);
        $output->writeln($report->output, OutputInterface::OUTPUT_RAW | OutputInterface::VERBOSITY_QUIET);
        return $report->status;
    }
}
