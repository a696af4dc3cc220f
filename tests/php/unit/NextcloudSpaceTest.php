<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\BackgroundJob\SwitchOffice;
use OCA\Archipel\Converge\Administrator;
use OCA\Archipel\Converge\Invitation;
use OCP\DB\IResult;
use OCP\Http\Client\IClient;
use OCP\Http\Client\IResponse;
use OCP\IAppConfig;
use OCP\Log\BeforeMessageLoggedEvent;
use OCP\Mail\IMessage;
use OCP\Settings\IDelegatedSettings;

/** The space as Nextcloud's interfaces show it. */
final class NextcloudSpaceTest extends Nextcloud
{
    private static function administrator(string $uid): Administrator
    {
        return new Administrator($uid, 'Bureau', 'bureau@velo.example', 'fr', '', ['space-admins'], ['members']);
    }

    public function testApplications(): void
    {
        $this->enabled = ['mail', 'files'];
        self::assertSame(['files' => '1.2.3', 'mail' => '1.2.3'], $this->space->applications());
        self::assertTrue($this->space->isEnabled('mail'));
        self::assertNull($this->space->obstacle('mail'));
        self::assertSame('it is not part of this release', $this->space->obstacle('missing'));
        self::assertFalse($this->space->mayBeDisabled('files'));
        $this->space->disable('mail');
        $this->space->enable('deck');
        self::assertSame(['files', 'deck'], $this->enabled);
        // Without the installer the tables of a newer version would be left behind.
        self::assertSame(['deck'], $this->installer->installed);
    }

    public function testAValueIsStoredSoThatEveryReaderGetsIt(): void
    {
        $this->settings->rows['mail']['typed'] = ['old', IAppConfig::VALUE_STRING | IAppConfig::VALUE_SENSITIVE, true];
        self::assertTrue($this->space->isTyped('mail', 'typed'));
        $this->space->saveSetting('mail', 'typed', true);
        self::assertSame(['1', IAppConfig::VALUE_MIXED, true], $this->settings->rows['mail']['typed']);
        self::assertFalse($this->space->isTyped('mail', 'typed'));
        $this->space->saveSetting('mail', 'new', ['a' => 1]);
        self::assertSame(['{"a":1}', IAppConfig::VALUE_MIXED, false], $this->settings->rows['mail']['new']);
        self::assertSame(['string', 'int', 'float', 'bool', 'array'], $this->space->readableAs('mail', 'new'));
        $this->space->saveSetting('mail', 'new', null);
        self::assertNull($this->space->setting('mail', 'new'));
        self::assertFalse($this->space->isTyped('mail', 'new'));
        self::assertGreaterThan(3, $this->settings->cleared);
    }

    public function testASecretIsReadInTheClear(): void
    {
        $this->settings->rows['mail']['key'] = ['$AppConfigEncryption$abc', IAppConfig::VALUE_STRING | IAppConfig::VALUE_SENSITIVE, false];
        self::assertSame('in the clear', $this->space->setting('mail', 'key'));
    }

    public function testWhatNobodyCanReadIsFoundAndRenamedKeysAreNot(): void
    {
        $this->settings->rows['files'] = ['ok' => ['1', IAppConfig::VALUE_INT, false], 'bad' => ['1', 128, false], 'old' => ['1', 2, false]];
        $this->settings->unknown = ['files/old'];
        self::assertSame(['files/bad'], $this->space->unreadable());
        self::assertSame(['int'], $this->space->readableAs('files', 'ok'));
    }

    public function testALogo(): void
    {
        self::assertNull($this->space->logo());
        $file = tempnam(sys_get_temp_dir(), 'logo');
        file_put_contents($file, 'picture');
        $this->space->saveLogo($file);
        unlink($file);
        self::assertSame(hash('sha256', 'picture'), $this->space->logo());
        self::assertSame(['logoMime' => 'image/png'], $this->theming->values);
        $this->space->removeLogo();
        self::assertSame([], $this->theming->values);
    }

