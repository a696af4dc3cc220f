<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\BackgroundJob\SwitchOffice;
use OCA\Archipel\BackgroundJob\WarnWhenFull;
use OCA\Archipel\Controller\ChangeController;
use OCA\Archipel\Controller\ExportController;
use OCA\Archipel\Controller\OfficeApiController;
use OCA\Archipel\Controller\OfficeController;
use OCA\Archipel\Converge\Change;
use OCA\Archipel\Converge\Export;
use OCA\Archipel\Listener\Administrators;
use OCA\Archipel\Listener\CopyBanner;
use OCA\Archipel\Listener\HoldAccountLimit;
use OCA\Archipel\Notification\Letter;
use OCA\Archipel\Notification\Notifier;
use OCA\Archipel\Page\Asked;
use OCA\Archipel\Page\ChangeRequest;
use OCA\Archipel\Page\ExportRequest;
use OCA\Archipel\Page\OfficeChoice;
use OCA\Archipel\Page\Overview;
use OCA\Archipel\Page\Size;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Bootstrap\IRegistrationContext;
use OCP\AppFramework\Http\Events\BeforeLoginTemplateRenderedEvent;
use OCP\AppFramework\Http\Events\BeforeTemplateRenderedEvent;
use OCP\AppFramework\Http\StreamResponse;
use OCP\AppFramework\Http\TemplateResponse;
use OCP\AppFramework\OCS\OCSForbiddenException;
use OCP\AppFramework\Utility\ITimeFactory;
use OCP\Defaults;
use OCP\EventDispatcher\Event;
use OCP\Group\Events\UserAddedEvent;
use OCP\Group\Events\UserRemovedEvent;
use OCP\IAppConfig;
use OCP\IL10N;
use OCP\IRequest;
use OCP\IURLGenerator;
use OCP\IUserSession;
use OCP\Mail\IEMailTemplate;
use OCP\Mail\IMessage;
use OCP\Notification\IManager;
use OCP\Notification\INotification;
use OCP\User\Events\UserChangedEvent;
use OCP\Util;
use Psr\Log\LoggerInterface;

/** What runs by itself inside a space: listeners, jobs, the page and its form. */
final class InsideTest extends Nextcloud
{
    private const SUITES = [
        'a' => ['name' => 'A', 'application' => 'a1'],
        'b' => ['name' => 'B', 'application' => 'b1'],
    ];

    public function testWhatIsRegistered(): void
    {
        $seen = [];
        $context = $this->createMock(IRegistrationContext::class);
        $context->method('registerEventListener')->willReturnCallback(function (string $event, string $listener) use (&$seen): void {
            $seen[] = [$event, $listener];
        });
        (new Application())->register($context);
        self::assertContains([UserAddedEvent::class, Administrators::class], $seen);
        self::assertContains([UserRemovedEvent::class, Administrators::class], $seen);
        self::assertContains([UserChangedEvent::class, HoldAccountLimit::class], $seen);
        self::assertContains([BeforeTemplateRenderedEvent::class, CopyBanner::class], $seen);
        self::assertContains([BeforeLoginTemplateRenderedEvent::class, CopyBanner::class], $seen);
    }

    public function testEveryPageOfACopySaysWhatItIsAndNoOtherDoes(): void
    {
        $page = new TemplateResponse('files', 'index');
        foreach (['', '[]', '{"on": "2026-05-30"}', 'not JSON', '"velo"'] as $stored) {
            self::assertSame([], $this->givenTo(new BeforeTemplateRenderedEvent(true, $page), $stored), $stored);
        }
        $copy = '{"space": "velo-ecole", "on": "2026-05-30", "until": "2026-06-29"}';
        foreach ([new BeforeTemplateRenderedEvent(false, $page), new BeforeLoginTemplateRenderedEvent($page)] as $event) {
            [[$tag, $meta], $style, $script] = $this->givenTo($event, $copy);
            self::assertSame(['meta', CopyBanner::META], [$tag, $meta['name']]);
            self::assertSame([['style', 'archipel', 'copy'], ['script', 'archipel', 'copy']], [$style, $script]);
            foreach (['velo-ecole', '2026-05-30', '2026-06-29', 'No mail'] as $word) {
                self::assertStringContainsString($word, $meta['content']);
            }
        }
    }

