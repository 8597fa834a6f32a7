"""The oracle itself: central differences in float64, and values worked out elsewhere."""

import numpy as np
import pytest

import activations
import twins
from cases import (
    CASES,
    Case,
    arrays,
    batchnorm,
    conv2d,
    dense,
    dropout,
    layer_arrays,
    patch_embed,
    relative,
    self_attention,
)
from loss_twins import LOSSES

STEP = 1e-5
MODES = {"training": twins.training_mode(seed=3, step=5), "inference": twins.Mode()}


def kinks(caches):
    """On which side of each kink a forward pass went; differences across one say nothing."""
    sides = [c["z"] > 0 for c in caches if "z" in c]
    return [*sides, *(c["winner"] for c in caches if "winner" in c)]


def real_tokens(caches):
    return [c["real"] for c in caches if "real" in c]


def same(a, b):
    return all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


def probe(array, rng, most=24):
    """Indices of an array: all of them, or some where there are many."""
    return rng.permutation(array.size)[:most]


# Where inputs are blank outputs tie under a pool: every probe there crosses a kink.
# Truncated gradients are not those of the function.
SMOOTH = [
    case
    for case in CASES
    if not case.blank and not any(layer.get("truncate") for layer in case.layers)
]


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_backward_matches_central_differences(case, rng):
    """A random cotangent sees errors that a plain sum hides (a softmax sums to one)."""
    x, _, params = arrays(case)
    for mode in MODES.values():
        out, caches = twins.forward(case.layers, params, x, mode)
        cotangent = rng.uniform(0.5, 2, out.shape) * rng.choice([-1, 1], out.shape)
        dx, grads = twins.backward(case.layers, params, caches, cotangent)
        pairs = [(x, dx)] + [
            (p[name], g[name]) for p, g in zip(params, grads, strict=True) for name in p
        ]
        numeric, analytic, crossed = [], [], 0
        for array, gradient in pairs:
            assert array.shape == gradient.shape
            for i in probe(array, rng):
                sums, sides, becomes_real = [], [], False
                value = array.flat[i]
                for moved in (value + STEP, value - STEP):
                    array.flat[i] = moved
                    moved_out, moved_caches = twins.forward(case.layers, params, x, mode)
                    sums.append((cotangent * (moved_out - out)).sum())
                    sides.append(kinks(moved_caches))
                    becomes_real |= not same(real_tokens(moved_caches), real_tokens(caches))
                array.flat[i] = value
                if becomes_real:
                    continue  # padding that is moved is no longer padding
                if same(*sides):
                    numeric.append((sums[0] - sums[1]) / (2 * STEP))
                    analytic.append(gradient.flat[i])
                else:
                    crossed += 1
        numeric, analytic = np.array(numeric), np.array(analytic)
        assert crossed <= len(numeric) / 10
        size = np.linalg.norm(numeric) + np.linalg.norm(analytic)
        assert np.linalg.norm(numeric - analytic) <= 1e-7 * size + 1e-9


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_losses_match_central_differences(loss, smoothing, rng):
    z = rng.normal(size=(4, 5))
    y = rng.integers(0, 5, 4) if loss.startswith("softmax") else rng.normal(size=(4, 5))
    half = 0.5 if loss == "squared_error" else 1.0
    _, gradient = LOSSES[loss].rows(z, y, smoothing)
    numeric = np.empty_like(z)
    for i in range(z.size):
        up, down = z.copy(), z.copy()
        up.flat[i] += STEP
        down.flat[i] -= STEP
        change = LOSSES[loss].rows(up, y, smoothing)[0]
        change = change - LOSSES[loss].rows(down, y, smoothing)[0]
        numeric.flat[i] = half * change.sum() / (2 * STEP)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-9)


def test_gradients_follow_the_weighted_mean(rng):
    case = Case("weighted", [dense(5, "tanh"), dense(3)], (4,), "softmax_cross_entropy", 6)
    x, y, params = arrays(case)
    weights = rng.uniform(0, 2, 6)
    more = {"weights": weights, "smoothing": 0.2}

    def mean_loss(flat):
        moved = twins.unflatten(flat, params)
        row_loss, _ = twins.gradients(case.layers, moved, x, y, case.loss, **more)
        return row_loss.sum() / 6  # by rows, whatever they weigh

    _, grads = twins.gradients(case.layers, params, x, y, case.loss, **more)
    flat = twins.flatten(params)
    steps = STEP * np.eye(flat.size)
    numeric = [(mean_loss(flat + d) - mean_loss(flat - d)) / (2 * STEP) for d in steps]
    assert relative(numeric, twins.flatten(grads)) < 1e-8


