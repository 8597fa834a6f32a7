"""The page as a file: what it asks for, what it refuses, and that it loads nothing."""

import base64
import hashlib
import re

import numpy as np
import pytest

import rnn_native as rn
from browser import parts_of, script_of
from rnn_native.cli import main
from rnn_native.export import page_file, page_layers
from rnn_native.models import open_set


def dense_net(inputs=(4,), outputs=3, loss="softmax_cross_entropy", first=()):
    layers = [*first, rn.Flatten(), rn.Dense(outputs)]
    return rn.Network(layers, inputs, loss, seed=3)


def described(net, **options):
    return parts_of(rn.export.html_page(net, **options))[0]


# ---- the file ----


def test_it_loads_nothing_and_runs_nothing_but_its_own():
    page = rn.export.html_page(rn.pretrained.load())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for name, text in [
        ("script-src", script_of(page)),
        ("style-src", page.split("<style>")[1].split("</style>")[0]),
    ]:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert not re.search(r"https?:|//cdn|<link rel=\"stylesheet|\bimport\b *[({\"']", page)
    assert " style=" not in page
    assert not re.search(r"<[^>]* on[a-z]+=", page)


def test_equal_models_are_equal_pages(tmp_path):
    net = dense_net()
    rn.export.to_html(net, tmp_path / "a.html", title="Mine")
    page = (tmp_path / "a.html").read_text()
    assert page == rn.export.html_page(net, title="Mine")
    assert "<title>Mine</title>" in page
    digits = rn.export.html_page(dense_net((784,), 10), title="Mine")
    assert "Draw a digit here" in digits


def test_what_users_name_stays_text():
    evil = "</script><script>alert(1)</script>"
    page = rn.export.html_page(dense_net(), title=evil, classes=[evil, "b", "c"])
    assert evil not in page
    assert page.count("<script") == 3
    assert parts_of(page)[0]["outputs"]["names"] == [evil, "b", "c"]


def test_every_weight_is_in_it_to_the_bit():
    net = dense_net(first=[rn.Dense(6, "tanh")])
    odd = [1e-45, -0.0, 3.4028235e38, 0.1, 1 / 3, 16777217, 1e10, -1.1754944e-38]
    net.parameters["layers.0.weight"].flat[: len(odd)] = odd
    told, weights = parts_of(rn.export.html_page(net))
    floats = np.frombuffer(base64.b64decode(weights), "<f4")
    place = told["nets"][0]["layers"][0]["weight"]
    kept = floats[place["at"] : place["at"] + place["size"]].reshape(6, 4)
    assert kept.T.tobytes() == net.parameters["layers.0.weight"].tobytes()
    assert told["floats"] == len(floats) == net.params.size


def test_a_page_has_the_layers_that_its_nets_need_and_few_others():
    net = dense_net((4, 3), first=[rn.GRU(2, return_sequences=True), rn.LayerNorm()])
    plain, layered = (script_of(rn.export.html_page(one)) for one in (dense_net(), net))
    assert "LAYERS, { simple_rnn" in layered
    assert "LAYERS, { batchnorm" in layered
    assert plain.count("Object.assign(LAYERS") == 0
    assert layered.count("Object.assign(LAYERS") == 2


@pytest.mark.parametrize("kind", page_layers.LAYERS)
def test_each_layer_is_in_the_file_that_its_pages_get(kind):
    files = [name for name, kinds in page_file.LAYER_FILES.items() if kind in kinds]
    [name] = files or ["layers.js"]
    text = (page_file.PARTS / name).read_text()
    assert re.search(rf"\b{kind}\b", text[text.rindex("LAYERS") :])


def test_int8_takes_a_quarter():
    net = rn.pretrained.load()
    whole, small = (len(rn.export.html_page(net, int8=int8)) for int8 in (False, True))
    assert whole <= 400_000
    assert whole - small > 0.7 * 4 / 3 * 4 * net.params.size


def test_digits_have_a_guard_in_int8():
    net = dense_net((784,), 10)
    guard = described(net)["guard"]
    assert guard["threshold"] == open_set.shipped().threshold
    assert "scales" in guard["nets"][0]["layers"][0]["weight"]
    assert "scales" not in described(net)["nets"][0]["layers"][1]["weight"]
    assert described(dense_net((784,), 3), classes=list("abc"))["guard"] is None
    assert described(net, guard=(net, 0.5))["guard"]["threshold"] == 0.5
    with pytest.raises(
        ValueError, match="guard: expected a net of drawings.*got an input of 4"
    ):
        rn.export.html_page(net, guard=(dense_net(), 0.5))
    with pytest.raises(ValueError, match="guard: expected .*got an input of 784"):
        rn.export.html_page(dense_net(), guard=(net, 0.5))


# ---- what it asks for ----

PATCHES = [rn.PatchEmbed(2, 3)]


