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

/** occ archipel:check: can everything that is set be read by who reads it? */
final class Check extends Command
{
    public function __construct(private NextcloudSpace $space)
    {
        parent::__construct('archipel:check');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Reads the settings of this space back as applications do, and changes nothing')
            ->addOption('input', null, InputOption::VALUE_REQUIRED, 'File with a document of archipel:apply; "-" is standard input', '');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $report = Report::check($this->space, (string)$input->getOption('input'));
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
