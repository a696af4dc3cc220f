<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** A command of occ before or after the work failed; the message is what it said. */
final class CommandFailed extends \RuntimeException
{
}
