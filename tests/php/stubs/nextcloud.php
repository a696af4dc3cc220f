<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

/**
 * As much of Nextcloud's interfaces as the application uses, for tests without a server.
 *
 * `make php-stubs TREE=…` holds every method here against a release: the name, the number of
 * parameters and whether it is static.
 */

namespace OCP {
    interface IConfig
    {
        public function setUserValue($userId, $appName, $key, $value, $preCondition = null);
        public function getUserValue($userId, $appName, $key, $default = '');
        public function getUsersForUserValue($appName, $key, $value);
        public function getSystemValueBool(string $key, bool $default = false): bool;
        public function getSystemValueInt(string $key, int $default = 0): int;
        public function getSystemValueString(string $key, string $default = ''): string;
    }

    interface IAppConfig
    {
        public const VALUE_SENSITIVE = 1;
        public const VALUE_MIXED = 2;
        public const VALUE_STRING = 4;
        public const VALUE_INT = 8;
        public const VALUE_FLOAT = 16;
        public const VALUE_BOOL = 32;
        public const VALUE_ARRAY = 64;
        public function isLazy(string $app, string $key): bool;
        public function getValueString(string $app, string $key, string $default = '', bool $lazy = false): string;
    }

    interface IDBConnection
    {
        public function getQueryBuilder();
        public function executeQuery(string $sql, array $params = [], $types = []): DB\IResult;
    }

    interface IUser
    {
        public function getUID();
        public function getDisplayName();
        public function setDisplayName($displayName);
        public function setSystemEMailAddress(string $mailAddress): void;
        public function getEMailAddress();
        public function getLastLogin();
        public function delete();
        public function isEnabled();
        public function setEnabled(bool $enabled = true);
    }

    interface IUserManager
    {
        public function userExists($uid);
        public function createUser($uid, $password);
        public function get($uid);
        public function countUsers();
    }

    interface IGroup
    {
        public function getGID(): string;
        public function addUser(IUser $user): void;
        public function removeUser(IUser $user): void;
        public function inGroup(IUser $user): bool;
        public function getUsers(): array;
    }

    interface IGroupManager
    {
        public function groupExists($gid);
        public function createGroup($gid);
        public function isInGroup($userId, $group);
        public function get($gid);
        public function search(string $search, ?int $limit = null, ?int $offset = 0);
    }

    interface IUserSession
    {
        public function getUser();
    }

    interface IURLGenerator
    {
        public function linkToRoute(string $routeName, array $arguments = []): string;
        public function linkToRouteAbsolute(string $routeName, array $arguments = []): string;
        public function getAbsoluteURL(string $url): string;
        public function imagePath(string $appName, string $file): string;
    }

    interface IL10N
    {
        public function t(string $text, $parameters = []): string;
    }

    interface IRequest
    {
        public function getParam(string $key, $default = null);
    }

    class Defaults
    {
        public function getName(): string
        {
            return 'Vélo-école';
        }
    }

    final class Util
    {
        /** @return list<int> */
        public static function getVersion()
        {
            return [33, 0, 3, 1];
        }

        /** @var list<array<mixed>> what pages were given, for a test to read */
        public static array $given = [];

        public static function addStyle(string $application, ?string $file = null): void
        {
            self::$given[] = ['style', $application, $file];
        }

        public static function addScript(string $application, ?string $file = null): void
        {
            self::$given[] = ['script', $application, $file];
        }

        public static function addHeader($tag, $attributes)
        {
            self::$given[] = [$tag, $attributes];
        }

        public static function getDefaultEmailAddress(string $user_part): string
        {
            return "$user_part@velo.example";
        }
    }

    /** What the server would hand out, put here by a test. */
    final class Server
    {
        /** @var array<string, object> */
        public static array $services = [];

        public static function get(string $serviceName)
        {
            return self::$services[$serviceName] ?? throw new \LogicException("no test has put a $serviceName here");
        }
    }
}

