<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Listener;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Converge\Former;
use OCA\Archipel\NextcloudSpace;
use OCP\EventDispatcher\Event;
use OCP\EventDispatcher\IEventListener;
use OCP\Group\Events\UserAddedEvent;
use OCP\Group\Events\UserRemovedEvent;
use OCP\Group\ISubAdmin;
use OCP\IGroupManager;

/**
 * Who joins the administrators of a space looks after its members from then on, and no
 * longer once they leave: an association may have as many administrators as it likes.
 *
 * @template-implements IEventListener<UserAddedEvent|UserRemovedEvent>
 */
final class Administrators implements IEventListener
{
    public function __construct(
        private IGroupManager $groups,
        private ISubAdmin $subadmins,
        private NextcloudSpace $space,
    ) {
    }

    public function handle(Event $event): void
    {
        if (!$event instanceof UserAddedEvent && !$event instanceof UserRemovedEvent) {
            return;
        }
        $members = $this->groups->get(Application::MEMBERS);
        if ($event->getGroup()->getGID() !== Application::ADMINISTRATORS || $members === null) {
            return;
        }
        $user = $event->getUser();
        // However it came about: what the operator describes does not undo what people decide.
        if ($event instanceof UserAddedEvent) {
            Former::remove($this->space, $user->getUID());
        } else {
            Former::add($this->space, $user->getUID());
        }
        $isSubadmin = $this->subadmins->isSubAdminOfGroup($user, $members);
        if ($event instanceof UserAddedEvent && !$isSubadmin) {
            $this->subadmins->createSubAdmin($user, $members);
        } elseif ($event instanceof UserRemovedEvent && $isSubadmin) {
            $this->subadmins->deleteSubAdmin($user, $members);
        }
    }
}