# ---- golden values (section 7.1 of the reference systems' specification) ----


def test_softmax_of_equal_and_of_huge_logits():
    np.testing.assert_allclose(twins.softmax(np.ones((1, 3))), 1 / 3)
    np.testing.assert_allclose(
        twins.softmax(np.array([[1000.0, 1001, 1002]])).sum(), 1, rtol=1e-12
    )


GOLDEN = [
    (name, function, z, number)
    for name, row in activations.ACTIVATIONS.items()
    for function, numbers in (("value", row.values), ("slope", row.slopes))
    for z, number in numbers.items()
]


@pytest.mark.parametrize(("name", "function", "z", "expected"), GOLDEN)
def test_golden_activations(name, function, z, expected):
    f = twins.ACTIVATIONS[name][function == "slope"]
    found = f(np.array([float(z)]), twins.DEFAULT_ALPHA.get(name, 0))[0]
    assert found == pytest.approx(expected, abs=1e-6 if function == "value" else 1e-5)


def test_cross_entropy_gradient_by_hand():
    _, gradient = LOSSES["softmax_cross_entropy"].rows(
        np.log([[0.1, 0.2, 0.7]]), np.array([2])
    )
    np.testing.assert_allclose(gradient, [[0.1, 0.2, -0.3]])


def test_dense_by_hand():
    x = np.array([[1.0, 2, 3], [4, 5, 6]])
    weight = np.array([[1.0, 2], [3, 4], [5, 6]])
    out, _ = twins.dense_forward(dense(2), {"weight": weight, "bias": np.zeros(2)}, x)
    np.testing.assert_array_equal(out, [[22, 28], [49, 64]])


def test_conv_by_hand():
    """A 2x2 kernel of ones adds up its window; padding adds zeros around."""
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    params = {"weight": np.ones((1, 1, 2, 2)), "bias": np.array([0.5])}
    out, _ = twins.conv2d_forward(conv2d(1, 2), params, x)
    np.testing.assert_array_equal(out[0, 0], [[8.5, 12.5], [20.5, 24.5]])
    padded, _ = twins.conv2d_forward(conv2d(1, 2, padding=1, stride=3), params, x)
    np.testing.assert_array_equal(padded[0, 0], [[0.5, 2.5], [6.5, 8.5]])


def test_conv_does_not_flip_its_kernel():
    x = np.array([[[[1.0, 2, 3]]]])
    params = {"weight": np.array([[[[10.0, 1], [10, 1]]]]), "bias": np.zeros(1)}
    out, _ = twins.conv2d_forward(conv2d(1, 2, padding=1), params, x)
    np.testing.assert_array_equal(out[0, 0], [[1, 12, 23, 30]] * 2)


def test_patches_by_hand():
    """Tokens run along the grid's rows, a token's numbers along channels, then rows."""
    x = np.arange(32.0).reshape(1, 2, 2, 8)
    params = {"weight": np.eye(8), "bias": np.zeros(8)}
    out, _ = twins.patch_embed_forward(patch_embed(2, 8), params, x)
    assert out.shape == (1, 4, 8)
    np.testing.assert_array_equal(out[0, 1], [2, 3, 10, 11, 18, 19, 26, 27])


def test_attention_by_hand():
    """Scores of q = (0, 1), k = (0, 2) are 0 or 2; the second token sees both by e^2."""
    x = np.array([[[0.0], [1.0]]])
    params = {"q_weight": 1, "k_weight": 2, "v_weight": 10}
    params = {name: np.array([[float(w)]]) for name, w in params.items()}
    params |= {f"{name}_bias": np.zeros(1) for name in "qkv"}
    out, _ = twins.self_attention_forward(self_attention(), params, x)
    second = 10 * np.exp(2) / (1 + np.exp(2))
    np.testing.assert_allclose(out[0, :, 0], [5, second])


def test_batchnorm_by_hand():
    # The golden values belong to a running variance that starts at zero.
    params = twins.Params(
        {"weight": np.ones(2), "bias": np.zeros(2)},
        {"running_mean": np.zeros(2), "running_var": np.zeros(2)},
    )
    x = np.array([[0.0, 1], [2, 3]])
    mode = twins.training_mode()
    out, cache = twins.batchnorm_forward(batchnorm(), params, x, mode)
    np.testing.assert_allclose(out, [[-1, -1], [1, 1]], atol=1e-4)
    np.testing.assert_allclose(cache["state"]["running_mean"], [0.1, 0.2])
    np.testing.assert_allclose(cache["state"]["running_var"], [0.1, 0.1])


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (dense(512), (784,), 401920),
        (conv2d(8, 3, padding=1), (1, 28, 28), 80),
        (conv2d(16, 5), (3, 28, 28), 1216),
        (batchnorm(), (128,), 256),
        (dropout(0.5), (128,), 0),
    ],
)
def test_parameter_counts(layer, shape, count):
    ((_, params, _),) = layer_arrays(Case("one", [layer], shape, "squared_error", 1))
    assert sum(np.prod(s) for s in params.values()) == count


