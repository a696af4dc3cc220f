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
        return $this->print(Report::apply(new ArchipelSpace($this->server), $this->input->text('input', '-'), $this->input->has('dry-run')));
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
