<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

/**
 * Nextcloud's coding standard, as its package nextcloud/coding-standard has it, but for the
 * layout: four spaces and the braces of PSR-12, as in all the project's PHP from its beginning.
 */

$finder = (new PhpCsFixer\Finder())
    ->in([__DIR__ . '/roles', __DIR__ . '/tests/php', __DIR__ . '/tests/standin'])
    // A template of a page: PHP and HTML by turns.
    ->notPath('#/templates/#');

return (new PhpCsFixer\Config())
    ->setUsingCache(false)
    ->setFinder($finder)
    ->setRules([
        '@PSR1' => true,
        '@PSR12' => true,
        'align_multiline_comment' => true,
        'array_indentation' => true,
        'binary_operator_spaces' => ['default' => 'single_space'],
        'cast_spaces' => ['space' => 'none'],
        'concat_space' => ['spacing' => 'one'],
        'method_chaining_indentation' => true,
        'no_leading_import_slash' => true,
        'no_short_bool_cast' => true,
        'no_unused_imports' => true,
        'nullable_type_declaration_for_default_null_value' => true,
        'operator_linebreak' => ['position' => 'beginning'],
        'ordered_imports' => ['imports_order' => ['class', 'function', 'const'], 'sort_algorithm' => 'alpha'],
        'phpdoc_single_line_var_spacing' => true,
        'phpdoc_var_annotation_correct_order' => true,
        'short_scalar_cast' => true,
        'single_quote' => ['strings_containing_single_quote_chars' => false],
        'trailing_comma_in_multiline' => ['elements' => ['arrays', 'arguments', 'parameters']],
        'types_spaces' => ['space' => 'none', 'space_multiple_catch' => 'none'],
        'declare_strict_types' => true,
    ])
    ->setRiskyAllowed(true);
