"""Exported pages as people use them: real pointers, keys, files, and what the page shows."""

import itertools

import numpy as np
import pytest
from PIL import Image

import rnn_native as rn
from rnn_native.recognizer import overlay

SEVEN = [[(80, 60), (200, 60), (170, 110), (140, 170), (125, 240)]]
ONE = [[(140, 40), (140, 240)]]
VALUES = "return [...document.querySelectorAll('.value')].map((v) => v.textContent)"
FOUR = [[(110, 40), (80, 150), (210, 150)], [(170, 90), (165, 250)]]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "digit.html"
    rn.export.to_html(rn.pretrained.load(), file)
    return file


@pytest.fixture
def opened(browser, page):
    """The shipped model's page, without messages in the console at the end."""
    said = browser.open(page)
    yield browser
    assert said + browser.console() == []


def draw(browser, strokes, kind="mouse"):
    """Draw strokes, in the pad's 280 units, by a real pointer."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    pad = browser.element("#pad")
    box = pad.rect
    actions = ActionChains(browser.driver, duration=5)
    actions.w3c_actions.devices = []
    pointer = actions.w3c_actions.add_pointer_input(kind, kind)
    assert isinstance(pointer, PointerInput)

    def move(x, y):
        right, down = ((v / 280 - 0.5) * box["width"] for v in (x, y))
        pointer.create_pointer_move(duration=5, x=round(right), y=round(down), origin=pad)

    for stroke in strokes:
        move(*stroke[0])
        pointer.create_pointer_down(button=0)
        for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
            for t in (0.25, 0.5, 0.75, 1):
                move(x0 + t * (x1 - x0), y0 + t * (y1 - y0))
        pointer.create_pointer_up(button=0)
    actions.w3c_actions.perform()


def wait_for(browser, condition):
    """Wait until a script's expression is true."""
    script = """
    const done = arguments[0], end = performance.now() + 20000;
    const look = () => eval(CONDITION) || performance.now() > end ? done(eval(CONDITION))
      : setTimeout(look, 10);
    look();
    """
    assert browser.run_later(script.replace("eval(CONDITION)", f"({condition})")), condition


# ---- drawing ----


@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_strokes_of_a_pointer_are_read(opened, kind):
    for strokes, digit in [(SEVEN, "7"), (ONE, "1"), (FOUR, "4")]:
        draw(opened, strokes, kind)
        assert opened.text("#answer") == digit
        assert opened.text("#sentence").startswith(f"{digit}, ")
        assert opened.text("#bars .best .name") == digit
        opened.element("#clear").click()
        assert opened.text("#sentence") == "nothing drawn"


def test_several_digits_are_read_one_by_one(opened):
    parts = [[(60, 70), (60, 210)], [(140, 80), (230, 80), (205, 140), (180, 220)]]
    draw(opened, parts)
    assert opened.text("#answer") == "17"
    assert opened.text("#sentence") == "2 characters: 17"
    assert set(opened.run(VALUES)) == {""}
    opened.element("#undo").click()
    assert opened.text("#answer") == "1"
    draw(opened, [[(200, 140)]])  # a dot is not a second digit
    assert not opened.text("#sentence").startswith("2 characters")


def test_what_is_read_is_told_to_screen_readers(opened):
    draw(opened, SEVEN)
    wait_for(opened, "byId('announced').textContent.startsWith('7, ')")
    assert opened.element("#announced").get_attribute("role") == "status"
    names = opened.run(
        "return [...document.querySelectorAll('canvas')].map((c) => c.ariaLabel)"
    )
    assert all(names)


def test_buttons_and_keys_undo_and_clear(opened):
    from selenium.webdriver.common.keys import Keys

    assert not opened.element("#undo").is_enabled()
    draw(opened, ONE)
    draw(opened, SEVEN)
    opened.element("#undo").click()
    assert opened.text("#answer") == "1"
    opened.element("body").send_keys(Keys.DELETE)
    assert opened.text("#sentence") == "nothing drawn"
    opened.element("body").send_keys(Keys.CONTROL, "z")
    assert opened.text("#answer") == "1"
    opened.element("#clear").click()
    opened.element("#undo").click()
    opened.element("#undo").click()
    assert opened.text("#sentence") == "nothing drawn"


