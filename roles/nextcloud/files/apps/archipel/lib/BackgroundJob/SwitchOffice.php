<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\BackgroundJob;

use OCA\Archipel\Converge\Office;
use OCA\Archipel\NextcloudSpace;
use OCP\AppFramework\Utility\ITimeFactory;
use OCP\BackgroundJob\QueuedJob;

/** Carries out the choice of an office suite: the other connector off, then this one on. */
final class SwitchOffice extends QueuedJob
{
    public function __construct(ITimeFactory $time, private NextcloudSpace $space)
    {
        parent::__construct($time);
    }

    protected function run($argument): void
    {
        $plan = Office::of($this->space)->plan($this->space);
        foreach ($plan['disable'] as $application) {
            $this->space->disable($application);
        }
        foreach ($plan['enable'] as $application) {
            $this->space->enable($application);
        }
    }
}
