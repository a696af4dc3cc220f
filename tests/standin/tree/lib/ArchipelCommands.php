<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

use OCA\Archipel\Converge\Report;

/** archipel:*: the application's own code, on the stand-in's accounts and settings. */
final class ArchipelCommands extends Command
{
    public function apply(): int
    {
        // Whatever first needs it makes it, and writes the whole configuration: the installer does not.
        if ($this->server->config->text('instanceid') === '') {
            $this->server->config->set(['instanceid' => 'oc' . strtolower(Accounts::random(10))]);
        }
        $commands = array_filter(['before' => $this->input->list('before'), 'after' => $this->input->list('after')]);
        $run = $commands === [] ? null : $this->runHere(...);
        $file = $this->input->text('input', '-');
        return $this->print(Report::apply(new ArchipelSpace($this->server), $file, $this->input->has('dry-run'), $run, $commands));
    }

    /**
     * @param list<string> $words
     * @return array{int, string}
     */
    private function runHere(array $words): array
    {
        ob_start();
        try {
            $status = (new Console($this->server))->run($words);
        } finally {
            $output = (string)ob_get_clean();
        }
        return [$status, $output];
    }

    public function check(): int
    {
        return $this->print(Report::check(new ArchipelSpace($this->server), $this->input->text('input')));
    }

    public function invite(): int
    {
        $file = $this->input->text('input', '-');
        return $this->print(Report::invite(new ArchipelSpace($this->server), $file, $this->input->has('dry-run')));
    }

    public function status(): int
    {
        return $this->print(Report::status(new ArchipelSpace($this->server)));
    }

    private function print(Report $report): int
    {
        if ($report->errors !== '') {
            fwrite(STDERR, $report->errors . "\n");
        }
        if ($report->output !== '') {
            $this->say($report->output);
        }
        return $report->status;
    }
}