def test_keys_draw(opened):
    from selenium.webdriver.common.keys import Keys

    pad = opened.element("#pad")
    pad.send_keys(*[Keys.ARROW_UP] * 12, " ", *[Keys.ARROW_DOWN] * 24, " ")
    assert opened.text("#answer") == "1"


def test_a_second_finger_and_other_buttons_do_not_draw(opened):
    script = """
    const pad = byId("pad"), { left, top } = pad.getBoundingClientRect();
    const send = (type, x, y, more) => pad.dispatchEvent(new PointerEvent(type, {
      clientX: left + x, clientY: top + y, bubbles: true, ...more }));
    pad.setPointerCapture = () => {};
    send("pointerdown", 50, 50, { pointerId: 1, button: 2 });
    send("pointermove", 150, 150, { pointerId: 1 });
    send("pointerdown", 100, 20, { pointerId: 1, button: 0 });
    send("pointerdown", 10, 10, { pointerId: 2, button: 0 });
    send("pointermove", 250, 250, { pointerId: 2 });
    send("pointermove", 100, 250, { pointerId: 1 });
    send("pointerup", 250, 250, { pointerId: 2 });
    send("pointerup", 100, 250, { pointerId: 1 });
    return byId("answer").textContent;
    """
    assert opened.run(script) == "1"
    opened.element("#undo").click()  # it was one stroke
    assert opened.text("#sentence") == "nothing drawn"


COLORED = """
const { width, height } = byId("view"), copy = new OffscreenCanvas(width, height);
const context = copy.getContext("2d", { willReadFrequently: true });
context.drawImage(byId("view"), 0, 0);
const { data } = context.getImageData(0, 0, width, height);
let count = 0;
for (let i = 0; i < data.length; i += 4) count += data[i] !== data[i + 2];
return [width, height, count];
"""


def test_what_the_net_sees_and_what_matters(opened):
    draw(opened, SEVEN)
    width, height, colored = opened.run(COLORED)
    assert (width, height, colored) == (28, 28, 0)
    opened.element("input[value=matters]").click()
    wait_for(opened, f"(() => {{{COLORED}}})()[2] > 20")
    assert "Orange speaks for 7" in opened.text("#legend")
    assert not opened.element("#attention-choice").is_displayed()


def test_attention_is_shown_where_there_is_some(browser, tmp_path):
    layers = [rn.PatchEmbed(4, 8), rn.Position(), rn.SelfAttention(2)]
    net = rn.Network([*layers, rn.MeanPool(), rn.Dense(10)], (28, 28), seed=2)
    rn.export.to_html(net, tmp_path / "page.html")
    assert browser.open(tmp_path / "page.html") == []
    draw(browser, SEVEN)
    browser.element("input[value=attention]").click()
    wait_for(browser, f"(() => {{{COLORED}}})()[2] > 100")
    x = browser.run("return [...fromStrokes([{points: [[9, 9], [9, 99]], width: 9}])]")
    script = """
    const nets = openNets(described, bytesOf(byId("weights").textContent));
    return [...attentionMap(nets[0], Float32Array.from(arguments[0]), [1, 28, 28])];
    """
    expected = overlay.attention(net, np.float32(x).reshape(28, 28))
    np.testing.assert_allclose(browser.run(script, x), expected.ravel(), atol=1e-5)
    assert browser.console() == []


# ---- numbers and pictures ----