    /** @return list<array<mixed>> what a page is given in a space with this setting */
    private function givenTo(Event $event, string $stored): array
    {
        Util::$given = [];
        $config = $this->createMock(IAppConfig::class);
        $config->method('getValueString')->with('archipel', CopyBanner::SETTING, '')->willReturn($stored);
        $l10n = $this->createMock(IL10N::class);
        $l10n->method('t')->willReturnCallback(fn (string $text, array $parameters = []): string => vsprintf($text, $parameters));
        (new CopyBanner($config, $l10n))->handle($event);
        return Util::$given;
    }

    public function testWhoJoinsTheAdministratorsLooksAfterTheMembersUntilTheyLeave(): void
    {
        $listener = new Administrators($this->groupManager(), $this->subadminManager(), $this->space);
        $ada = $this->account('ada');
        $admins = $this->group(Application::ADMINISTRATORS);
        $listener->handle(new UserAddedEvent($admins, $ada));
        self::assertSame([], $this->subadmins, 'there are no members yet');
        $this->group(Application::MEMBERS);
        $listener->handle(new UserAddedEvent($this->group('other'), $ada));
        $listener->handle(new Event());
        self::assertSame([], $this->subadmins);
        $listener->handle(new UserAddedEvent($admins, $ada));
        $listener->handle(new UserAddedEvent($admins, $ada));
        self::assertSame(['members' => ['ada']], $this->subadmins);
        $listener->handle(new UserRemovedEvent($admins, $ada));
        $listener->handle(new UserRemovedEvent($admins, $ada));
        self::assertSame(['members' => []], $this->subadmins);
    }

    public function testAnAccountAboveTheLimitIsNotEnabled(): void
    {
        $this->system = ['one-click-instance' => true, 'one-click-instance.user-limit' => 1];
        $ada = $this->account('ada');
        $listener = new HoldAccountLimit($this->space);
        $listener->handle(new UserChangedEvent($ada, 'enabled', true));
        $this->account('bob')->expects(self::once())->method('setEnabled')->with(false);
        $listener->handle(new UserChangedEvent($this->users['bob'], 'enabled', false));
        $listener->handle(new UserChangedEvent($this->users['bob'], 'displayName', true));
        $this->expectException(OCSForbiddenException::class);
        $listener->handle(new UserChangedEvent($this->users['bob'], 'enabled', true));
    }

    public function testTheJobChangesTheSuite(): void
    {
        $this->offices(self::SUITES, 'a');
        $this->enabled = ['b1'];
        $this->settings->rows['archipel']['office_since'] = ['1', IAppConfig::VALUE_MIXED, false];
        (new SwitchOffice($this->createMock(ITimeFactory::class), $this->space))->start($this->jobList());
        self::assertSame(['a1'], $this->enabled);
        self::assertArrayNotHasKey('office_since', $this->settings->rows['archipel']);
    }

    public function testTheJobWaitsForOpenDocuments(): void
    {
        $suites = self::SUITES;
        $suites['b']['open'] = ['url' => 'https://office', 'key' => 'open'];
        $this->offices($suites, 'a');
        $this->enabled = ['b1'];
        $this->client->method('newClient')->willThrowException(new \RuntimeException());
        (new SwitchOffice($this->createMock(ITimeFactory::class), $this->space))->start($this->jobList());
        self::assertSame([['b1'], [SwitchOffice::class]], [$this->enabled, $this->jobs]);
    }

    private function choice(): OfficeChoice
    {
        return new OfficeChoice($this->space, $this->jobList());
    }

