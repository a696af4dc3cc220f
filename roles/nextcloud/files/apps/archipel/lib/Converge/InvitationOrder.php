<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** Somebody shall be invited, though they may have been before: read from JSON and checked as a whole. */
final class InvitationOrder
{
    public function __construct(
        public readonly Administrator $admin,
        public readonly bool $byMail,
        public readonly bool $again,
    ) {
    }

    /** @throws InvalidState naming every problem at once */
    public static function fromJson(string $json): self
    {
        try {
            $document = json_decode($json, false, 32, JSON_THROW_ON_ERROR);
        } catch (\JsonException $error) {
            throw new InvalidState(['invitation: not JSON: ' . $error->getMessage()]);
        }
        $read = new Reader();
        $root = $read->object($document, 'invitation', ['admin', 'by_mail', 'again']);
        $order = new self(
            $read->administrator($root['admin'] ?? null),
            $read->flag($root['by_mail'] ?? false, 'by_mail'),
            $read->flag($root['again'] ?? false, 'again'),
        );
        if ($read->problems() !== []) {
            throw new InvalidState($read->problems());
        }
        return $order;
    }
}
