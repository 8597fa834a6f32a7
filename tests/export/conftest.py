import pytest

import browser as browsers


@pytest.fixture(scope="session")
def chromium():
    """Chromium, started once; skipped where it is not available."""
    with browsers.started() as browser:
        yield browser


@pytest.fixture
def browser(chromium):
    """The same, without what the last test left."""
    chromium.reset()
    return chromium