    public function testAccountsAndGroups(): void
    {
        $this->space->addGroup('members');
        self::assertTrue($this->space->hasGroup('members'));
        $this->account('admin')->expects(self::once())->method('setSystemEMailAddress')->with('bureau@velo.example');
        $this->users['admin']->expects(self::once())->method('setDisplayName')->with('Bureau');
        $this->space->addAccount(self::administrator('admin'));
        self::assertSame(['admin/core/lang' => 'fr'], $this->preferences);
        self::assertFalse($this->space->isSubadmin('admin', 'members'));
        self::assertFalse($this->space->isSubadmin('nobody', 'members'));
        $this->space->addSubadmin('admin', 'members');
        self::assertTrue($this->space->isSubadmin('admin', 'members'));
        self::assertSame(['admin'], $this->space->subadmins());
        $this->groups['members']->expects(self::once())->method('addUser')->with($this->users['admin']);
        $this->space->addMember('admin', 'members');
        self::assertSame(0, $this->space->invitedAt('admin'));
        $this->space->markInvited('admin');
        self::assertEqualsWithDelta(time(), $this->space->invitedAt('admin'), 5);
    }

    /** Nextcloud answers "Invalid displayname", behind an account that is half made. */
    public function testAnAccountGetsTheBeginningOfANameThatIsTooLong(): void
    {
        $long = new Administrator('long', str_repeat('é', 63) . ' et encore', 'bureau@velo.example', '', '', [], []);
        $this->account('long')->expects(self::exactly(2))->method('setDisplayName')->with(str_repeat('é', 63));
        $this->space->addAccount($long);
        $this->space->rename($long);
        self::assertStringEndsWith('encore', $long->displayName);
    }

    public function testWhatNextcloudRefusesIsAnError(): void
    {
        $this->account('stays')->method('delete')->willReturn(false);
        $cases = [
            'refused to create the group' => fn () => $this->space->addGroup('refused'),
            'refused to create the account' => fn () => $this->space->addAccount(self::administrator('refused')),
            'refused to remove the account' => fn () => $this->space->removeAccount('stays'),
            'account nobody does not exist' => fn () => $this->space->removeAccount('nobody'),
            'group nothing does not exist' => fn () => $this->space->addMember('stays', 'nothing'),
        ];
        foreach ($cases as $said => $act) {
            try {
                $act();
                self::fail("no error: $said");
            } catch (\RuntimeException $error) {
                self::assertStringContainsString($said, $error->getMessage());
            }
        }
    }

    public function testDisabledAccountsDoNotCount(): void
    {
        $this->account('a');
        $this->account('b', enabled: false);
        self::assertSame(['used' => 1, 'limit' => null], $this->space->accounts());
        $this->system = ['one-click-instance' => true, 'one-click-instance.user-limit' => 20];
        self::assertSame(['used' => 1, 'limit' => 20], $this->space->accounts());
    }

    public function testDelegations(): void
    {
        $page = $this->createMock(IDelegatedSettings::class);
        self::assertTrue($this->space->isDelegable($page::class));
        self::assertFalse($this->space->isDelegable(self::class));
        self::assertFalse($this->space->isDelegable('OCA\Nothing\There'));
        $this->space->delegate('OCA\A\B', 'g');
        $this->space->delegate('OCA\A\B', 'h');
        $this->space->revoke('OCA\A\B', 'g');
        self::assertSame(['h'], $this->space->delegates('OCA\A\B'));
    }

    public function testALetterThatIsNotAcceptedIsAnError(): void
    {
        $this->account('admin');
        $message = $this->createMock(IMessage::class);
        foreach (['setTo', 'setSubject', 'setPlainBody', 'setHtmlBody', 'setAutoSubmitted', 'setFrom', 'setReplyTo'] as $method) {
            $message->method($method)->willReturnSelf();
        }
        $this->mailer->method('createMessage')->willReturn($message);
        $this->mailer->method('send')->willReturnOnConsecutiveCalls([], ['bureau@velo.example']);
        $invitation = Invitation::to(self::administrator('admin'), $this->space);
        self::assertStringContainsString('Vélo-école', $invitation->body);
        $this->space->mail($invitation);
        try {
            $this->space->mail($invitation);
            self::fail('nothing was said');
        } catch (\RuntimeException $error) {
            self::assertSame('not accepted for bureau@velo.example', $error->getMessage());
        }
        self::assertSame([], $this->listeners, 'nobody listens longer than needed');
    }

