<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** A command's own refusal: printed on standard output, exit status 1, as occ does. */
final class CommandFailed extends \Exception
{
}
