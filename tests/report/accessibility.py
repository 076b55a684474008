"""axe-core on an open page; checks of our own where it is not installed."""

from __future__ import annotations

from typing import Any

# What keeps somebody from reading or using the page.
SERIOUS = ("serious", "critical")


def findings(tab: Any) -> list[str]:
    """The serious findings of axe-core on a playwright page: rule, and the first places."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:4]}"
        for one in found
        if one["impact"] in SERIOUS
    ]
