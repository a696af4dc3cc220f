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

/** A command of occ that reports in one line of JSON, and says on standard error what went wrong. */
abstract class ReportingCommand extends Command
{
    /** As occ knows it. */
    protected const NAME = '';

    public function __construct(protected readonly NextcloudSpace $space)
    {
        parent::__construct(static::NAME);
    }

    abstract protected function report(InputInterface $input): Report;

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $report = $this->report($input);
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
        self::print($errors, $report->errors);
        self::print($output, $report->output);
        return $report->status;
    }

    /** A document is read: from standard input, unless a file is named. */
    protected function takesDocument(string $what = 'File with the document', string $default = '-'): static
    {
        return $this->addOption('input', null, InputOption::VALUE_REQUIRED, "$what; \"-\" is standard input", $default);
    }

    protected function takesDryRun(string $what): static
    {
        return $this->addOption('dry-run', null, InputOption::VALUE_NONE, $what);
    }

    protected static function file(InputInterface $input): string
    {
        return (string)$input->getOption('input');
    }

    protected static function isDryRun(InputInterface $input): bool
    {
        return (bool)$input->getOption('dry-run');
    }

    /** Also where occ is to be quiet: somebody reads it. */
    private static function print(OutputInterface $to, string $text): void
    {
        if ($text !== '') {
            $to->writeln($text, OutputInterface::OUTPUT_RAW | OutputInterface::VERBOSITY_QUIET);
        }
    }
}
