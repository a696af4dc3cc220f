// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

// A copy of a space says on every page what it is.
document.addEventListener('DOMContentLoaded', () => {
    const text = document.querySelector('meta[name="archipel-copy"]')
    if (!text || document.getElementById('archipel-copy')) {
        return
    }
    const banner = document.createElement('p')
    banner.id = 'archipel-copy'
    banner.setAttribute('role', 'note')
    banner.textContent = text.content
    document.body.append(banner)
})
