<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel;

use OC\Installer;
use OCA\Archipel\BackgroundJob\SwitchOffice;
use OCA\Archipel\Converge\Invitation;
use OCA\Archipel\Converge\Office;
use OCA\Archipel\Converge\Space;
use OCA\Archipel\Nextcloud\People;
use OCA\Archipel\Nextcloud\StoredSettings;
use OCA\Settings\Service\AuthorizedGroupService;
use OCA\Theming\ImageManager;
use OCA\Theming\ThemingDefaults;
use OCP\App\IAppManager;
use OCP\BackgroundJob\IJobList;
use OCP\DB\QueryBuilder\IQueryBuilder;
use OCP\Defaults;
use OCP\EventDispatcher\IEventDispatcher;
use OCP\Files\NotFoundException;
use OCP\Group\ISubAdmin;
use OCP\Http\Client\IClientService;
use OCP\IConfig;
use OCP\IDBConnection;
use OCP\IGroupManager;
use OCP\IURLGenerator;
use OCP\IUserManager;
use OCP\L10N\IFactory;
use OCP\Log\BeforeMessageLoggedEvent;
use OCP\Mail\Headers\AutoSubmitted;
use OCP\Mail\IMailer;
use OCP\Security\ISecureRandom;
use OCP\Security\VerificationToken\IVerificationToken;
use OCP\Server;
use OCP\Settings\IDelegatedSettings;
use OCP\Util;

/**
 * A space as Nextcloud 29 to 35 know it.
 *
 * The only class that uses what is the server's own (OC) or another application's, here or in its
 * parts (Nextcloud/): what else speaks to Nextcloud uses its public interfaces (OCP), which do not
 * change between releases.
 */
final class NextcloudSpace implements Space
{
    use People;
    use StoredSettings;

    public function __construct(
        private IAppManager $apps,
        private IConfig $config,
        private IDBConnection $database,
        private IUserManager $users,
        private IGroupManager $groups,
        private ISubAdmin $subadmins,
        private ISecureRandom $random,
        private IVerificationToken $tokens,
        private IURLGenerator $urls,
        private IMailer $mailer,
        private IFactory $languages,
        private Defaults $defaults,
    ) {
    }

    public function version(): string
    {
        return implode('.', Util::getVersion());
    }

    public function isEnabled(string $app): bool
    {
        return array_key_exists($app, $this->applications());
    }

    public function obstacle(string $app): ?string
    {
        try {
            $this->apps->getAppPath($app);
        } catch (\OCP\App\AppPathNotFoundException) {
            return 'it is not part of this release';
        }
        return null;
    }

    public function mayBeDisabled(string $app): bool
    {
        return !in_array($app, $this->apps->getAlwaysEnabledApps(), true);
    }

    /**
     * What occ app:enable does. IAppManager::enableApp() alone leaves the tables of a
     * newer version behind, and the space then asks for an upgrade.
     */
    public function enable(string $app): void
    {
        Server::get(Installer::class)->installApp($app);
        $this->apps->enableApp($app);
    }

    public function disable(string $app): void
    {
        $this->apps->disableApp($app);
    }

    public function applications(): array
    {
        $enabled = method_exists($this->apps, 'getEnabledApps')
            ? $this->apps->getEnabledApps()
            : $this->apps->getInstalledApps();
        $applications = [];
        foreach ($enabled as $app) {
            $applications[$app] = $this->apps->getAppVersion($app);
        }
        ksort($applications);
        return $applications;
    }

    public function logo(): ?string
    {
        try {
            return hash('sha256', Server::get(ImageManager::class)->getImage('logo', false)->getContent());
        } catch (NotFoundException) {
            return null;
        }
    }

    /** What the theming page does with an uploaded picture. */
    public function saveLogo(string $file): void
    {
        $type = Server::get(ImageManager::class)->updateImage('logo', $file);
        Server::get(ThemingDefaults::class)->set('logoMime', $type);
    }

    public function removeLogo(): void
    {
        Server::get(ThemingDefaults::class)->undo('logo');
        Server::get(ThemingDefaults::class)->undo('logoMime');
    }

    public function isDelegable(string $class): bool
    {
        return class_exists($class) && is_subclass_of($class, IDelegatedSettings::class);
    }