namespace OCP\App {
    interface IAppManager
    {
        public function getAppPath(string $appId, bool $ignoreCache = false): string;
        public function getAlwaysEnabledApps();
        public function enableApp(string $appId, bool $forceEnable = false): void;
        public function disableApp($appId, $automaticDisabled = false): void;
        public function getInstalledApps();
        public function getAppVersion(string $appId, bool $useCache = true): string;
    }

    final class AppPathNotFoundException extends \Exception
    {
    }
}

namespace OCP\DB {
    interface IResult
    {
        public function fetch(int $fetchMode = 2);
        public function fetchAll(int $fetchMode = 2): array;
        public function fetchOne();
    }
}

namespace OCP\DB\QueryBuilder {
    interface IQueryBuilder
    {
        public const PARAM_INT = 1;
        public const PARAM_STR = 2;
        public const PARAM_INT_ARRAY = 101;
        public function expr();
        public function func();
        public function select(...$selects);
        public function from($from, $alias = null);
        public function where(...$predicates);
        public function andWhere(...$where);
        public function createNamedParameter($value, $type = self::PARAM_STR, $placeHolder = null);
        public function executeQuery(): \OCP\DB\IResult;
    }
}

namespace OCP\BackgroundJob {
    interface IJobList
    {
        public function add($job, $argument = null): void;
    }

    abstract class Job
    {
        public function __construct(protected \OCP\AppFramework\Utility\ITimeFactory $time)
        {
        }

        abstract protected function run($argument);

        /** What the server's scheduler ends up calling. */
        public function start(IJobList $jobList): void
        {
            $this->run(null);
        }
    }

    abstract class QueuedJob extends Job
    {
    }

    abstract class TimedJob extends Job
    {
        protected $interval = 0;

        public function setInterval(int $seconds)
        {
            $this->interval = $seconds;
        }
    }
}

namespace OCP\Exceptions {
    class AppConfigTypeConflictException extends \Exception
    {
    }

    class AppConfigUnknownKeyException extends \Exception
    {
    }
}

namespace OCP\Files {
    class NotFoundException extends \Exception
    {
    }
}

namespace OCP\Files\SimpleFS {
    interface ISimpleFile
    {
        public function getContent(): string;
    }
}

namespace OCP\Group {
    interface ISubAdmin
    {
        public function isSubAdminOfGroup(\OCP\IUser $user, \OCP\IGroup $group): bool;
        public function createSubAdmin(\OCP\IUser $user, \OCP\IGroup $group): void;
        public function deleteSubAdmin(\OCP\IUser $user, \OCP\IGroup $group): void;
        public function getGroupsSubAdmins(\OCP\IGroup $group): array;
        public function getSubAdminsGroups(\OCP\IUser $user): array;
    }
}

namespace OCP\Lock {
    interface ILockingProvider
    {
        public const LOCK_EXCLUSIVE = 2;
        public function acquireLock(string $path, int $type, ?string $readablePath = null): void;
        public function releaseLock(string $path, int $type): void;
    }

    class LockedException extends \Exception
    {
    }
}

namespace OCP\EventDispatcher {
    class Event
    {
    }

    interface IEventListener
    {
        public function handle(Event $event): void;
    }

    interface IEventDispatcher
    {
        public function addListener(string $eventName, callable $listener, int $priority = 0): void;
        public function removeListener(string $eventName, callable $listener): void;
    }
}

namespace OCP\Log {
    class BeforeMessageLoggedEvent extends \OCP\EventDispatcher\Event
    {
        public function __construct(private string $app, private int $level, private array $message)
        {
        }

        public function getMessage(): array
        {
            return $this->message;
        }
    }
}

namespace OCP\Mail\Headers {
    class AutoSubmitted
    {
        public const VALUE_AUTO_GENERATED = 'auto-generated';
    }
}

namespace OCP\Group\Events {
    class UserAddedEvent extends \OCP\EventDispatcher\Event
    {
        public function __construct(private \OCP\IGroup $group, private \OCP\IUser $user)
        {
        }

        public function getUser(): \OCP\IUser
        {
            return $this->user;
        }

