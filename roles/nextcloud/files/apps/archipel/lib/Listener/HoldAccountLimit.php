<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Listener;

use OCA\Archipel\Converge\AccountLimit;
use OCA\Archipel\NextcloudSpace;
use OCP\AppFramework\OCS\OCSForbiddenException;
use OCP\EventDispatcher\Event;
use OCP\EventDispatcher\IEventListener;
use OCP\User\Events\UserChangedEvent;

/**
 * Closes a hole: Nextcloud counts accounts when one is created, older releases not when
 * one is enabled again. Fifty enabled and any number of sleeping ones could take turns.
 *
 * @template-implements IEventListener<UserChangedEvent>
 */
final class HoldAccountLimit implements IEventListener
{
    public function __construct(private NextcloudSpace $space)
    {
    }

    public function handle(Event $event): void
    {
        if (!$event instanceof UserChangedEvent || $event->getFeature() !== 'enabled' || $event->getValue() !== true) {
            return;
        }
        if (AccountLimit::exceeded($this->space)) {
            $event->getUser()->setEnabled(false);
            throw new OCSForbiddenException(AccountLimit::refusal($this->space));
        }
    }
}
