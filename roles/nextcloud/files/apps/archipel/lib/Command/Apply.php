<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Command;

use OCA\Archipel\Converge\Report;
use Symfony\Component\Console\Input\ArgvInput;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\BufferedOutput;

/** occ archipel:apply: desired state in, changes out, both JSON. */
final class Apply extends ReportingCommand
{
    protected const NAME = 'archipel:apply';

    protected function configure(): void
    {
        $commands = InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY;
        $this
            ->setDescription('Brings this space to the state described by a JSON document')
            ->takesDocument()
            ->takesDryRun('Report what would change and change nothing')
            ->addOption('before', null, $commands, 'Command to run first, a JSON list of words')
            ->addOption('after', null, $commands, 'Command to run last, a JSON list of words');
    }

    protected function report(InputInterface $input): Report
    {
        $commands = array_filter(['before' => $input->getOption('before'), 'after' => $input->getOption('after')]);
        $run = $commands === [] ? null : $this->runHere(...);
        return Report::apply($this->space, self::file($input), self::isDryRun($input), $run, $commands);
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