    public function testTheChoiceOfASuite(): void
    {
        $this->offices(self::SUITES, 'a');
        $this->enabled = ['a1'];
        self::assertSame('There is no such office suite here.', $this->choice()->make('c'));
        self::assertNull($this->choice()->make('a'));
        self::assertSame([], $this->jobs);
        self::assertNull($this->choice()->make('b'));
        self::assertSame([SwitchOffice::class], $this->jobs);
        // A web request never installs anything.
        self::assertSame(['a1'], $this->enabled);
        self::assertSame(['b', 'a'], [$this->choice()->state()['chosen'], $this->choice()->state()['enabled']]);
        $this->offices(self::SUITES, 'a', pinned: true);
        self::assertSame('The operator has chosen the office suite of this space.', $this->choice()->make('b'));
    }

    public function testTheFormAndTheProgramsInterface(): void
    {
        $this->offices(self::SUITES, 'a');
        $urls = $this->createMock(IURLGenerator::class);
        $urls->method('linkToRoute')->willReturn('/settings');
        $form = new OfficeController($this->createMock(IRequest::class), $this->choice(), $urls);
        self::assertSame('/settings#archipel-office', $form->choose('b')->getRedirectURL());
        self::assertSame('/settings?office=refused#archipel-office', $form->choose('c')->getRedirectURL());
        $api = new OfficeApiController($this->createMock(IRequest::class), $this->choice());
        self::assertSame('a', $api->choose('a')->getData()['chosen']);
        self::assertSame(['a' => 'A', 'b' => 'B'], $api->show()->getData()['suites']);
        $this->expectException(OCSForbiddenException::class);
        $api->choose('c');
    }

    private function changes(): ChangeRequest
    {
        $session = $this->createMock(IUserSession::class);
        $session->method('getUser')->willReturn($this->account('ada'));
        return new ChangeRequest($this->space, $session);
    }

    private function exports(?LoggerInterface $logger = null): ExportRequest
    {
        $session = $this->createMock(IUserSession::class);
        $session->method('getUser')->willReturn($this->account('ada'));
        return new ExportRequest($this->space, $session, $logger ?? $this->createMock(LoggerInterface::class));
    }

    public function testAnExportIsAskedForAndFetchedOnRecord(): void
    {
        self::assertFalse($this->exports()->start());
        $home = sys_get_temp_dir() . '/archipel-' . bin2hex(random_bytes(6));
        mkdir("$home/tmp", 0700, true);
        $this->system = ['tempdirectory' => "$home/tmp"];
        $logger = $this->createMock(LoggerInterface::class);
        $logger->expects(self::exactly(2))->method('warning')->with(
            self::stringContains('export of this whole space'),
            self::callback(fn (array $who): bool => $who['uid'] === 'ada'),
        );
        $urls = $this->createMock(IURLGenerator::class);
        $urls->method('linkToRoute')->willReturn('/settings');
        $form = new ExportController($this->createMock(IRequest::class), $this->exports($logger), $urls);
        self::assertSame('/settings?export=gone#archipel-export', $form->fetch()->getRedirectURL());
        self::assertSame('/settings?export=asked#archipel-export', $form->start()->getRedirectURL());
        self::assertFileExists("$home/tmp/export-wanted");
        self::assertTrue($this->exports()->state()['way']);
        self::assertSame('/settings?export=there#archipel-export', $form->start()->getRedirectURL());
        // The node answers.
        unlink("$home/tmp/export-wanted");
        mkdir("$home/export");
        file_put_contents("$home/export/state.json", '{"state": "failed", "at": 5}');
        self::assertSame([false, true], [$this->exports()->state()['ready'], $this->exports()->state()['failed']]);
        file_put_contents("$home/export/state.json", '{"state": "ready", "at": 5, "until": 6, "size": 3}');
        self::assertFalse($this->exports()->state()['ready']);
        file_put_contents("$home/export/export.tar.gz", 'tar');
        self::assertSame(['way' => false, 'ready' => true, 'failed' => false, 'at' => 5, 'until' => 6, 'size' => 3], $this->exports()->state());
        self::assertFalse($this->exports()->start());
        $answer = $form->fetch();
        self::assertInstanceOf(StreamResponse::class, $answer);
        self::assertSame(['3', 'attachment; filename="export.tar.gz"'], [$answer->getHeaders()['Content-Length'], $answer->getHeaders()['Content-Disposition']]);
        array_map('unlink', ["$home/export/export.tar.gz", "$home/export/state.json"]);
        array_map('rmdir', ["$home/export", "$home/tmp", $home]);
    }