    public function delegates(string $class): array
    {
        return array_map(
            fn ($entry): string => $entry->getGroupId(),
            array_values(Server::get(AuthorizedGroupService::class)->findExistingGroupsForClass($class)),
        );
    }

    public function delegate(string $class, string $group): void
    {
        Server::get(AuthorizedGroupService::class)->create($group, $class);
    }

    public function revoke(string $class, string $group): void
    {
        $service = Server::get(AuthorizedGroupService::class);
        foreach ($service->findExistingGroupsForClass($class) as $entry) {
            if ($entry->getGroupId() === $group) {
                $service->delete($entry->getId());
            }
        }
    }

    public function invitedAt(string $uid): int
    {
        return (int)$this->config->getUserValue($uid, 'archipel', 'invited_at', '0');
    }

    public function markInvited(string $uid): void
    {
        $this->config->setUserValue($uid, 'archipel', 'invited_at', (string)time());
    }

    public function passwordLink(string $uid): string
    {
        $user = $this->user($uid);
        // The subject and prefix are those that the "forgotten password" page checks.
        $token = $this->tokens->create($user, 'lostpassword', (string)$user->getEMailAddress());
        return $this->urls->linkToRouteAbsolute('core.lost.resetform', ['userId' => $uid, 'token' => $token]);
    }

    public function presentLink(string $uid): string
    {
        return (string)$this->config->getUserValue($uid, 'core', 'lostpassword', '');
    }

    public function restoreLink(string $uid, string $present): void
    {
        $this->config->setUserValue($uid, 'core', 'lostpassword', $present);
    }

    /** No release lets it be set; the class says how long it is. */
    public function linkSeconds(): int
    {
        $seconds = (new \ReflectionClass($this->tokens))->getConstant('TOKEN_LIFETIME');
        return is_int($seconds) ? $seconds : throw new \RuntimeException('this release does not say how long its links work');
    }

    public function name(): string
    {
        return $this->defaults->getName();
    }

    public function url(): string
    {
        return rtrim($this->urls->getAbsoluteURL('/'), '/');
    }

    public function timezone(): string
    {
        return $this->config->getSystemValueString('default_timezone', 'UTC');
    }

    public function translate(string $language, string $text, array $parameters): string
    {
        // Without a language: the reader's own, and from a command the space's.
        return $this->languages->get('archipel', $language === '' ? null : $language)->t($text, $parameters);
    }

    public function mail(Invitation $invitation): void
    {
        $message = $this->mailer->createMessage();
        $from = self::inHeader($invitation->fromName);
        $message->setTo([$invitation->to => self::inHeader($invitation->name)]);
        if ($from !== '') {
            $message->setFrom([Util::getDefaultEmailAddress('no-reply') => $from]);
        }
        if ($invitation->replyTo !== '') {
            $message->setReplyTo([$invitation->replyTo => $from]);
        }
        $message->setSubject(self::inHeader($invitation->subject));
        $message->setPlainBody($invitation->body);
        $message->setHtmlBody($invitation->html);
        // Nobody's absence is answered to the operator.
        $message->setAutoSubmitted(AutoSubmitted::VALUE_AUTO_GENERATED);
        $why = $this->overheard(function () use ($message, &$failed): void {
            $failed = $this->mailer->send($message);
        });
        if ($failed !== []) {
            throw new \RuntimeException('not accepted for ' . implode(', ', $failed) . ($why === '' ? '' : ": $why"));
        }
    }

    /**
     * A text for a header. The mailer leaves plain letters as they are, also those that look like an
     * encoded word, which readers would decode: with a sign that is none of them it encodes them.
     */
    private static function inHeader(string $text): string
    {
        return str_replace('=?', "=\u{2060}?", $text);
    }

    /** The mailer says why it failed to the log alone: this is the reason that was logged last. */
    private function overheard(callable $do): string
    {
        $why = '';
        $listen = function (BeforeMessageLoggedEvent $event) use (&$why): void {
            $said = $event->getMessage();
            $why = isset($said['Exception'], $said['Message']) ? (string)$said['Message'] : $why;
        };
        $events = Server::get(IEventDispatcher::class);
        $events->addListener(BeforeMessageLoggedEvent::class, $listen);
        try {
            $do();
        } finally {
            $events->removeListener(BeforeMessageLoggedEvent::class, $listen);
        }
        return trim((string)preg_replace('/\s+/', ' ', $why));
    }

