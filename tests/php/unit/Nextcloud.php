<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OC\AppConfig;
use OC\Installer;
use OCA\Archipel\NextcloudSpace;
use OCA\Archipel\Page\AdministratorList;
use OCA\Settings\Service\AuthorizedGroupService;
use OCA\Theming\ImageManager;
use OCA\Theming\ThemingDefaults;
use OCP\App\AppPathNotFoundException;
use OCP\App\IAppManager;
use OCP\BackgroundJob\IJobList;
use OCP\DB\IResult;
use OCP\DB\QueryBuilder\IQueryBuilder;
use OCP\Defaults;
use OCP\EventDispatcher\IEventDispatcher;
use OCP\Group\ISubAdmin;
use OCP\Http\Client\IClientService;
use OCP\IAppConfig;
use OCP\IConfig;
use OCP\IDBConnection;
use OCP\IGroup;
use OCP\IGroupManager;
use OCP\IL10N;
use OCP\IURLGenerator;
use OCP\IUser;
use OCP\IUserManager;
use OCP\IUserSession;
use OCP\L10N\IFactory;
use OCP\Lock\ILockingProvider;
use OCP\Mail\IMailer;
use OCP\Security\ISecureRandom;
use OCP\Security\VerificationToken\IVerificationToken;
use OCP\Server;
use PHPUnit\Framework\MockObject\MockObject;
use PHPUnit\Framework\TestCase;
use Psr\Log\LoggerInterface;

/** A test with Nextcloud's interfaces around a real NextcloudSpace. */
abstract class Nextcloud extends TestCase
{
    protected NextcloudSpace $space;
    protected AppConfig $settings;
    protected Installer $installer;
    protected ImageManager $images;
    protected ThemingDefaults $theming;
    protected AuthorizedGroupService $delegations;
    /** @var list<string> enabled applications */
    protected array $enabled = ['files'];
    /** @var list<class-string> jobs that were scheduled */
    protected array $jobs = [];
    /** @var array<string, mixed> keys of config.php */
    protected array $system = [];
    /** @var array<string, string> account/application/key => value */
    protected array $preferences = [];
    /** @var array<string, IUser&MockObject> */
    protected array $users = [];
    /** @var array<string, IGroup&MockObject> */
    protected array $groups = [];
    /** @var array<string, list<string>> group => its subadmins */
    protected array $subadmins = [];
    /** @var array<string, callable> event => who listens */
    protected array $listeners = [];
    /** @var IMailer&MockObject */
    protected IMailer $mailer;
    /** @var IDBConnection&MockObject */
    protected IDBConnection $database;
    /** @var IClientService&MockObject */
    protected IClientService $client;

    protected function setUp(): void
    {
        $this->settings = new AppConfig();
        $this->installer = new Installer();
        $this->images = new ImageManager();
        $this->theming = new ThemingDefaults();
        $this->delegations = new AuthorizedGroupService();
        $this->mailer = $this->createMock(IMailer::class);
        $this->database = $this->createMock(IDBConnection::class);
        $this->client = $this->createMock(IClientService::class);
        Server::$services = [
            AppConfig::class => $this->settings,
            IAppConfig::class => $this->settings,
            Installer::class => $this->installer,
            ImageManager::class => $this->images,
            ThemingDefaults::class => $this->theming,
            AuthorizedGroupService::class => $this->delegations,
            IJobList::class => $this->jobList(),
            IClientService::class => $this->client,
            IEventDispatcher::class => $this->events(),
        ];
        $this->space = new NextcloudSpace(
            $this->applications(),
            $this->config(),
            $this->database,
            $this->userManager(),
            $this->groupManager(),
            $this->subadminManager(),
            $this->createMock(ISecureRandom::class),
            new class () implements IVerificationToken {
                // As Nextcloud has it: protected, and no setting.
                protected const TOKEN_LIFETIME = 7 * 24 * 3600;

                public function create(IUser $user, string $subject, string $passwordPrefix = ''): string
                {
                    return "token of $subject for $passwordPrefix";
                }
            },
            $this->createMock(IURLGenerator::class),
            $this->mailer,
            $this->languages(),
            new Defaults(),
        );
        $this->database->method('getQueryBuilder')->willReturnCallback(fn () => $this->rowQuery());
    }