def test_a_table_has_a_field_for_each_feature(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    net = rn.Network([rn.Dense(8, "tanh"), rn.Dense(3)], (3,), seed=4)
    names = {"classes": ["red", "green", "blue"], "features": ["long", "wide", "high"]}
    rn.export.to_html(net, tmp_path / "page.html", **names)
    assert browser.open(tmp_path / "page.html") == []
    fields = browser.driver.find_elements("css selector", "#fields input")
    labels = browser.driver.find_elements("css selector", "#fields label")
    assert [label.text for label in labels] == names["features"]
    for field, value in zip(fields, ["1.5", "-2", "1e-1"], strict=True):
        field.clear()
        field.send_keys(value)
    expected = net.predict_proba(np.array([[1.5, -2, 0.1]], "f"))[0]
    assert browser.text("#answer") == names["classes"][expected.argmax()]
    shares = browser.run(VALUES)
    assert shares == [f"{100 * p:.1f} %" for p in expected]
    fields[1].send_keys(Keys.CONTROL, "a")
    fields[1].send_keys(Keys.BACKSPACE)
    assert browser.text("#sentence") == "wide: expected a number"
    assert fields[1].get_attribute("aria-invalid") == "true"
    assert browser.console() == []


def test_other_numbers_go_into_one_field(browser, tmp_path, rng):
    net = rn.Network([rn.Flatten(), rn.Dense(2)], (3, 4), "squared_error", seed=4)
    rn.export.to_html(net, tmp_path / "page.html")
    assert browser.open(tmp_path / "page.html") == []
    assert browser.text("#sentence") == "expected 12 numbers, got 0"
    field = browser.element("#numbers")
    x = rng.normal(size=12).round(3)
    field.send_keys(" ".join(map(str, x[:6])), "\n", ", ".join(map(str, x[6:])))
    values = net.predict(np.float32([x.reshape(3, 4)]))[0]
    shown = browser.run(
        "return [...document.querySelectorAll('.value')].map((v) => Number(v.textContent))"
    )
    np.testing.assert_allclose(shown, values, rtol=1e-4)
    field.send_keys(" x7")
    assert browser.text("#sentence") == "expected numbers, got x7"
    assert browser.console() == []


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_opened_scaled_and_read(browser, tmp_path, rng, channels):
    net = rn.Network([rn.Flatten(), rn.Dense(4)], (channels, 6, 9), seed=5)
    classes = ["coat", "shoe", "shirt", "bag"]
    rn.export.to_html(net, tmp_path / "page.html", classes=classes)
    # Three times as large, and wider: the middle is taken.
    small = rng.integers(0, 256, (6, 9, channels), np.uint8)
    large = np.kron(small, np.ones((3, 3, 1), np.uint8))
    wide = np.pad(large, [(0, 0), (6, 6), (0, 0)])
    Image.fromarray(wide.squeeze()).save(tmp_path / "picture.png")
    assert browser.open(tmp_path / "page.html") == []
    browser.element("#file").send_keys(str(tmp_path / "picture.png"))
    wait_for(browser, "byId('bars').children.length === 4")
    expected = net.predict_proba(small.transpose(2, 0, 1)[None])[0]
    assert browser.text("#answer") == classes[expected.argmax()]
    shares = browser.run(VALUES)
    assert shares == [f"{100 * p:.1f} %" for p in expected]
    (tmp_path / "other.png").write_text("no picture")
    browser.element("#file").send_keys(str(tmp_path / "other.png"))
    wait_for(browser, "byId('sentence').textContent.startsWith('other.png: not a picture')")
    assert browser.element("#invert").is_displayed() == (channels == 1)
    assert browser.console() == []


# ---- the page itself ----


def test_the_policy_forbids_everything_else(browser, page):
    browser.open(page)
    script = """
    const done = arguments[0], element = document.createElement("script");
    element.textContent = "window.ran = true";
    document.body.append(element);
    document.body.setAttribute("style", "color: red");
    fetch("https://example.org/").then(() => done("fetched"), () => done([
      window.ran === undefined, document.body.style.color]));
    """
    assert browser.run_later(script) == [True, ""]
    said = " ".join(browser.console())
    assert said.count("Content Security Policy") >= 3


def test_dark_pages_are_dark(opened):
    script = "return getComputedStyle(document.body).backgroundColor"
    opened.emulate(prefers_color_scheme="light")
    light = opened.run(script)
    opened.emulate(prefers_color_scheme="dark")
    assert (light, opened.run(script)) == ("rgb(246, 247, 249)", "rgb(20, 24, 29)")


def test_a_telephone_shows_all_of_it_without_scrolling_aside(opened):
    opened.resize(360, 740)
    width, pad = opened.run(
        "return [document.documentElement.scrollWidth, byId('pad').clientWidth]"
    )
    assert width == 360
    assert pad > 280
    assert opened.run("return getComputedStyle(byId('pad')).touchAction") == "none"
    draw(opened, SEVEN, "touch")
    assert opened.text("#answer") == "7"
