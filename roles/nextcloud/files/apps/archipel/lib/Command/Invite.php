<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use OCA\Archipel\NextcloudSpace;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** occ archipel:invite: a new invitation for the first administrator. */
final class Invite extends Command
{
    public function __construct(private NextcloudSpace $space)
    {
        parent::__construct('archipel:invite');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Sends the first administrator of this space a new invitation')
            ->addOption('input', null, InputOption::VALUE_REQUIRED, 'File with the document; "-" is standard input', '-')
            ->addOption('dry-run', null, InputOption::VALUE_NONE, 'Report who would be sent what and send nothing');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $report = Report::invite($this->space, (string)$input->getOption('input'), (bool)$input->getOption('dry-run'));
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
        if ($report->errors !== '') {
            $errors->writeln($report->errors, OutputInterface::OUTPUT_RAW | OutputInterface::VERBOSITY_QUIET);
        }
        if ($report->output !== '') {
            $output->writeln($report->output, OutputInterface::OUTPUT_RAW | OutputInterface::VERBOSITY_QUIET);
        }
        return $report->status;
    }
}
