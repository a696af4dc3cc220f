<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\BackgroundJob;

use OCA\Archipel\Converge\Warning;
use OCA\Archipel\NextcloudSpace;
use OCA\Archipel\Notification\Letter;
use OCP\AppFramework\Utility\ITimeFactory;
use OCP\BackgroundJob\TimedJob;

/** Looks every hour whether the space is getting full, and tells its administrators. */
final class WarnWhenFull extends TimedJob
{
    public function __construct(ITimeFactory $time, private NextcloudSpace $space, private Letter $letter)
    {
        parent::__construct($time);
        $this->setInterval(3600);
    }

    protected function run($argument): void
    {
        foreach (Warning::uses($this->space) as $what => $percent) {
            $before = (int)$this->space->setting('archipel', "warned_$what");
            $level = Warning::level($percent, $before);
            if ($level === $before) {
                continue;
            }
            // First the memory: a letter that fails must not come every hour.
            $this->space->saveSetting('archipel', "warned_$what", $level);
            if ($level > $before) {
                $this->letter->send($what, $level);
            }
        }
    }
}