    public function testADamagedStateOfAnExportIsNone(): void
    {
        foreach ([null, '', '{', '[]', '"x"', '{"state": "gone"}', '{"state": ["ready"]}'] as $said) {
            self::assertNull(Export::of($said));
        }
        $export = Export::of('{"state": "running", "at": "x", "size": {}}');
        self::assertSame([Export::RUNNING, 0, 0, 0], [$export?->state, $export?->at, $export?->until, $export?->size]);
    }

    public function testWhatAnAssociationAsksForIsLeftForItsNode(): void
    {
        $folder = sys_get_temp_dir() . '/archipel-' . bin2hex(random_bytes(6));
        mkdir($folder);
        // Without a folder nothing is asked for, and nobody is told that it was.
        self::assertSame('way', $this->changes()->make('storage', '80', '', ''));
        self::assertSame(['last' => null, 'way' => false], $this->changes()->state());
        $this->system = ['tempdirectory' => $folder];
        self::assertNull($this->changes()->make('storage', ' 80 ', "Nous grandissons.\r\nMerci", ''));
        $left = json_decode((string)file_get_contents("$folder/change-wanted"), true);
        self::assertSame(['account' => 'ada', 'what' => 'storage', 'text' => "Nous grandissons.\nMerci", 'value' => 80], $left);
        // One at a time: the first is nobody's to overwrite.
        self::assertSame('way', $this->changes()->make('accounts', '90', '', ''));
        self::assertSame(['change-wanted'], array_values(array_diff((array)scandir($folder), ['.', '..'])));
        self::assertSame(80, json_decode((string)file_get_contents("$folder/change-wanted"), true)['value']);
        $state = $this->changes()->state();
        self::assertSame(['storage', 80, 'ada', true], [$state['last']['what'], $state['last']['value'], $state['last']['by'], $state['way']]);
        unlink("$folder/change-wanted");
        self::assertNull($this->changes()->make('close', '', '', 'close'));
        self::assertSame(['account' => 'ada', 'what' => 'close', 'text' => ''], json_decode((string)file_get_contents("$folder/change-wanted"), true));
        unlink("$folder/change-wanted");
        rmdir($folder);
    }

    public function testTheFormForAChange(): void
    {
        $urls = $this->createMock(IURLGenerator::class);
        $urls->method('linkToRoute')->willReturn('/settings');
        $form = new ChangeController($this->createMock(IRequest::class), $this->changes(), $urls);
        self::assertSame('/settings?change=number#archipel-change', $form->ask('storage', 'many')->getRedirectURL());
        self::assertSame('/settings?change=way#archipel-change', $form->ask('storage', '80')->getRedirectURL());
    }

    /** @dataProvider requests */
    #[\PHPUnit\Framework\Attributes\DataProvider('requests')]
    public function testWhatIsNoRequestIsRefused(string $kind, string $value, string $text, string $confirmed, string $refusal): void
    {
        self::assertSame($refusal, Change::of($kind, $value, $text, $confirmed));
        self::assertArrayHasKey($refusal, Change::REFUSALS);
    }

    /** @return iterable<array{string, string, string, string, string}> */
    public static function requests(): iterable
    {
        yield ['', '', '', '', 'kind'];
        yield ['purge', '1', '', 'purge', 'kind'];
        foreach (['', '0', '-1', '1.5', '1e3', '08', '99999999', 'many', '10; DROP', "80\n81", '{{ 7 * 7 }}'] as $value) {
            yield ['storage', $value, '', '', 'number'];
        }
        yield ['accounts', '100001', '', '', 'number'];
        foreach (['', 'a', 'https://cloud.example.org', 'cloud.example.org/', '*.example.org', 'a b.org', '../etc', 'x' . str_repeat('.example', 40), "a.org\nb.org", 'vélo.org', '127.0.0.1'] as $value) {
            yield ['domain', $value, '', '', 'domain'];
        }
        yield ['close', '', '', '', 'confirm'];
        yield ['suspend', '', '', 'close', 'confirm'];
        yield ['storage', '80', str_repeat('x', 2001), '', 'text'];
        yield ['storage', '80', "\xff", '', 'text'];
    }

