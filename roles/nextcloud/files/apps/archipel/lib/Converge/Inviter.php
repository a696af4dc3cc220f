<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** Sends a space's first administrator a new invitation, where that takes nobody's account away. */
final class Inviter
{
    private readonly Steps $steps;
    private ?Invitation $invitation = null;

    public function __construct(
        private readonly Space $space,
        bool $dryRun,
    ) {
        $this->steps = new Steps($dryRun);
    }

    /**
     * @return array{to: string, last_login: int, left: bool, changes: list<string>, errors: list<string>,
     *               invitation: Invitation|null}
     */
    public function invite(InvitationOrder $order): array
    {
        $admin = $order->admin;
        $there = $this->space->hasAccount($admin->uid);
        $seen = $there ? $this->space->lastLogin($admin->uid) : 0;
        $left = $seen !== 0 && !$order->again;
        $obstacle = $this->obstacle($admin, $there, $seen);
        if ($obstacle !== '' && !$left) {
            $this->steps->refuse($obstacle);
        }
        if ($obstacle === '' && !$left) {
            $this->correct($admin);
            $this->send($order);
        }
        return [
            'to' => $admin->email,
            'last_login' => $seen,
            'left' => $left,
            'changes' => $this->steps->changes(),
            'errors' => $this->steps->errors(),
            'invitation' => $this->invitation,
        ];
    }

    /** Why nobody may be sent a link to the account, or nothing. */
    private function obstacle(Administrator $admin, bool $there, int $seen): string
    {
        if (!$there) {
            return "there is no account {$admin->uid} here";
        }
        if (!$this->space->mayLogIn($admin->uid)) {
            return "the account {$admin->uid} is disabled here";
        }
        $address = $this->space->mailAddress($admin->uid);
        // Who uses an account has said where letters go; a link sent elsewhere would hand it over.
        return $seen !== 0 && strcasecmp($address, $admin->email) !== 0
            ? "the account {$admin->uid} is in use, and has the address " . ($address === '' ? 'none' : $address)
                . " instead of {$admin->email}; write it into the file, or have the space's administrators change the account's"
            : '';
    }

    /** As long as nobody has used the account, it is the registry's contact's, whoever that is now. */
    private function correct(Administrator $admin): void
    {
        $address = $this->space->mailAddress($admin->uid);
        if ($address === $admin->email || $this->space->lastLogin($admin->uid) !== 0) {
            return;
        }
        $this->steps->do(
            "give {$admin->uid} the address {$admin->email} instead of " . ($address === '' ? 'none' : $address),
            fn () => $this->space->rename($admin),
        );
    }

    private function send(InvitationOrder $order): void
    {
        if ($this->steps->errors() !== []) {
            return;
        }
        $this->steps->do("invite {$order->admin->uid}", function () use ($order): void {
            $present = $this->space->presentLink($order->admin->uid);
            $invitation = Invitation::to($order->admin, $this->space);
            if ($order->byMail) {
                $this->mail($invitation, $present);
            }
            $this->invitation = $invitation;
            $this->space->markInvited($order->admin->uid);
        });
    }

    /** A letter that nobody took must not end the link of the one that somebody has. */
    private function mail(Invitation $invitation, string $present): void
    {
        try {
            $this->space->mail($invitation);
        } catch (\Throwable $error) {
            if ($present !== '') {
                $this->space->restoreLink($invitation->uid, $present);
            }
            throw $error;
        }
    }
}
