<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Converge\Removal;
use OCP\Group\ISubAdmin;
use OCP\IGroupManager;
use OCP\IL10N;
use OCP\IUser;
use OCP\IUserManager;
use OCP\IUserSession;
use OCP\Lock\ILockingProvider;
use OCP\Lock\LockedException;
use Psr\Log\LoggerInterface;

/**
 * The administrators of a space, and how one of them takes the right from another.
 *
 * Newer releases let no administrator touch another one's account. An association whose president has
 * left must not need its operator for that.
 */
final class AdministratorList
{
    private const LOCK = 'archipel/administrators';

    public function __construct(
        private IGroupManager $groups,
        private ISubAdmin $subadmins,
        private IUserManager $users,
        private IUserSession $session,
        private ILockingProvider $locks,
        private IL10N $l10n,
        private LoggerInterface $logger,
    ) {
    }

    /** @return list<array{uid: string, name: string, enabled: bool, self: bool}> */
    public function all(): array
    {
        $list = array_map(fn (IUser $user): array => [
            'uid' => $user->getUID(),
            'name' => $user->getDisplayName(),
            'enabled' => $user->isEnabled(),
            'self' => $user->getUID() === $this->asking(),
        ], array_values($this->groups->get(Application::ADMINISTRATORS)?->getUsers() ?? []));
        usort($list, fn (array $one, array $other): int => strcasecmp($one['name'], $other['name']));
        return $list;
    }

    /**
     * Take the right from somebody; they stay as a member, or are disabled too.
     *
     * @return string|null why not; null: it is done
     */
    public function remove(string $uid, string $confirmed, bool $disable): ?string
    {
        try {
            // Two who take it from each other at once would leave nobody.
            $this->locks->acquireLock(self::LOCK, ILockingProvider::LOCK_EXCLUSIVE);
        } catch (LockedException) {
            return $this->l10n->t('Somebody changes the administrators right now. Try again.');
        }
        try {
            $refusal = Removal::refusal(array_column($this->all(), 'enabled', 'uid'), $this->asking(), $uid, $confirmed);
            if ($refusal === null) {
                $this->carryOut($uid, $disable);
            }
        } finally {
            $this->locks->releaseLock(self::LOCK, ILockingProvider::LOCK_EXCLUSIVE);
        }
        return $refusal === null ? null : $this->l10n->t($refusal);
    }

    private function carryOut(string $uid, bool $disable): void
    {
        $user = $this->users->get($uid) ?? throw new \RuntimeException("the account $uid is gone");
        $members = $this->groups->get(Application::MEMBERS);
        // Whom nobody has in a group, nobody of the space can look after.
        if ($members !== null && !$members->inGroup($user)) {
            $members->addUser($user);
        }
        foreach ($this->subadmins->getSubAdminsGroups($user) as $group) {
            $this->subadmins->deleteSubAdmin($user, $group);
        }
        $this->groups->get(Application::ADMINISTRATORS)?->removeUser($user);
        if ($disable) {
            $user->setEnabled(false);
        }
        $this->logger->warning('{uid} no longer administers this space{disabled}: {by} has decided so', [
            'app' => Application::ID,
            'uid' => $uid,
            'disabled' => $disable ? ' and is disabled' : '',
            'by' => $this->asking(),
        ]);
    }

    private function asking(): string
    {
        return $this->session->getUser()?->getUID() ?? '';
    }
}