    public function testHostileWordsStayWords(): void
    {
        $text = '</script><script>alert(1)</script> {{ x }} "\'; \\ ' . "\u{202e}";
        $change = Change::of('domain', ' Cloud.Example.ORG ', $text, '');
        self::assertInstanceOf(Change::class, $change);
        $left = json_decode($change->json('a"b'), true);
        self::assertSame(['a"b', 'cloud.example.org', $text], [$left['account'], $left['value'], $left['text']]);
    }

    /** @dataProvider notes */
    #[\PHPUnit\Framework\Attributes\DataProvider('notes')]
    public function testANoteThatIsDamagedIsNone(string $stored): void
    {
        $this->settings->rows['archipel'][Change::LAST] = [$stored, IAppConfig::VALUE_MIXED, false];
        self::assertNull(Change::last($this->space));
    }

    /** @return iterable<array{string}> */
    public static function notes(): iterable
    {
        foreach (['', '{', '[]', '"x"', '{"what": "purge"}', '{"what": ["storage"]}'] as $stored) {
            yield [$stored];
        }
    }

    public function testEveryKindHasAFormAndWords(): void
    {
        $l = $this->languages()->get('archipel');
        self::assertSame(Change::KINDS, array_keys(Asked::forms($l)));
        foreach (Change::KINDS as $kind) {
            self::assertNotSame('', Asked::words($l, $kind, 5));
        }
        self::assertSame('the domain cloud.example.org', Asked::words($l, 'domain', 'cloud.example.org'));
    }

    private function overview(): Overview
    {
        // The limit of the storage is the size of the disk, so that the index is not asked.
        $data = sys_get_temp_dir();
        $this->system = ['datadirectory' => $data];
        $this->settings->rows['archipel']['storage'] = [(string)(int)disk_total_space($data), IAppConfig::VALUE_MIXED, false];
        return new Overview($this->space, $this->createMock(IURLGenerator::class), $this->createMock(IRequest::class), $this->administrators(), $this->changes(), $this->exports());
    }

    public function testASuiteThatNobodyChoseIsNotSaidToBeInUse(): void
    {
        // The space was given b, which its release does not hold.
        $this->offices(['a' => self::SUITES['a']], 'b');
        $overview = $this->overview();
        $values = $overview->values();
        self::assertSame([null, false, ['a']], [$values['chosen'], $values['single'], array_keys($values['suites'])]);
        $this->offices(['a' => self::SUITES['a']], 'a');
        self::assertTrue($overview->values()['single']);
    }

    public function testThePageMySpace(): void
    {
        $this->offices(self::SUITES, 'a');
        $this->enabled = ['a1'];
        $this->settings->rows['archipel']['operator'] = ['{"name": "Federation"}', IAppConfig::VALUE_MIXED, false];
        $page = new MySpace($this->overview(), $this->languages()->get('archipel'));
        $values = $page->getForm()->getParams();
        self::assertSame('my-space', $page->getForm()->getTemplateName());
        self::assertSame(['name' => 'Federation', 'url' => '', 'email' => '', 'help_url' => ''], $values['operator']);
        self::assertSame(['a', 'a', false, []], [$values['chosen'], $values['enabled'], $values['waits'], $values['unserved']]);
        self::assertSame('disk', $values['storage']['counted']);
        self::assertSame([null, false, null, false], [$values['change']['last'], $values['change']['way'], $values['change']['refusal'], $values['change']['asked']]);
        self::assertSame([false, false, false], [$values['export']['way'], $values['export']['ready'], $values['export']['failed']]);
        self::assertSame([], $page->getAuthorizedAppConfig());
        self::assertSame(['archipel', 0, 'My space'], [$page->getSection(), $page->getPriority(), $page->getName()]);
    }

