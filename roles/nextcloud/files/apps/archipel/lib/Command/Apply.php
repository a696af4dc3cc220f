<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use OCA\Archipel\NextcloudSpace;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\ArgvInput;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/** occ archipel:apply: desired state in, changes out, both JSON. */
final class Apply extends Command
{
    public function __construct(private NextcloudSpace $space)
    {
        parent::__construct('archipel:apply');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Brings this space to the state described by a JSON document')
            ->addOption('input', null, InputOption::VALUE_REQUIRED, 'File with the document; "-" is standard input', '-')
            ->addOption('before', null, InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY, 'Command to run first, a JSON list of words')
            ->addOption('after', null, InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY, 'Command to run last, a JSON list of words')
            ->addOption('dry-run', null, InputOption::VALUE_NONE, 'Report what would change and change nothing');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $commands = array_filter(['before' => $input->getOption('before'), 'after' => $input->getOption('after')]);
        $run = $commands === [] ? null : $this->runHere(...);
        $file = (string)$input->getOption('input');
        $report = Report::apply($this->space, $file, (bool)$input->getOption('dry-run'), $run, $commands);
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
        if ($report->errors !== '') {
            $errors->writeln($report->errors, OutputInterface::OUTPUT_RAW | OutputInterface::VERBOSITY_QUIET);
        }
        if ($report->output !== '') {
            $output->writeln($report->output, OutputInterface::OUTPUT_RAW | OutputInterface::VERBOSITY_QUIET);
        }
        return $report->status;
    }

    /**
     * @param list<string> $words
     * @return array{int, string}
     */
    private function runHere(array $words): array
    {
        $input = new ArgvInput(['occ', ...$words]);
        $input->setInteractive(false);
        $output = new BufferedOutput();
        return [$this->getApplication()->find($words[0])->run($input, $output), $output->fetch()];
    }
}