    /** The mailer tells its reason to the log alone. */
    public function testTheReasonThatWasLoggedIsSaid(): void
    {
        $this->account('admin');
        $this->mailer->method('createMessage')->willReturn($this->createStub(IMessage::class));
        $this->mailer->method('send')->willReturnCallback(function (): array {
            foreach ([['Message' => 'no exception'], ['Exception' => 'E', 'Message' => "certificate\n verify failed"], ['x' => 1]] as $said) {
                $this->listeners[BeforeMessageLoggedEvent::class](new BeforeMessageLoggedEvent('core', 3, $said));
            }
            return ['bureau@velo.example'];
        });
        $this->expectExceptionMessage('not accepted for bureau@velo.example: certificate verify failed');
        $this->space->mail(Invitation::to(self::administrator('admin'), $this->space));
    }

    public function testALinkThatWasEndedWorksAgain(): void
    {
        self::assertSame('', $this->space->presentLink('admin'));
        $this->space->restoreLink('admin', 'sealed');
        self::assertSame('sealed', $this->space->presentLink('admin'));
        self::assertSame('sealed', $this->preferences['admin/core/lostpassword']);
    }

    /** Readers decode them, line ends and all; the mailer would have left them as they are. */
    public function testWhatLooksLikeAnEncodedWordIsNone(): void
    {
        $this->account('admin');
        $admin = new Administrator('admin', '=?utf-8?q?L=0D=0ABcc=3A_x?=', 'bureau@velo.example', 'fr', 'fr', [], []);
        $message = $this->createMock(IMessage::class);
        $message->expects(self::once())->method('setTo')->with(['bureau@velo.example' => "=\u{2060}?utf-8?q?L=0D=0ABcc=3A_x?="]);
        $this->mailer->method('createMessage')->willReturn($message);
        $this->mailer->method('send')->willReturn([]);
        $this->space->mail(Invitation::to($admin, $this->space));
    }

    public function testHowLongALinkWorksIsAskedFromTheRelease(): void
    {
        self::assertSame(7 * 24 * 3600, $this->space->linkSeconds());
    }

    public function testAnAccountThatNobodyUsedGetsItsOwner(): void
    {
        $user = $this->account('admin', mail: 'old@velo.example');
        $user->method('getLastLogin')->willReturn(-1);
        $user->expects(self::once())->method('setSystemEMailAddress')->with('bureau@velo.example');
        self::assertSame(0, $this->space->lastLogin('admin'));
        self::assertTrue($this->space->mayLogIn('admin'));
        self::assertSame('old@velo.example', $this->space->mailAddress('admin'));
        $this->space->rename(self::administrator('admin'));
    }

    public function testOpenDocumentsByAQueryOrByTheServerAndNullWhereNeitherTells(): void
    {
        $result = $this->createMock(IResult::class);
        $result->method('fetchOne')->willReturn('4');
        $this->database->method('executeQuery')->willReturnCallback(function (string $query) use ($result): IResult {
            self::assertMatchesRegularExpression('/^SELECT \d{10}$/', $query);
            return $result;
        });
        self::assertSame(4, $this->space->openDocuments(['query' => 'SELECT {now}']));
        $answer = $this->createMock(IResponse::class);
        $answer->method('getBody')->willReturn('{"open": 7}');
        $client = $this->createMock(IClient::class);
        $client->method('get')->willReturn($answer);
        $this->client->method('newClient')->willReturnOnConsecutiveCalls($client, self::throwException(new \RuntimeException()));
        self::assertSame(7, $this->space->openDocuments(['url' => 'https://office', 'key' => 'open']));
        self::assertNull($this->space->openDocuments(['url' => 'https://office', 'key' => 'open']));
    }

    public function testTheNodeIsAskedForJobs(): void
    {
        $folder = sys_get_temp_dir() . '/archipel-' . bin2hex(random_bytes(6));
        mkdir($folder);
        $this->space->askForJobs();
        $this->system = ['tempdirectory' => $folder, 'datadirectory' => $folder];
        $this->space->askForJobs();
        self::assertFileExists("$folder/jobs-wanted");
        self::assertGreaterThan(0, $this->space->disk()['size']);
        unlink("$folder/jobs-wanted");
        rmdir($folder);
        $this->space->scheduleSwitch();
        self::assertSame([SwitchOffice::class], $this->jobs);
        self::assertSame(['33.0.3', '33.0.3.1'], [$this->space->release(), $this->space->version()]);
        self::assertSame('Vélo-école', $this->space->name());
    }
}