    /** @dataProvider sizes */
    #[\PHPUnit\Framework\Attributes\DataProvider('sizes')]
    public function testBytesInWords(int $bytes, string $words): void
    {
        self::assertSame($words, Size::words($this->languages()->get('archipel'), $bytes));
    }

    /** @return list<array{int, string}> */
    public static function sizes(): array
    {
        return [
            [-5, '0 B'], [0, '0 B'], [1023, '1023 B'], [1024, '1 KB'], [1_600, '2 KB'], [1_048_575, '1 MB'],
            [1_572_864, '1.5 MB'], [40 * 1024 ** 3, '40 GB'], [5_000 * 1024 ** 4, '5000 TB'],
        ];
    }

    private function notification(): INotification
    {
        $notification = $this->createMock(INotification::class);
        foreach (['setApp', 'setUser', 'setObject', 'setDateTime', 'setSubject', 'setParsedSubject', 'setParsedMessage', 'setIcon', 'setLink'] as $set) {
            $notification->method($set)->willReturnSelf();
        }
        return $notification;
    }

    public function testOneWarningForEachCrossingToEveryAdministratorWhoIsThere(): void
    {
        $this->system = ['one-click-instance' => true, 'one-click-instance.user-limit' => 3, 'datadirectory' => sys_get_temp_dir()];
        $size = (string)(int)disk_total_space(sys_get_temp_dir());
        $this->settings->rows['archipel'] = [
            'storage' => [$size, IAppConfig::VALUE_MIXED, false],
            // The disk of whoever runs the tests may be full: not what is looked at here.
            'warned_storage' => ['95', IAppConfig::VALUE_MIXED, false],
        ];
        $ada = $this->account('ada', mail: 'ada@velo.example');
        $this->group(Application::ADMINISTRATORS, $ada, $this->account('bob'), $this->account('off', enabled: false, mail: 'o@velo.example'));
        $this->account('cleo');
        $manager = $this->createMock(IManager::class);
        $manager->method('createNotification')->willReturnCallback(fn () => $this->notification());
        $manager->expects(self::exactly(2))->method('notify');
        $template = $this->createMock(IEMailTemplate::class);
        $template->expects(self::once())->method('setSubject')->with('Vélo-école: 95 % of the accounts of your space are taken');
        $this->mailer->method('createEMailTemplate')->willReturn($template);
        $this->mailer->method('createMessage')->willReturn($this->createMock(IMessage::class));
        // A mail that fails is written down, and the notification is there all the same.
        $this->mailer->expects(self::once())->method('send')->willThrowException(new \RuntimeException('no relay'));
        $logger = $this->createMock(LoggerInterface::class);
        $logger->expects(self::once())->method('warning');
        $letter = new Letter(
            $this->groupManager(),
            $manager,
            $this->mailer,
            $this->languages(),
            $this->createMock(IURLGenerator::class),
            new Defaults(),
            $this->createMock(ITimeFactory::class),
            $logger,
        );
        $job = new WarnWhenFull($this->createMock(ITimeFactory::class), $this->space, $letter);
        $job->start($this->jobList());
        self::assertSame('95', $this->settings->rows['archipel']['warned_accounts'][0]);
        $job->start($this->jobList());
    }

    public function testAWarningInTheWordsOfItsReader(): void
    {
        $notifier = new Notifier($this->languages(), $this->createMock(IURLGenerator::class));
        $ours = $this->notification();
        $ours->method('getApp')->willReturn('archipel');
        $ours->method('getObjectType')->willReturn('limit');
        $ours->method('getSubject')->willReturn('storage');
        $ours->method('getSubjectParameters')->willReturn(['level' => 80]);
        $ours->expects(self::once())->method('setParsedSubject')->with('80 % of the storage of your space is used');
        $notifier->prepare($ours, 'fr');
        self::assertSame(['archipel', 'My space'], [$notifier->getID(), $notifier->getName()]);
        $this->expectException(\InvalidArgumentException::class);
        $notifier->prepare($this->notification(), 'fr');
    }
}