        public function getGroup(): \OCP\IGroup
        {
            return $this->group;
        }
    }

    class UserRemovedEvent extends \OCP\EventDispatcher\Event
    {
        public function __construct(private \OCP\IGroup $group, private \OCP\IUser $user)
        {
        }

        public function getUser(): \OCP\IUser
        {
            return $this->user;
        }

        public function getGroup(): \OCP\IGroup
        {
            return $this->group;
        }
    }
}

namespace OCP\User\Events {
    class UserChangedEvent extends \OCP\EventDispatcher\Event
    {
        public function __construct(private \OCP\IUser $user, private string $feature, private $value, $oldValue = null)
        {
        }

        public function getUser(): \OCP\IUser
        {
            return $this->user;
        }

        public function getFeature(): string
        {
            return $this->feature;
        }

        public function getValue()
        {
            return $this->value;
        }
    }
}

namespace OCP\Http\Client {
    interface IResponse
    {
        public function getBody();
    }

    interface IClient
    {
        public function get(string $uri, array $options = []): IResponse;
    }

    interface IClientService
    {
        public function newClient(): IClient;
    }
}

namespace OCP\L10N {
    interface IFactory
    {
        public function get($app, $lang = null, $locale = null);
        public function getUserLanguage(?\OCP\IUser $user = null): string;
    }
}

namespace OCP\Mail {
    interface IEMailTemplate
    {
        public function setSubject(string $subject): void;
        public function addHeader(): void;
        public function addHeading(string $title, string|bool $plainTitle = ''): void;
        public function addBodyText(string $text, string|bool $plainText = ''): void;
        public function addBodyButton(string $text, string $url, string|bool $plainText = ''): void;
        public function addFooter(string $text = '', ?string $lang = null): void;
    }

    interface IMessage
    {
        public function setFrom(array $addresses): IMessage;
        public function setReplyTo(array $addresses): IMessage;
        public function setTo(array $recipients): IMessage;
        public function setSubject(string $subject): IMessage;
        public function setPlainBody(string $body): IMessage;
        public function setHtmlBody(string $body): IMessage;
        public function setAutoSubmitted(string $value): IMessage;
        public function useTemplate(IEMailTemplate $emailTemplate): IMessage;
    }

    interface IMailer
    {
        public function createMessage(): IMessage;
        public function createEMailTemplate(string $emailId, array $data = []): IEMailTemplate;
        public function send(IMessage $message): array;
    }
}

namespace OCP\Notification {
    interface INotification
    {
        public function setApp(string $app): INotification;
        public function getApp(): string;
        public function setUser(string $user): INotification;
        public function setObject(string $type, string $id): INotification;
        public function getObjectType(): string;
        public function setDateTime(\DateTime $dateTime): INotification;
        public function setSubject(string $subject, array $parameters = []): INotification;
        public function getSubject(): string;
        public function getSubjectParameters(): array;
        public function setParsedSubject(string $subject): INotification;
        public function setParsedMessage(string $message): INotification;
        public function setIcon(string $icon): INotification;
        public function setLink(string $link): INotification;
    }

    interface INotifier
    {
        public function getID(): string;
        public function getName(): string;
        public function prepare(INotification $notification, string $languageCode): INotification;
    }

    interface IApp
    {
        public function notify(INotification $notification): void;
        public function markProcessed(INotification $notification): void;
    }

    interface IManager extends IApp
    {
        public function createNotification(): INotification;
    }
}

namespace OCP\Security {
    interface ISecureRandom
    {
        public const CHAR_SYMBOLS = '!#-';
        public const CHAR_ALPHANUMERIC = 'aA0';
        public function generate(int $length, string $characters = ''): string;
    }
}

namespace OCP\Security\VerificationToken {
    interface IVerificationToken
    {
        public function create(\OCP\IUser $user, string $subject, string $passwordPrefix = ''): string;
    }
}

namespace OCP\Settings {
    interface IDelegatedSettings
    {
        public function getName(): ?string;
        public function getAuthorizedAppConfig(): array;
    }
}

