"""Export the shipped model as a page, measure it in Chromium, and take its pictures.

python scripts/digit_page.py [FOLDER]

Prints the page's size, how long it takes until it is first drawn, until the first stroke shows
bars, and for one prediction. With FOLDER it writes page.png (light, a drawn five and what
matters in it) and page-dark.png (dark, as on a telephone). Needs chromium, chromium-driver and
selenium.
"""

import argparse
import io
import shutil
import statistics
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import rnn_native as rn

# A five, as a hand would draw it, on a pad of 280 x 280.
FIVE = [
    [(104, 62), (100, 90), (96, 122), (118, 112), (146, 112), (168, 126), (178, 152),
     (172, 184), (150, 208), (120, 216), (92, 208)],
    [(104, 62), (134, 60), (172, 56)],
]  # fmt: skip
ROUNDS = 9
OPTIONS = ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,900")

FIRST_PAINT = """
const done = arguments[0];
new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))
  .observe({ type: "paint", buffered: true });
"""
DRAW = """
const [strokes, done] = arguments, pad = byId("pad"), box = pad.getBoundingClientRect();
const unit = box.width / 280, began = performance.now();
pad.setPointerCapture = () => {};
const send = (type, [x, y]) => pad.dispatchEvent(new PointerEvent(type, {
  clientX: box.left + x * unit, clientY: box.top + y * unit, pointerId: 1, button: 0 }));
for (const points of strokes) {
  send("pointerdown", points[0]);
  for (const point of points) send("pointermove", point);
  send("pointerup", points.at(-1));
}
// The time until the frame with the bars is on its way.
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""
# Milliseconds of a prediction, and of a whole reading: strokes, preparation, prediction.
TIMES = """
const nets = openNets(described, bytesOf(byId("weights").textContent));
const strokes = arguments[0].map((points) => ({ points, width: 20 }));
const image = fromStrokes(strokes), names = described.outputs.names;
const timesOf = (work) => Array.from({ length: 200 }, () => {
  const began = performance.now();
  work();
  return performance.now() - began;
});
return [
  timesOf(() => predict(nets, image)),
  timesOf(() => readDrawing(nets, fromStrokes(strokes), names, true)),
];
"""


def main():
    """Export, measure, and take pictures if a folder is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="for the pictures (none)")
    pictures = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "digit.html")
        rn.export.to_html(rn.pretrained.load(), page)
        small = len(rn.export.html_page(rn.pretrained.load(), int8=True).encode())
        print(f"size: {page.stat().st_size:,} bytes in float32, {small:,} in int8")
        driver = started()
        try:
            measure(driver, page)
            if pictures:
                take_pictures(driver, page, pictures)
        finally:
            driver.quit()


def started():
    """Return a driver of Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in OPTIONS:
        options.add_argument(option)
    return webdriver.Chrome(options, Service(shutil.which("chromedriver")))


def measure(driver, page):
    """Print the times of several visits."""
    paints, strokes = [], []
    for _ in range(ROUNDS):
        driver.get(page.as_uri())
        paints.append(driver.execute_async_script(FIRST_PAINT))
        strokes.append(driver.execute_async_script(DRAW, FIVE))
    print(f"first drawing of the page, {ROUNDS} visits: {spread(paints)}")
    print(f"first strokes to bars, {ROUNDS} visits: {spread(strokes)}")
    predictions, readings = driver.execute_script(TIMES, FIVE)
    print(f"one prediction, {len(predictions)} of them: {spread(predictions)}")
    print(f"strokes to result, {len(readings)} of them: {spread(readings)}")


def spread(times):
    """Return median and greatest, in milliseconds, as text."""
    return f"median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms"


def take_pictures(driver, page, folder):
    """Write the page as a desk and a telephone show it."""
    views = [("page.png", "light", 1000, 690), ("page-dark.png", "dark", 390, 800)]
    for name, theme, width, height in views:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.get(page.as_uri())
        driver.execute_async_script(DRAW, FIVE)
        if theme == "light":
            driver.find_element("css selector", "input[value=matters]").click()
            driver.execute_async_script("setTimeout(arguments[0], 1500)")
        picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
        picture.quantize(64).save(folder / name, optimize=True)


if __name__ == "__main__":
    main()