def test_sinusoidal_positions():
    table = twins.sinusoidal_positions(49, 64)
    assert table.min() == pytest.approx(-1, abs=1e-3)
    assert table.max() == pytest.approx(1, abs=1e-3)
    assert table.mean() == pytest.approx(0.391, abs=1e-3)
    np.testing.assert_allclose(table[0], [0, 1] * 32)


def test_first_maximum_wins():
    x = np.array([[[[3.0, 3], [3, 1]]]])
    spec = {"type": "maxpool2d"}
    out, cache = twins.maxpool2d_forward(spec, {}, x)
    assert out[0, 0, 0, 0] == 3
    dx, _ = twins.maxpool2d_backward(spec, {}, cache, np.array([[[[7.0]]]]))
    np.testing.assert_array_equal(dx[0, 0], [[7, 0], [0, 0]])


# ---- masks and optimizers ----


def test_mask_numbers_from_the_definition():
    """The same on Python's integers."""
    mask = 2**64 - 1

    def mix(x):
        x ^= x >> 30
        x = x * 0xBF58476D1CE4E5B9 & mask
        x ^= x >> 27
        x = x * 0x94D049BB133111EB & mask
        return x ^ x >> 31

    golden = 0x9E3779B97F4A7C15
    key = 2**64 - 12345
    for part in (0, 1, 2**63):
        key = mix(key ^ mix((part + golden) & mask))
    twin = 2**64 - 12345
    for part in (0, 1, 2**63):
        twin = twins.mask_key(twin, part)
    assert twin == key
    numbers = twins.uniform_numbers(key, (3, 2)).ravel()
    for i in range(6):
        bits = mix((key + i * golden) & mask) >> 32
        assert numbers[i] == (bits >> 8) / 2**24


def test_sgd_by_hand():
    p, g = np.array([1.0, 2, 3]), np.array([0.1, 0.2, 0.3])
    twins.sgd({}, p, g, {}, 0.1, 1)
    np.testing.assert_allclose(p, [0.99, 1.98, 2.97])


def test_momentum_by_hand():
    """v = 1, 1.5; nesterov moves by g + v/2 = 1.5, 1.75."""
    for nesterov, expected in ((False, -2.5), (True, -3.25)):
        p, moments = np.zeros(1), {}
        for step in (1, 2):
            spec = {"momentum": 0.5, "nesterov": nesterov}
            twins.sgd(spec, p, np.ones(1), moments, 1.0, step)
        assert p[0] == expected


def test_first_adam_step_is_the_learning_rate():
    """m and v with their bias taken out are g and g^2, whatever g is."""
    p, g = np.zeros(3), np.array([1e-3, -5, 1e4])
    moments = {}
    twins.adam({}, p, g, moments, 0.1, 1)
    np.testing.assert_allclose(p, [-0.1, 0.1, -0.1], rtol=1e-4)
    for step in range(2, 1001):
        twins.adam({}, p, g, moments, 0.1, step)
    np.testing.assert_allclose(moments["v"] / g**2, 0.6323, atol=1e-4)  # 1 - 0.999^1000


def test_decay_is_coupled_in_adam_and_decoupled_in_adamw():
    """With no gradient Adam takes a whole step by the decay's sign, AdamW shrinks p."""
    coupled, decoupled = np.array([4.0]), np.array([4.0])
    twins.adam({"weight_decay": 0.1}, coupled, np.zeros(1), {}, 0.5, 1)
    twins.adamw({"weight_decay": 0.1}, decoupled, np.zeros(1), {}, 0.5, 1)
    assert coupled[0] == pytest.approx(3.5)
    assert decoupled[0] == pytest.approx(3.8)


def test_clip_by_norm():
    grads = [{"a": np.array([3.0]), "b": np.zeros(2)}, {"a": np.array([4.0])}]
    assert twins.clip_by_norm(grads, 5.0) is grads
    clipped = twins.clip_by_norm(grads, 1.0)
    np.testing.assert_allclose(twins.flatten(clipped), [0.6, 0, 0, 0.8])
