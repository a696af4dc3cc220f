<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** The letter that hands a space to its first administrator, as text and as HTML. */
final class Invitation implements \JsonSerializable
{
    private function __construct(
        public readonly string $uid,
        public readonly string $to,
        public readonly string $name,
        public readonly string $fromName,
        public readonly string $replyTo,
        public readonly string $subject,
        public readonly string $link,
        public readonly int $until,
        public readonly string $body,
        public readonly string $html,
    ) {
    }

    public static function to(Administrator $admin, Space $space): self
    {
        $operator = Operator::of($space);
        // Before the link is made: the letter promises no moment more than the link keeps.
        $until = time() + $space->linkSeconds();
        $link = $space->passwordLink($admin->uid);
        $words = new InvitationWords($admin, $space, $operator, $link, $until);
        return new self(
            $admin->uid,
            $admin->email,
            $admin->displayName,
            $operator['name'],
            $operator['email'],
            $words->subject(),
            $link,
            $until,
            $words->text(),
            $words->html(),
        );
    }

    /** @return array<string, string|int> */
    public function jsonSerialize(): array
    {
        return [
            'uid' => $this->uid,
            'to' => $this->to,
            'name' => $this->name,
            'from_name' => $this->fromName,
            'reply_to' => $this->replyTo,
            'subject' => $this->subject,
            'link' => $this->link,
            'until' => $this->until,
            'body' => $this->body,
            'html' => $this->html,
        ];
    }
}