    /** A query for the row of one setting, as NextcloudSpace asks for it. */
    private function rowQuery(): IQueryBuilder
    {
        $asked = [];
        $query = $this->createMock(IQueryBuilder::class);
        $expression = new class () {
            public function eq(string $column, mixed $value): string
            {
                return "$column = $value";
            }
        };
        foreach (['select', 'from', 'where', 'andWhere'] as $step) {
            $query->method($step)->willReturnSelf();
        }
        $query->method('expr')->willReturn($expression);
        $query->method('createNamedParameter')->willReturnCallback(function ($value) use (&$asked) {
            $asked[] = $value;
            return $value;
        });
        $query->method('executeQuery')->willReturnCallback(function () use (&$asked): IResult {
            $row = $this->settings->rows[$asked[0]][$asked[1]] ?? null;
            $result = $this->createMock(IResult::class);
            $result->method('fetch')->willReturn($row === null ? false : ['configvalue' => $row[0], 'type' => (string)$row[1]]);
            return $result;
        });
        return $query;
    }

    /** What listens is told by a test. */
    private function events(): IEventDispatcher
    {
        $events = $this->createMock(IEventDispatcher::class);
        $events->method('addListener')->willReturnCallback(function (string $name, callable $listener): void {
            $this->listeners[$name] = $listener;
        });
        $events->method('removeListener')->willReturnCallback(function (string $name): void {
            unset($this->listeners[$name]);
        });
        return $events;
    }

    private function applications(): IAppManager
    {
        $apps = $this->createMock(IAppManager::class);
        $apps->method('getInstalledApps')->willReturnCallback(fn (): array => $this->enabled);
        $apps->method('getAppVersion')->willReturn('1.2.3');
        $apps->method('getAlwaysEnabledApps')->willReturn(['files']);
        $apps->method('getAppPath')->willReturnCallback(
            fn (string $app): string => $app === 'missing' ? throw new AppPathNotFoundException() : "/apps/$app",
        );
        $apps->method('enableApp')->willReturnCallback(function (string $app): void {
            $this->enabled[] = $app;
        });
        $apps->method('disableApp')->willReturnCallback(function (string $app): void {
            $this->enabled = array_values(array_diff($this->enabled, [$app]));
        });
        return $apps;
    }

    private function config(): IConfig
    {
        $config = $this->createMock(IConfig::class);
        $read = fn (string $key, mixed $default): mixed => $this->system[$key] ?? $default;
        foreach (['Bool' => false, 'Int' => 0, 'String' => ''] as $type => $nothing) {
            $config->method("getSystemValue$type")->willReturnCallback(fn (string $key, $default = null) => $read($key, $default ?? $nothing));
        }
        $config->method('setUserValue')->willReturnCallback(function (string $uid, string $app, string $key, string $value): void {
            $this->preferences["$uid/$app/$key"] = $value;
        });
        $config->method('getUserValue')->willReturnCallback(
            fn (string $uid, string $app, string $key, $default = '') => $this->preferences["$uid/$app/$key"] ?? $default,
        );
        $config->method('getUsersForUserValue')->willReturnCallback(
            fn (): array => array_keys(array_filter($this->users, fn (IUser $user): bool => !$user->isEnabled())),
        );
        return $config;
    }

    /** @return IUser&MockObject */
    protected function account(string $uid, bool $enabled = true, string $mail = ''): IUser
    {
        $user = $this->createMock(IUser::class);
        $user->method('getUID')->willReturn($uid);
        $user->method('isEnabled')->willReturn($enabled);
        $user->method('getDisplayName')->willReturn($uid);
        $user->method('getEMailAddress')->willReturn($mail === '' ? null : $mail);
        return $this->users[$uid] = $user;
    }

    /** @return IGroup&MockObject */
    protected function group(string $gid, IUser ...$members): IGroup
    {
        $group = $this->createMock(IGroup::class);
        $group->method('getGID')->willReturn($gid);
        $group->method('getUsers')->willReturn($members);
        return $this->groups[$gid] = $group;
    }