namespace OCP\AppFramework {
    class App
    {
        public function __construct(string $appName, array $urlParams = [])
        {
        }
    }

    class Http
    {
        public const STATUS_SEE_OTHER = 303;
    }

    abstract class Controller
    {
        public function __construct(protected $appName, protected \OCP\IRequest $request)
        {
        }
    }

    abstract class OCSController extends Controller
    {
        public function __construct(
            $appName,
            \OCP\IRequest $request,
            string $corsMethods = '',
            string $corsAllowedHeaders = '',
            int $corsMaxAge = 0,
        ) {
            parent::__construct($appName, $request);
        }
    }
}

namespace OCP\AppFramework\Bootstrap {
    interface IBootContext
    {
    }

    interface IRegistrationContext
    {
        public function registerEventListener(string $event, string $listener, int $priority = 0): void;
        public function registerNotifierService(string $notifierClass): void;
    }

    interface IBootstrap
    {
        public function register(IRegistrationContext $context): void;
        public function boot(IBootContext $context): void;
    }
}

namespace OCP\AppFramework\Http {
    class DataResponse
    {
        public function __construct(private mixed $data = [])
        {
        }

        public function getData()
        {
            return $this->data;
        }
    }

    class RedirectResponse
    {
        public function __construct(private string $redirectURL, public readonly int $status = 303)
        {
        }

        public function getRedirectURL()
        {
            return $this->redirectURL;
        }
    }

    class StreamResponse
    {
        private array $headers = [];

        public function __construct(mixed $filePath, int $status = 200, array $headers = [])
        {
        }

        public function addHeader($name, $value)
        {
            $this->headers[$name] = $value;
            return $this;
        }

        public function getHeaders()
        {
            return $this->headers;
        }
    }

    class TemplateResponse
    {
        public function __construct(string $appName, private string $templateName, private array $params = [])
        {
        }

        public function getTemplateName()
        {
            return $this->templateName;
        }

        public function getParams()
        {
            return $this->params;
        }
    }
}

namespace OCP\AppFramework\Http\Events {
    use OCP\AppFramework\Http\TemplateResponse;
    use OCP\EventDispatcher\Event;

    class BeforeTemplateRenderedEvent extends Event
    {
        public function __construct(private bool $loggedIn, private TemplateResponse $response)
        {
        }
    }

    class BeforeLoginTemplateRenderedEvent extends Event
    {
        public function __construct(private TemplateResponse $response)
        {
        }
    }
}

namespace OCP\AppFramework\Http\Attribute {
    #[\Attribute(\Attribute::TARGET_METHOD)]
    class AuthorizedAdminSetting
    {
        public function __construct(public string $settings)
        {
        }
    }

    #[\Attribute(\Attribute::TARGET_METHOD)]
    class UserRateLimit
    {
        public function __construct(protected int $limit, protected int $period)
        {
        }
    }
}

namespace OCP\AppFramework\OCS {
    class OCSForbiddenException extends \Exception
    {
    }
}

namespace OCP\AppFramework\Utility {
    interface ITimeFactory
    {
        public function getTime(): int;
        public function getDateTime(string $time = 'now', ?\DateTimeZone $timezone = null): \DateTime;
    }
}

namespace OC {
    /** As the server's own keeps them: rows with a type each, and readers that refuse another. */
    class AppConfig implements \OCP\IAppConfig
    {
        /** @var array<string, array<string, array{string, int, bool}>> application => key => value, type, lazy */
        public array $rows = [];
        public int $cleared = 0;
        /** @var list<string> keys that go by another name now */
        public array $unknown = [];

        public function clearCache(bool $reload = false): void
        {
            $this->cleared++;
        }

        public function deleteKey(string $app, string $key): void
        {
            unset($this->rows[$app][$key]);
        }

        public function updateType(string $app, string $key, int $type = self::VALUE_MIXED): bool
        {
            $this->rows[$app][$key][1] = $type;
            return true;
        }

