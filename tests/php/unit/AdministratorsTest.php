<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Converge\Converger;
use OCA\Archipel\Converge\DesiredState;
use OCA\Archipel\Converge\Former;
use OCA\Archipel\Converge\Removal;
use OCA\Archipel\Listener\Administrators;
use OCP\Group\Events\UserAddedEvent;
use OCP\Group\Events\UserRemovedEvent;
use OCP\Lock\ILockingProvider;
use OCP\Lock\LockedException;
use Psr\Log\LoggerInterface;

/** How administrators take the right from one another, and that no run undoes it. */
final class AdministratorsTest extends Nextcloud
{
    private const WANTED = '{"groups": ["space-admins"], "admin": {"uid": "ada", "email": "a@x.example", "groups": ["space-admins"]}, "invite": true}';

    public function testNobodyIsLeftWithoutAnAdministrator(): void
    {
        $both = ['ada' => true, 'bob' => true];
        self::assertNull(Removal::refusal($both, 'ada', 'bob', 'bob'));
        self::assertStringContainsString('themselves', (string)Removal::refusal($both, 'ada', 'ada', 'ada'));
        self::assertStringContainsString('Confirm', (string)Removal::refusal($both, 'ada', 'bob', ''));
        self::assertStringContainsString('Confirm', (string)Removal::refusal($both, 'ada', 'bob', 'Bob'));
        self::assertStringContainsString('no such', (string)Removal::refusal($both, 'ada', 'eve', 'eve'));
        self::assertStringContainsString('do not administer', (string)Removal::refusal($both, 'eve', 'bob', 'bob'));
        self::assertStringContainsString('do not administer', (string)Removal::refusal(['ada' => false, 'bob' => true], 'ada', 'bob', 'bob'));
        // PHP makes numbers of such keys.
        self::assertNull(Removal::refusal([1 => true, 2 => true], '1', '2', '2'));
    }

    public function testTheRightIsTakenAndLogged(): void
    {
        [$ada, $bob] = [$this->account('ada'), $this->account('bob')];
        $admins = $this->group(Application::ADMINISTRATORS, $ada, $bob);
        $members = $this->group(Application::MEMBERS, $ada);
        $this->group('other');
        $this->subadmins = ['members' => ['ada', 'bob'], 'other' => ['bob']];
        $admins->expects(self::once())->method('removeUser')->with($bob);
        $members->expects(self::once())->method('addUser')->with($bob);
        $bob->expects(self::never())->method('setEnabled');
        $logger = $this->createMock(LoggerInterface::class);
        $logger->expects(self::once())->method('warning')->with(
            self::stringContains('no longer administers'),
            self::callback(fn (array $who): bool => [$who['uid'], $who['by']] === ['bob', 'ada']),
        );
        self::assertNull($this->administrators($ada, null, $logger)->remove('bob', 'bob', false));
        self::assertSame([['ada'], []], [array_values($this->subadmins['members']), array_values($this->subadmins['other'])]);
    }

    public function testTheAccountIsDisabledIfThatIsAsked(): void
    {
        [$ada, $bob] = [$this->account('ada'), $this->account('bob')];
        $this->group(Application::ADMINISTRATORS, $ada, $bob);
        $bob->expects(self::once())->method('setEnabled')->with(false);
        self::assertNull($this->administrators($ada)->remove('bob', 'bob', true));
    }

    public function testARefusalChangesNothingAndLetsGoOfTheLock(): void
    {
        $ada = $this->account('ada');
        $admins = $this->group(Application::ADMINISTRATORS, $ada);
        $admins->expects(self::never())->method('removeUser');
        $locks = $this->createMock(ILockingProvider::class);
        $locks->expects(self::once())->method('acquireLock');
        $locks->expects(self::once())->method('releaseLock');
        self::assertNotNull($this->administrators($ada, $locks)->remove('ada', 'ada', true));
    }

    public function testTwoAtOnceWaitForOneAnother(): void
    {
        $ada = $this->account('ada');
        $this->group(Application::ADMINISTRATORS, $ada, $this->account('bob'))->expects(self::never())->method('removeUser');
        $locks = $this->createMock(ILockingProvider::class);
        $locks->method('acquireLock')->willThrowException(new LockedException());
        $locks->expects(self::never())->method('releaseLock');
        self::assertStringContainsString('Try again', (string)$this->administrators($ada, $locks)->remove('bob', 'bob', false));
    }

    public function testTheListNamesOneself(): void
    {
        $bob = $this->account('bob');
        $this->group(Application::ADMINISTRATORS, $bob, $this->account('ada', false));
        self::assertSame([
            ['uid' => 'ada', 'name' => 'ada', 'enabled' => false, 'self' => false],
            ['uid' => 'bob', 'name' => 'bob', 'enabled' => true, 'self' => true],
        ], $this->administrators($bob)->all());
    }

    public function testWhoLeavesIsRememberedUntilTheyComeBack(): void
    {
        $listener = new Administrators($this->groupManager(), $this->subadminManager(), $this->space);
        $admins = $this->group(Application::ADMINISTRATORS);
        $this->group(Application::MEMBERS);
        $ada = $this->account('ada');
        $listener->handle(new UserRemovedEvent($admins, $ada));
        $listener->handle(new UserRemovedEvent($admins, $ada));
        self::assertSame(['ada'], Former::all($this->space));
        $listener->handle(new UserAddedEvent($admins, $ada));
        self::assertSame([], Former::all($this->space));
    }

    public function testNoRunGivesTheRightBackWhileOthersHaveIt(): void
    {
        $space = new FakeSpace();
        Former::add($space, 'ada');
        $space->subadmins = ['bob' => ['members']];
        $space->done = [];
        $result = (new Converger($space, false))->converge(DesiredState::fromJson(self::WANTED));
        self::assertSame([], array_filter($space->done, fn (string $one): bool => str_contains($one, 'ada')));
        self::assertCount(1, array_filter($result['skipped'], fn (string $one): bool => str_contains($one, 'ada')));
        self::assertNull($result['invitation']);
    }

    public function testWithoutAnyOtherTheOperatorsWordCounts(): void
    {
        $space = new FakeSpace();
        Former::add($space, 'ada');
        $result = (new Converger($space, false))->converge(DesiredState::fromJson(self::WANTED));
        self::assertContains('create account ada', $result['changes']);
    }
}
