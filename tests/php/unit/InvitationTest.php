<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\Converge\Administrator;
use OCA\Archipel\Converge\InvalidState;
use OCA\Archipel\Converge\Invitation;
use OCA\Archipel\Converge\InvitationOrder;
use OCA\Archipel\Converge\Inviter;
use OCA\Archipel\Converge\Moment;
use PHPUnit\Framework\TestCase;

/** Who is invited, and what the letter says. */
final class InvitationTest extends TestCase
{
    private const HOSTILE = "<b>%s</b> & \"L'Été\"";

    private FakeSpace $space;

    protected function setUp(): void
    {
        $this->space = new FakeSpace();
        $this->space->members = ['admin' => []];
        $this->space->addresses = ['admin' => 'bureau@velo.example'];
    }

    private function french(): void
    {
        $file = __DIR__ . '/../../../roles/nextcloud/files/apps/archipel/l10n/fr.json';
        $this->space->words = json_decode((string)file_get_contents($file), true)['translations'];
    }

    private static function administrator(string $name = 'Nadia', string $mail = 'bureau@velo.example'): Administrator
    {
        return new Administrator('admin', $name, $mail, 'fr', 'fr', [], []);
    }

    /** @return array<string, mixed> */
    private function invite(bool $again = false, bool $byMail = true, bool $dryRun = false, ?Administrator $admin = null): array
    {
        $order = new InvitationOrder($admin ?? self::administrator(), $byMail, $again);
        return (new Inviter($this->space, $dryRun))->invite($order);
    }

    public function testTheLetterIsSentAndNoted(): void
    {
        $said = $this->invite();
        self::assertSame(['invite admin'], $said['changes']);
        self::assertSame(['mail bureau@velo.example', 'mark admin invited'], $this->space->done);
        self::assertFalse($said['left']);
        self::assertSame($this->space->mailed, [$said['invitation']]);
    }

    public function testADryRunDoesNothing(): void
    {
        $this->space->addresses = ['admin' => 'wrong@velo.example'];
        $said = $this->invite(dryRun: true);
        self::assertCount(2, $said['changes']);
        self::assertNull($said['invitation']);
        self::assertSame([], $this->space->done);
    }

    public function testWhoHasLoggedInIsLeftAloneUnlessAsked(): void
    {
        $this->space->logins = ['admin' => 1_700_000_000];
        $said = $this->invite();
        self::assertTrue($said['left']);
        self::assertSame([], [...$said['changes'], ...$said['errors'], ...$this->space->done]);
        self::assertSame(['invite admin'], $this->invite(again: true)['changes']);
    }

    public function testAnAccountInUseIsHandedToNobodyElse(): void
    {
        $this->space->logins = ['admin' => 1_700_000_000];
        foreach (['new@velo.example', ''] as $own) {
            $this->space->addresses = ['admin' => $own];
            [$why] = $this->invite(again: true)['errors'];
            self::assertStringContainsString('has the address ' . ($own ?: 'none') . ' instead of bureau@velo.example', $why);
        }
        self::assertSame([], $this->space->done);
        $this->space->addresses = ['admin' => 'Bureau@Velo.example'];
        self::assertSame([], $this->invite(again: true)['errors']);
    }

    public function testAnAddressThatWasWrongIsPutRight(): void
    {
        $said = $this->invite(admin: self::administrator(mail: 'right@velo.example'));
        self::assertSame(['rename admin', 'mail right@velo.example', 'mark admin invited'], $this->space->done);
        self::assertSame('give admin the address right@velo.example instead of bureau@velo.example', $said['changes'][0]);
        $this->space->fails = ['rename admin'];
        $this->space->mailed = [];
        self::assertCount(1, $this->invite()['errors']);
        self::assertSame([], $this->space->mailed, 'no letter goes where the account is not');
    }

    public function testWhatTheRelayRefusesIsNotNoted(): void
    {
        $this->space->fails = ['mail bureau@velo.example'];
        $said = $this->invite();
        self::assertSame(['invite admin: refused'], $said['errors']);
        self::assertNull($said['invitation']);
        self::assertSame([], $this->space->invited);
    }

    public function testALetterThatNobodyTookEndsNoEarlierLink(): void
    {
        $this->invite();
        $this->space->fails = ['mail bureau@velo.example'];
        $this->invite();
        self::assertSame(['admin' => 'link 1'], $this->space->links);
        // Where there was none, the letter may have arrived all the same: its link stays.
        $this->space->links = [];
        $this->invite();
        self::assertSame(['admin' => 'link 3'], $this->space->links);
    }