        public function setValueMixed(string $app, string $key, string $value, bool $lazy = false, bool $sensitive = false): bool
        {
            $type = $this->rows[$app][$key][1] ?? self::VALUE_MIXED;
            if ($type !== self::VALUE_MIXED) {
                throw new \OCP\Exceptions\AppConfigTypeConflictException($key);
            }
            $this->rows[$app][$key] = [$value, $type, $lazy];
            return true;
        }

        public function getKeys(string $app): array
        {
            return array_keys($this->rows[$app] ?? []);
        }

        public function isLazy(string $app, string $key): bool
        {
            if (in_array("$app/$key", $this->unknown, true)) {
                throw new \OCP\Exceptions\AppConfigUnknownKeyException($key);
            }
            return $this->rows[$app][$key][2];
        }

        public function getValueString(string $app, string $key, string $default = '', bool $lazy = false): string
        {
            return $this->read($app, $key, self::VALUE_STRING);
        }

        public function getValueInt(string $app, string $key, int $default = 0, bool $lazy = false): int
        {
            return (int)$this->read($app, $key, self::VALUE_INT);
        }

        public function getValueFloat(string $app, string $key, float $default = 0, bool $lazy = false): float
        {
            return (float)$this->read($app, $key, self::VALUE_FLOAT);
        }

        public function getValueBool(string $app, string $key, bool $default = false, bool $lazy = false): bool
        {
            return (bool)$this->read($app, $key, self::VALUE_BOOL);
        }

        public function getValueArray(string $app, string $key, array $default = [], bool $lazy = false): array
        {
            return (array)json_decode($this->read($app, $key, self::VALUE_ARRAY), true);
        }

        private function read(string $app, string $key, int $type): string
        {
            [$value, $stored] = $this->rows[$app][$key];
            if (($stored & ~self::VALUE_SENSITIVE) !== self::VALUE_MIXED && ($stored & ~self::VALUE_SENSITIVE) !== $type) {
                throw new \OCP\Exceptions\AppConfigTypeConflictException($key);
            }
            return str_starts_with($value, '$AppConfigEncryption$') ? 'in the clear' : $value;
        }
    }

    class Installer
    {
        /** @var list<string> */
        public array $installed = [];

        public function installApp(string $appId, bool $forceEnable = false): string
        {
            $this->installed[] = $appId;
            return $appId;
        }
    }
}

namespace OCA\Settings\Service {
    class AuthorizedGroupService
    {
        /** @var array<int, object{id: int, group: string, class: string}> */
        public array $entries = [];

        public function findExistingGroupsForClass(string $class): array
        {
            return array_filter($this->entries, fn ($entry): bool => $entry->class === $class);
        }

        public function create(string $groupId, string $class): object
        {
            $id = count($this->entries) + 1;
            return $this->entries[$id] = new class ($id, $groupId, $class) {
                public function __construct(public int $id, public string $group, public string $class)
                {
                }

                public function getId(): int
                {
                    return $this->id;
                }

                public function getGroupId(): string
                {
                    return $this->group;
                }
            };
        }

        public function delete(int $id): void
        {
            unset($this->entries[$id]);
        }
    }
}

namespace OCA\Theming {
    class ImageManager
    {
        public ?string $content = null;

        public function getImage(string $key, bool $useSvg = true): \OCP\Files\SimpleFS\ISimpleFile
        {
            if ($this->content === null) {
                throw new \OCP\Files\NotFoundException();
            }
            return new class ($this->content) implements \OCP\Files\SimpleFS\ISimpleFile {
                public function __construct(private string $content)
                {
                }

                public function getContent(): string
                {
                    return $this->content;
                }
            };
        }

        public function updateImage(string $key, string $tmpFile): string
        {
            $this->content = (string)file_get_contents($tmpFile);
            return 'image/png';
        }
    }

    class ThemingDefaults
    {
        /** @var array<string, string> */
        public array $values = [];

        public function set($setting, $value): void
        {
            $this->values[$setting] = $value;
        }

        public function undo($setting): string
        {
            unset($this->values[$setting]);
            return '';
        }
    }
}