    public function lastCron(): int
    {
        return (int)$this->setting('core', 'lastcron');
    }

    public function disk(): array
    {
        $data = $this->config->getSystemValueString('datadirectory');
        return ['size' => (int)@disk_total_space($data), 'free' => (int)@disk_free_space($data)];
    }

    public function indexed(): int
    {
        // The folders right below the root of each storage know what is in them; the root does not.
        $query = $this->database->getQueryBuilder();
        $query->select('fileid')->from('filecache')
            ->where($query->expr()->eq('path_hash', $query->createNamedParameter(md5(''))));
        $roots = $query->executeQuery()->fetchAll(\PDO::FETCH_COLUMN);
        $bytes = 0;
        foreach (array_chunk($roots, 500) as $some) {
            $query = $this->database->getQueryBuilder();
            $query->select($query->func()->sum('size'))->from('filecache')
                ->where($query->expr()->in('parent', $query->createNamedParameter($some, IQueryBuilder::PARAM_INT_ARRAY)))
                // -1 is "not yet known".
                ->andWhere($query->expr()->gt('size', $query->createNamedParameter(0, IQueryBuilder::PARAM_INT)));
            $bytes += (int)$query->executeQuery()->fetchOne();
        }
        return $bytes;
    }

    public function openDocuments(array $how): ?int
    {
        try {
            if (isset($how['query'])) {
                $query = str_replace('{now}', (string)time(), $how['query']);
                return (int)$this->database->executeQuery($query)->fetchOne();
            }
            // The operator's own server, which may be on a private network.
            $options = ['timeout' => 5, 'nextcloud' => ['allow_local_address' => true]];
            $answer = Server::get(IClientService::class)->newClient()->get($how['url'], $options)->getBody();
            return Office::number((string)$answer, $how['key']);
        } catch (\Throwable) {
            return null;
        }
    }

    public function scheduleSwitch(): void
    {
        Server::get(IJobList::class)->add(SwitchOffice::class);
    }

    /** The numbers of the release, as people know them. */
    public function release(): string
    {
        return implode('.', array_slice(Util::getVersion(), 0, 3));
    }

    /** Asks the node to run this space's jobs soon, instead of at their next turn. */
    public function askForJobs(): void
    {
        $folder = $this->config->getSystemValueString('tempdirectory');
        if ($folder !== '') {
            @touch("$folder/jobs-wanted");
        }
    }

    /** Leaves a request for the operator where the node takes it; false: an earlier one is still there. */
    public function leaveRequest(string $json): bool
    {
        $folder = $this->config->getSystemValueString('tempdirectory');
        if ($folder === '') {
            return false;
        }
        $written = tempnam($folder, 'change');
        if ($written === false) {
            return false;
        }
        try {
            // A link is made only where nothing is: nobody's request takes the place of another's.
            return file_put_contents($written, $json) === strlen($json) && @link($written, "$folder/change-wanted");
        } finally {
            unlink($written);
        }
    }

    /** Whether a request is still on its way. */
    public function hasRequest(): bool
    {
        $folder = $this->config->getSystemValueString('tempdirectory');
        return $folder !== '' && file_exists("$folder/change-wanted");
    }

    /** Asks the node for an export; false: it was asked already, or cannot be. */
    public function askForExport(): bool
    {
        $folder = $this->config->getSystemValueString('tempdirectory');
        return $folder !== '' && !$this->hasExportRequest() && @touch("$folder/export-wanted");
    }

    /** Whether the node has yet to answer. */
    public function hasExportRequest(): bool
    {
        $folder = $this->config->getSystemValueString('tempdirectory');
        return $folder !== '' && file_exists("$folder/export-wanted");
    }

    /** What the node says of the export; null: nothing. */
    public function exportState(): ?string
    {
        $said = @file_get_contents($this->exports() . '/state.json', false, null, 0, 4096);
        return $said === false ? null : $said;
    }

    /** The archive that the node has made; null: there is none. */
    public function exportFile(): ?string
    {
        $file = $this->exports() . '/export.tar.gz';
        return is_file($file) && is_readable($file) ? $file : null;
    }

    /** The folder of the space in which its node puts exports, and the space nothing. */
    private function exports(): string
    {
        return dirname($this->config->getSystemValueString('tempdirectory')) . '/export';
    }
}