    public function testWhereThereIsNobody(): void
    {
        $this->space->disabled = ['admin'];
        self::assertSame(['the account admin is disabled here'], $this->invite()['errors']);
        $this->space->members = [];
        self::assertSame(['there is no account admin here'], $this->invite()['errors']);
    }

    public function testItIsInFrenchAndSaysWhoWritesAndUntilWhen(): void
    {
        $this->french();
        $this->space->settings['archipel/operator'] = '{"name": "Fédération", "url": "https://f.example", "email": "aide@f.example"}';
        $letter = Invitation::to(self::administrator(), $this->space);
        self::assertStringStartsWith("Bonjour Nadia,\n\nFédération a ouvert pour votre association l’espace Nextcloud «\u{a0}Vélo-école\u{a0}»", $letter->body);
        self::assertStringEndsWith("\n\nFédération\nhttps://f.example\naide@f.example\n", $letter->body);
        self::assertStringContainsString('<html lang="fr">', $letter->html);
        self::assertSame(['Fédération', 'aide@f.example'], [$letter->fromName, $letter->replyTo]);
        self::assertEqualsWithDelta(time() + 7 * 24 * 3600, $letter->until, 5);
        self::assertStringContainsString('Répondez à ce message', $letter->body);
    }

    public function testWithoutAnOperatorNobodyIsToldToReply(): void
    {
        $this->space->words = ['none' => 'none'];
        $letter = Invitation::to(self::administrator(''), $this->space);
        self::assertStringStartsWith("Hello,\n", $letter->body);
        self::assertStringNotContainsString('Reply', $letter->body);
        self::assertStringContainsString('<html lang="en">', $letter->html);
    }

    public function testWhatPeopleWroteIsQuotedInHtmlAndLiteralInText(): void
    {
        $this->french();
        $this->space->settings['archipel/operator'] = json_encode(['name' => self::HOSTILE, 'url' => self::HOSTILE]);
        $letter = Invitation::to(self::administrator(self::HOSTILE), $this->space);
        self::assertStringContainsString('Bonjour ' . self::HOSTILE . ',', $letter->body);
        self::assertStringNotContainsString('<b>', $letter->html);
        self::assertSame(3, substr_count($letter->html, '&lt;b&gt;%s&lt;/b&gt; &amp; &quot;L&apos;Été&quot;') - 1);
    }

    /** @return array<string, array{string, string, string, string}> */
    public static function moments(): array
    {
        return [
            'winter' => ['2026-12-04T13:05:00Z', 'Europe/Paris', 'vendredi 4 décembre 2026 à 14~h~05 (Europe/Paris)', 'Friday 4 December 2026 at 14:05 (Europe/Paris)'],
            'first of a month' => ['2027-01-31T23:00:00Z', 'Europe/Paris', 'lundi 1er février 2027 à 00~h~00 (Europe/Paris)', 'Monday 1 February 2027 at 00:00 (Europe/Paris)'],
            'across the change of clocks' => ['2027-03-28T01:00:00Z', 'Europe/Paris', 'dimanche 28 mars 2027 à 03~h~00 (Europe/Paris)', 'Sunday 28 March 2027 at 03:00 (Europe/Paris)'],
            'far away' => ['2026-08-01T10:30:00Z', 'Pacific/Chatham', 'samedi 1er août 2026 à 23~h~15 (Pacific/Chatham)', 'Saturday 1 August 2026 at 23:15 (Pacific/Chatham)'],
            'no time zone' => ['2026-06-02T10:30:00Z', 'Nowhere/None', 'mardi 2 juin 2026 à 10~h~30 (UTC)', 'Tuesday 2 June 2026 at 10:30 (UTC)'],
        ];
    }

    /** @dataProvider moments */
    public function testAMomentInWords(string $moment, string $zone, string $french, string $english): void
    {
        $t = fn (string $text, string ...$parameters): string => $this->space->translate('', $text, array_values($parameters));
        $this->french();
        $time = strtotime($moment);
        self::assertSame(str_replace('~', "\u{a0}", $french), Moment::inWords($time, $zone, $t));
        $this->space->words = ['none' => 'none'];
        self::assertSame($english, Moment::inWords($time, $zone, $t));
    }

    public function testWhatIsNoOrderIsRefusedAsAWhole(): void
    {
        foreach (['{', '[]', '{}', '{"again": "yes"}', '{"to": 1}'] as $json) {
            try {
                InvitationOrder::fromJson($json);
                self::fail($json);
            } catch (InvalidState $invalid) {
                self::assertNotSame([], $invalid->problems);
            }
        }
    }
}
