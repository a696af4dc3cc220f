<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\Converge\Converger;
use OCA\Archipel\Converge\DesiredState;
use OCA\Archipel\Converge\InvalidState;
use OCA\Archipel\Converge\Office;
use PHPUnit\Framework\TestCase;

/** What is missing is done, once, and nothing else. */
final class ConvergerTest extends TestCase
{
    private const SUITES = [
        'collabora' => ['name' => 'Collabora', 'application' => 'richdocuments', 'open' => ['query' => 'SELECT 1']],
        'onlyoffice' => ['name' => 'ONLYOFFICE', 'application' => 'onlyoffice'],
    ];
    private const THEMING = 'OCA\Theming\Settings\Admin';

    private FakeSpace $space;

    protected function setUp(): void
    {
        $this->space = new FakeSpace();
    }

    /** @param array<string, mixed> $document */
    private function converge(array $document, bool $dryRun = false): array
    {
        return (new Converger($this->space, $dryRun))->converge(DesiredState::fromJson(json_encode((object)$document)));
    }

    /** @return array<string, mixed> all that one can ask for */
    private static function everything(): array
    {
        return [
            'apps' => ['enable' => ['calendar'], 'disable' => ['survey_client']],
            'app_config' => ['files' => ['default_quota' => '40 GB', 'flag' => true, 'list' => ['a'], 'gone' => null]],
            'app_defaults' => ['theming' => ['name' => 'Vélo-école']],
            'office' => ['suites' => self::SUITES, 'default' => 'collabora', 'pinned' => false],
            'groups' => ['members', 'space-admins'],
            'admin' => [
                'uid' => 'admin', 'display_name' => 'Bureau', 'email' => 'bureau@velo.example', 'language' => 'fr',
                'locale' => 'fr_FR', 'groups' => ['space-admins'], 'subadmin_of' => ['members'],
            ],
            'delegations' => [self::THEMING => ['space-admins'], 'OCA\Old\Settings\Admin' => ['space-admins']],
            'remove_users' => ['archipel-setup'],
            'invite' => true,
            'invite_by_mail' => true,
        ];
    }

    public function testEverythingIsDoneAndASecondRunFindsNothing(): void
    {
        $this->space->members = ['archipel-setup' => []];
        $this->space->settings = ['files/gone' => 'x', 'files/flag' => '1'];
        $this->space->typed = ['files/flag'];
        $first = $this->converge(self::everything());
        self::assertTrue($first['changed']);
        self::assertSame([], $first['errors']);
        self::assertSame(['delegations: OCA\Old\Settings\Admin cannot be delegated in this release'], $first['skipped']);
        self::assertSame(['files', 'calendar', 'richdocuments'], $this->space->enabled);
        self::assertSame('40 GB', $this->space->settings['files/default_quota']);
        self::assertSame('["a"]', $this->space->settings['files/list']);
        self::assertArrayNotHasKey('files/gone', $this->space->settings);
        self::assertSame([], $this->space->typed);
        self::assertSame(['admin' => ['space-admins']], $this->space->members);
        self::assertSame(['admin' => ['members']], $this->space->subadmins);
        self::assertSame([self::THEMING => ['space-admins']], $this->space->delegations);
        self::assertCount(1, $this->space->mailed);
        $this->space->done = [];
        $second = $this->converge(self::everything());
        self::assertSame([], $second['changes']);
        self::assertFalse($second['changed']);
        self::assertSame([], $this->space->done);
    }

    public function testADryRunSaysTheSameAndDoesNothing(): void
    {
        $this->space->members = ['archipel-setup' => []];
        $before = clone $this->space;
        $foreseen = $this->converge(self::everything(), dryRun: true);
        self::assertEquals($before, $this->space);
        self::assertTrue($foreseen['dry_run']);
        self::assertSame($foreseen['changes'], $this->converge(self::everything())['changes']);
    }

    public function testWhatIsOffGoesOffBeforeAnythingGoesOn(): void
    {
        $this->converge(self::everything());
        $applications = array_values(preg_grep('/^(en|dis)able /', $this->space->done));
        self::assertSame(['disable survey_client', 'enable calendar', 'enable richdocuments'], $applications);
    }

    public function testEachStepMayFailAndTheNextRunGoesOn(): void
    {
        $whole = $this->steps();
        self::assertGreaterThan(12, count($whole));
        foreach ($whole as $step) {
            $this->space = new FakeSpace();
            $this->space->members = ['archipel-setup' => []];
            $this->space->fails = [$step];
            $broken = $this->converge(self::everything());
            self::assertNotSame([], $broken['errors'], $step);
            self::assertStringEndsWith(': refused', $broken['errors'][0]);
            // Nobody is invited into a space that did not come up whole.
            self::assertSame($step === 'mark admin invited' ? 1 : 0, count($this->space->mailed), $step);
            $this->space->fails = [];
            self::assertSame([], $this->converge(self::everything())['errors']);
            self::assertSame([], $this->converge(self::everything())['changes'], $step);
        }
    }

    /** @return list<string> the steps of a whole run that are reported when they fail */
    private function steps(): array
    {
        $this->space = new FakeSpace();
        $this->space->members = ['archipel-setup' => []];
        $this->converge(self::everything());
        // What was given is remembered after the steps, outside any of them.
        return array_values(array_diff($this->space->done, ['save archipel/given']));
    }