@pytest.mark.parametrize(
    ("net", "options", "kind", "shape"),
    [
        (dense_net((784,), 10), {}, "drawing", [1, 28, 28]),
        (dense_net((28, 28), 10), {}, "drawing", [1, 28, 28]),
        (dense_net((1, 28, 28), 10, "squared_error"), {}, "drawing", [1, 28, 28]),
        (dense_net((784,), 3), {"classes": list("abc")}, "drawing", [1, 28, 28]),
        (dense_net((784,), 3), {}, "picture", [1, 28, 28]),
        (
            dense_net((1, 28, 28), 3),
            {"classes": ["coat", "b", "c"]},
            "picture",
            [1, 28, 28],
        ),
        (dense_net((3, 8, 9)), {}, "picture", [3, 8, 9]),
        (dense_net((8, 6), first=PATCHES), {}, "picture", [1, 8, 6]),
        (dense_net((8, 6)), {}, "numbers", [8, 6]),
        (dense_net((2, 8, 6)), {}, "numbers", [2, 8, 6]),
        (dense_net((4,)), {}, "numbers", [4]),
    ],
)
def test_the_kind_follows_from_the_net(net, options, kind, shape):
    inputs = described(net, **options)["inputs"]
    assert (inputs["kind"], inputs["shape"]) == (kind, shape)


def test_digits_are_checked_as_digits_and_letters_are_not():
    assert described(dense_net((784,), 10))["inputs"]["digits"]
    letters = described(dense_net((784,), 3), classes=list("abc"))
    assert not letters["inputs"]["digits"]
    assert described(dense_net((784,), 10), classes=list("0123456789"))["inputs"]["digits"]


def test_fields_begin_with_the_mean_that_is_subtracted(rng):
    net = dense_net((3,), first=[rn.Normalization()])
    net.adapt(rng.normal([5, 0, -2], size=(200, 3)).astype("f"))
    fields = described(net, features=["a", "b", "c"])["inputs"]["features"]
    assert [field["name"] for field in fields] == ["a", "b", "c"]
    np.testing.assert_allclose([f["value"] for f in fields], [5, 0, -2], atol=0.3)
    plain = described(dense_net((101,)))["inputs"]
    assert plain["features"] is None


@pytest.mark.parametrize(
    ("outputs", "loss", "kind", "names"),
    [
        (3, "softmax_cross_entropy", "classes", ["0", "1", "2"]),
        (1, "sigmoid_cross_entropy", "classes", ["no", "yes"]),
        (2, "sigmoid_cross_entropy", "answers", ["0", "1"]),
        (2, "squared_error", "values", ["output 0", "output 1"]),
        (1, "poisson", "values", ["output 0"]),
    ],
)
def test_outputs_are_what_the_loss_says(outputs, loss, kind, names):
    told = described(dense_net((4,), outputs, loss))["outputs"]
    assert told == {"kind": kind, "names": names}


# ---- what it refuses ----


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        (dense_net(), {"classes": ["a"]}, "classes: expected 3 names, got 1"),
        (dense_net(), {"classes": "abc"}, "classes: expected a list of names, got 'abc'"),
        (
            dense_net(),
            {"classes": ["a", " ", "c"]},
            "classes: expected names, got an empty",
        ),
        (dense_net(), {"features": ["a"]}, "features: expected 4 names, got 1"),
        (
            dense_net((2, 3)),
            {"features": ["a"]},
            "a row of numbers, but this net expects 2 x 3",
        ),
    ],
)
def test_wrong_names_are_refused(tmp_path, net, options, message):
    with pytest.raises(ValueError, match=message):
        rn.export.to_html(net, tmp_path / "page.html", **options)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_a_page_lacks_is_named(monkeypatch, tmp_path, capsys):
    net = dense_net(first=[rn.Dense(4, "relu"), rn.RMSNorm()])
    net.save(tmp_path / "net.safetensors")
    monkeypatch.delitem(page_layers.LAYERS, "rmsnorm")
    arguments = ["export", str(tmp_path / "net.safetensors"), str(tmp_path / "page.html")]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "layers[1] (rmsnorm): a page cannot express this layer" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "page.html").exists()
    with pytest.raises(ValueError, match=r"nets\[1\]\.layers\[1\] \(rmsnorm\)"):
        rn.export.html_page(rn.Ensemble([dense_net(), net]))


def test_a_weight_that_is_not_finite_is_named():
    net = dense_net()
    net.parameters["layers.1.bias"][1] = np.nan
    with pytest.raises(ValueError, match=r"layers\.1\.bias: expected finite values"):
        rn.export.html_page(net)


def test_the_command_takes_names(tmp_path):
    dense_net().save(tmp_path / "net.safetensors")
    page = tmp_path / "iris.html"
    call = ["export", str(tmp_path / "net.safetensors"), str(page), "--title", "Iris"]
    assert main([*call, "--classes", "a,b,c", "--features", "k,l,m,n", "--int8"]) == 0
    told, _ = parts_of(page.read_text())
    assert told["outputs"]["names"] == ["a", "b", "c"]
    assert [field["name"] for field in told["inputs"]["features"]] == list("klmn")
    assert "scales" in told["nets"][0]["layers"][1]["weight"]
