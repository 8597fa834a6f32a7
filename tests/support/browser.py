"""Chromium for tests of exported pages, steered by selenium."""

import contextlib
import json
import os
import shutil

import pytest

from environment import SANITIZED, program_environment
from needs import require

OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root with it
    "--disable-dev-shm-usage",
    "--force-device-scale-factor=1",
    "--window-size=1100,900",
]


def _require():
    """Skip where Chromium or selenium is missing; CI has them, and fails instead.

    Once is enough: what pages do depends on no level and no sanitizer.
    """
    if "RNN_NATIVE_CPU" in os.environ or SANITIZED:
        pytest.skip("pages are tested at the best level, without sanitizers")
    require(
        "chromium",
        "chromedriver",
        module="selenium",
        packages="chromium, chromium-driver",
        promise="RNN_NATIVE_BROWSER",
    )


class Browser:
    """A browser with one page open."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, page):
        """Open a file; return what the console says meanwhile."""
        self.driver.get(page.as_uri())
        return self.console()

    def run(self, script, *arguments):
        """Run a script in the page; `arguments` is its own, the result what it returns."""
        return self.driver.execute_script(script, *arguments)

    def run_later(self, script, *arguments):
        """As `run`, of a script that calls its last argument with the result."""
        return self.driver.execute_async_script(script, *arguments)

    def console(self):
        """What the console has said since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def element(self, selector):
        return self.driver.find_element("css selector", selector)

    def emulate(self, **features):
        """Let media queries see other features, as prefers_color_scheme="dark"."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    def resize(self, width, height):
        """Show the page as on a screen of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def reset(self):
        self.emulate()
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.console()


@contextlib.contextmanager
def started():
    """Start Chromium; skip the test where it is not available."""
    _require()
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver"), env=program_environment())
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(60)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


# ---- what pages hold, and compute ----


def parts_of(page):
    """The description and the weights, in base64, of an exported page's text."""

    def between(start):
        return page.split(start)[1].split("</script>")[0]

    net = json.loads(between('<script type="application/json" id="net">'))
    return net, between('<script type="text/plain" id="weights">')


def script_of(page):
    """The JavaScript of an exported page's text."""
    return page.split("<script>")[1].split("</script>")[0]


PREDICT = """
const [parts, rows] = arguments;
return parts.map(([described, weights], i) => {
  const nets = openNets(described, bytesOf(weights));
  const bytes = bytesOf(rows[i]), n = described.inputs.size;
  const x = new Float32Array(bytes.buffer);
  const found = [];
  for (let at = 0; at < x.length; at += n) {
    found.push(...predict(nets, x.subarray(at, at + n)));
  }
  return found.map(String);
});
"""
"""Of pages' parts and inputs in base64, float32: predictions of all rows, as texts, since JSON
has no infinity."""