    public function testWhatCannotBeIsRefusedBeforeAnythingIsTouched(): void
    {
        try {
            $this->converge(['apps' => ['enable' => ['calendar', 'unheard_of'], 'disable' => ['files']]]);
            self::fail('it was not refused');
        } catch (InvalidState $refused) {
            self::assertSame([
                'apps.enable: unheard_of cannot be enabled: it is not part of this release',
                'apps.disable: files is part of Nextcloud and cannot be disabled',
            ], $refused->problems);
        }
        self::assertSame([], $this->space->done);
    }

    public function testASecretIsNeverInTheReport(): void
    {
        $this->space->fails = ['save mail/secret'];
        $result = $this->converge(['app_config' => ['mail' => ['secret' => 'hunter2', 'other' => 'hunter2']]]);
        self::assertStringNotContainsString('hunter2', json_encode($result));
        self::assertSame(['set mail/other'], $result['changes']);
    }

    public function testWhatPeopleChangedSinceItWasGivenStays(): void
    {
        $given = ['app_defaults' => ['theming' => ['name' => 'Vélo-école', 'slogan' => 'En selle']]];
        $this->converge($given);
        $this->space->settings['theming/name'] = 'Notre vélo';
        self::assertSame([], $this->converge($given)['changes']);
        // A new word of the registry's is given; one that is taken back goes only where it is still there.
        $taken = $this->converge(['app_defaults' => ['theming' => ['name' => null, 'slogan' => null]]]);
        self::assertSame(['take back theming/slogan'], $taken['changes']);
        self::assertSame('Notre vélo', $this->space->settings['theming/name']);
        self::assertSame(['give theming/name'], $this->converge(['app_defaults' => ['theming' => ['name' => 'Autre']]])['changes']);
    }

    public function testTheLogoIsGivenOnceAndTakenBackOnlyIfItIsOurs(): void
    {
        $file = tempnam(sys_get_temp_dir(), 'logo');
        file_put_contents($file, 'picture');
        $logo = ['logo' => ['file' => $file, 'sha256' => hash('sha256', 'picture')]];
        try {
            self::assertSame(['give the logo'], $this->converge($logo)['changes']);
            self::assertSame([], $this->converge($logo)['changes']);
            $this->space->logo = 'people put their own';
            self::assertSame([], $this->converge($logo)['changes']);
            self::assertSame(['take back the logo'], $this->converge(['logo' => null])['changes']);
            self::assertSame('people put their own', $this->space->logo);
            file_put_contents($file, 'another');
            self::assertStringContainsString('is not the picture that was announced', $this->converge($logo)['errors'][0]);
        } finally {
            unlink($file);
        }
    }

    public function testASuiteWithOpenDocumentsStaysForNow(): void
    {
        $office = ['office' => ['suites' => self::SUITES, 'default' => 'collabora', 'pinned' => false]];
        $this->converge($office);
        $this->space->settings['archipel/' . Office::CHOICE] = 'onlyoffice';
        $this->space->open = 2;
        $result = $this->converge($office);
        self::assertSame(['office: collabora stays for now, 2 documents are open'], $result['skipped']);
        self::assertContains('schedule the switch', $this->space->done);
        self::assertTrue($this->space->isEnabled('richdocuments'));
        $this->space->open = null;
        self::assertStringContainsString('does not tell', $this->converge($office)['skipped'][0]);
        // Nobody waits for ever.
        $this->space->open = 2;
        $this->space->settings['archipel/' . Office::SINCE] = (string)(time() - Office::PATIENCE);
        self::assertSame(
            ['disable application richdocuments', 'enable application onlyoffice'],
            $this->converge($office)['changes'],
        );
        self::assertArrayNotHasKey('archipel/' . Office::SINCE, $this->space->settings);
    }

    public function testAReleaseWithoutTheConnectorIsNamed(): void
    {
        $office = ['office' => ['suites' => new \stdClass(), 'default' => 'collabora', 'pinned' => true]];
        self::assertSame(
            ['office: this release holds no connector of the suite collabora'],
            $this->converge($office)['skipped'],
        );
    }

    public function testAnInvitationIsReturnedWhereTheSpaceDoesNotMailIt(): void
    {
        $document = ['invite_by_mail' => false] + self::everything();
        $result = $this->converge($document);
        self::assertSame([], $this->space->mailed);
        self::assertSame('bureau@velo.example', $result['invitation']->to);
        self::assertStringContainsString('https://velo.example/reset/admin', $result['invitation']->body);
        self::assertNull($this->converge($document)['invitation']);
        self::assertNotNull($this->converge(['invite' => 'again'] + $document)['invitation']);
        self::assertNull($this->converge(['invite' => false] + $document)['invitation']);
    }

    public function testDelegationsAreExactlyTheGroupsThatAreNamed(): void
    {
        $this->space->delegations = [self::THEMING => ['old']];
        $result = $this->converge(['groups' => ['members'], 'delegations' => [self::THEMING => ['members']]]);
        self::assertSame([self::THEMING => ['members']], $this->space->delegations);
        self::assertCount(3, $result['changes']);
    }
}