    protected function userManager(): IUserManager
    {
        $users = $this->createMock(IUserManager::class);
        $users->method('userExists')->willReturnCallback(fn (string $uid): bool => isset($this->users[$uid]));
        $users->method('get')->willReturnCallback(fn (string $uid): ?IUser => $this->users[$uid] ?? null);
        $users->method('createUser')->willReturnCallback(
            fn (string $uid): IUser|false => $uid === 'refused' ? false : ($this->users[$uid] ?? $this->account($uid)),
        );
        $users->method('countUsers')->willReturnCallback(fn (): array => ['Database' => count($this->users)]);
        return $users;
    }

    protected function groupManager(): IGroupManager
    {
        $groups = $this->createMock(IGroupManager::class);
        $groups->method('groupExists')->willReturnCallback(fn (string $gid): bool => isset($this->groups[$gid]));
        $groups->method('get')->willReturnCallback(fn (string $gid): ?IGroup => $this->groups[$gid] ?? null);
        $groups->method('createGroup')->willReturnCallback(fn (string $gid): ?IGroup => $gid === 'refused' ? null : $this->group($gid));
        $groups->method('search')->willReturnCallback(fn (): array => array_values($this->groups));
        return $groups;
    }

    protected function subadminManager(): ISubAdmin
    {
        $manager = $this->createMock(ISubAdmin::class);
        $manager->method('isSubAdminOfGroup')->willReturnCallback(
            fn (IUser $user, IGroup $group): bool => in_array($user->getUID(), $this->subadmins[$group->getGID()] ?? [], true),
        );
        $manager->method('createSubAdmin')->willReturnCallback(function (IUser $user, IGroup $group): void {
            $this->subadmins[$group->getGID()][] = $user->getUID();
        });
        $manager->method('deleteSubAdmin')->willReturnCallback(function (IUser $user, IGroup $group): void {
            $this->subadmins[$group->getGID()] = array_diff($this->subadmins[$group->getGID()], [$user->getUID()]);
        });
        $manager->method('getSubAdminsGroups')->willReturnCallback(
            fn (IUser $user): array => array_values(array_filter(
                $this->groups,
                fn (IGroup $group): bool => in_array($user->getUID(), $this->subadmins[$group->getGID()] ?? [], true),
            )),
        );
        $manager->method('getGroupsSubAdmins')->willReturnCallback(
            fn (IGroup $group): array => array_map(fn (string $uid): IUser => $this->users[$uid], $this->subadmins[$group->getGID()] ?? []),
        );
        return $manager;
    }

    /** Every language says what it is asked to. */
    protected function languages(): IFactory
    {
        $factory = $this->createMock(IFactory::class);
        $words = $this->createMock(IL10N::class);
        $words->method('t')->willReturnCallback(fn (string $text, $parameters = []): string => vsprintf($text, $parameters));
        $factory->method('get')->willReturn($words);
        $factory->method('getUserLanguage')->willReturn('fr');
        return $factory;
    }

    /** The administrators as one of them sees them. */
    protected function administrators(?IUser $asking = null, ?ILockingProvider $locks = null, ?LoggerInterface $logger = null): AdministratorList
    {
        $session = $this->createMock(IUserSession::class);
        $session->method('getUser')->willReturn($asking);
        return new AdministratorList(
            $this->groupManager(),
            $this->subadminManager(),
            $this->userManager(),
            $session,
            $locks ?? $this->createMock(ILockingProvider::class),
            $this->languages()->get(''),
            $logger ?? $this->createMock(LoggerInterface::class),
        );
    }

    protected function jobList(): IJobList
    {
        $list = $this->createMock(IJobList::class);
        $list->method('add')->willReturnCallback(function (string $job): void {
            $this->jobs[] = $job;
        });
        return $list;
    }

    /** @param array<string, array{name: string, application: string}> $suites */
    protected function offices(array $suites, string $default, bool $pinned = false): void
    {
        $policy = json_encode(['suites' => $suites, 'default' => $default, 'pinned' => $pinned]);
        $this->settings->rows['archipel']['office_policy'] = [$policy, IAppConfig::VALUE_MIXED, false];
    }
}
