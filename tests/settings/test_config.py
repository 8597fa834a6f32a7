"""Training configurations: the reference's files and messages, errors, and the schema."""

import json
import math
import os
import random
import re
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest

import rnn_native
from rnn_native import config as config_module
from rnn_native import schedules
from rnn_native.base.errors import FormatError
from rnn_native.base.rules import ConfigError
from rnn_native.settings.architecture import load_architecture
from rnn_native.settings.config import (
    KEYS,
    OPTIMIZERS,
    TrainingConfig,
    load_config,
    parse_config,
)
from rnn_native.settings.schedulers import Scheduler
from rnn_native.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "data" / "configs").glob("*.json"))
PAGE = (ROOT / "docs" / "reference" / "configuration.md").read_text()
SCHEMA = json.loads(
    (Path(rnn_native.__file__).parent / "schema" / "config.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def message(mapping):
    with pytest.raises(ConfigError) as error:
        parse_config(mapping, "'c.json'")
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- the reference's files ----


def test_step_file():
    config = load_config(ROOT / "data/configs/step.json")
    assert config == TrainingConfig(scheduler_type="step_decay", step_size=3, gamma=0.5)
    assert config.schedule(0.1, 10) == schedules.StepDecay(0.1, 3, 0.5)


def test_exponential_file():
    config = load_config(ROOT / "data/configs/exponential.json")
    assert config.schedule(0.1, 10) == schedules.Exponential(0.1, 0.95)


def test_cosine_file():
    config = load_config(ROOT / "data/configs/cosine.json")
    assert config.schedule(0.1, 99) == schedules.CosineAnnealing(0.1, 10, 0.0001)


def test_activation_file():
    config = load_config(ROOT / "data/configs/activation.json")
    assert config.schedule(0.1, 10) == schedules.StepDecay(0.1, 3, 0.5)
    assert config.hidden_activation() == {"activation": "leaky_relu", "alpha": 0.01}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_files(path):
    config = load_config(path)
    VALIDATOR.validate(json.loads(path.read_text()))
    config.applied_to(Recipe(), classes=10)
    config.schedule(0.01, 3).rates(0, 10)


def test_defaults_are_those_of_the_reference():
    config = parse_config({"scheduler_type": "cosine_annealing"})
    found = (config.step_size, config.gamma, config.decay_rate, config.min_lr)
    assert found == (3, 0.5, 0.95, 0.0001)
    assert (config.leaky_relu_alpha, config.elu_alpha) == (0.01, 1.0)
    assert config.activation_function is None
    assert config.schedule(0.1, 7) == schedules.CosineAnnealing(0.1, 7, 0.0001)


@pytest.mark.parametrize(
    "mapping",
    [
        {"scheduler_type": "constant", "step_size": 0, "T_max": 0},  # zeros that it lacks
        {"scheduler_type": "exponential", "gamma": 0, "decay_rate": 0, "min_lr": 0},
        {"scheduler_type": "step_decay", "gamma": 2, "decay_rate": 1e-3},  # integers, e
        {"scheduler_type": "constant", "leaky_relu_alpha": 0},
        {"scheduler_type": "step_decay", "gamma": None, "step_size": None},  # null
        {"scheduler_type": "constant", "activation_function": "gelu"},
    ],
)
def test_what_the_reference_accepts(mapping):
    parse_config(mapping)
    VALIDATOR.validate(mapping)


STEP = {"scheduler_type": "step_decay"}
NAMES = "relu, leaky_relu, elu, gelu, swish, tanh"
REFERENCE_ERRORS = [
    (STEP | {"gamma": -0.1}, "gamma: gamma must be non-negative, got -0.1"),
    (STEP | {"decay_rate": -1}, "decay_rate: decay_rate must be non-negative, got -1.0"),
    (STEP | {"min_lr": -1e-9}, "min_lr: min_lr must be non-negative, got -1e-09"),
    (
        STEP | {"activation_function": "ReLU"},
        "activation_function: Invalid activation function 'ReLU'. Must be one of: " + NAMES,
    ),
    (
        STEP | {"activation_function": "sigmoid\nx"},
        "activation_function: Invalid activation function 'sigmoid\\nx'. Must be one of: "
        + NAMES,
    ),
    (
        STEP | {"leaky_relu_alpha": -1},
        "leaky_relu_alpha: leaky_relu_alpha must be non-negative, got -1.0",
    ),
    (STEP | {"elu_alpha": 0}, "elu_alpha: elu_alpha must be positive, got 0.0"),
    (STEP | {"step_size": 0}, "step_size: step_size must be > 0, got 0"),
    (
        {"scheduler_type": "cosine_annealing", "T_max": 0},
        "T_max: T_max must be > 0, got 0",
    ),
    (
        {"scheduler_type": "stepp"},
        "scheduler_type: Unknown scheduler type 'stepp'. Must be one of: constant, "
        "step_decay, exponential, cosine_annealing, one_cycle, plateau",
    ),
    (STEP | {"step_size": -1}, "step_size: expected an integer in [0, 18446744073709551615]"
     ", got -1"),
    (STEP | {"step_size": 1.5}, "step_size: expected an integer in "
     "[0, 18446744073709551615], got 1.5"),
    (STEP | {"gamma": "0.5"}, "gamma: expected a number, got '0.5'"),
    (STEP | {"gamma": True}, "gamma: expected a number, got true"),
    (
        {"scheduler_type": 5},
        "scheduler_type: expected a string, got 5",
    ),
    (
        {"gamma": 0.5},
        "scheduler_type: missing, but 'gamma' is given; expected one of constant, "
        "step_decay, exponential, cosine_annealing, one_cycle, plateau",
    ),
    (
        {"scheduler_type": None, "T_max": 5},
        "scheduler_type: missing, but 'T_max' is given; expected one of constant, "
        "step_decay, exponential, cosine_annealing, one_cycle, plateau",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "expected"), REFERENCE_ERRORS)
def test_the_references_messages(mapping, expected):
    assert message(mapping) == f"'c.json': {expected}"
    assert not VALIDATOR.is_valid(mapping)


def test_the_references_order_of_checks():
    faults = {
        "gamma": -1,
        "decay_rate": -1,
        "min_lr": -1,
        "activation_function": "x",
        "leaky_relu_alpha": -1,
        "elu_alpha": -1,
    }
    keys = list(faults)
    for i, key in enumerate(keys):
        rest = {k: faults[k] for k in reversed(keys[i:])}
        assert message(STEP | rest).startswith(f"'c.json': {key}: ")


# ---- our own keys ----


def test_what_was_not_given_is_left_to_the_program():
    program = Recipe(epochs=3, batch_size=32, optimizer={"type": "adam"}, clip_norm=2)
    config = parse_config({"seed": 3})
    assert config.applied_to(program, 10) == replace(program, seed=3)
    assert config.schedule(0.1, 10) == schedules.Constant(0.1)


def test_names_of_other_systems_are_read():
    other = {
        "optimizer_type": "adam",
        "warmup": 2,
        "gradient_clipping": 1.5,
        "regularization": 0.01,
        "early_stopping_patience": 4,
        "enable_augmentation": False,
    }
    own = {
        "optimizer": "adam",
        "warmup_epochs": 2,
        "clip_norm": 1.5,
        "l2": 0.01,
        "patience": 4,
    }
    assert parse_config(other) == parse_config(own)


def test_all_of_a_recipe_can_be_given():
    given = {
        "epochs": 3,
        "batch_size": 32,
        "accumulate": 4,
        "steps_per_epoch": 7,
        "seed": 2**64 - 1,
        "validation_split": 0.2,
        "stratify": True,
        "shuffle": False,
        "patience": 4,
        "min_delta": 0.0,
        "optimizer": {"type": "sgd", "momentum": 0.5},
        "clip_norm": 0.0,
        "label_smoothing": 0.1,
        "class_weight": [1.0, 2.0],
        "l2": 0.5,
        "mixup": 0.2,
        "ema_decay": 0.99,
        "augment": {"shift": 2, "elastic": 0.5},
    }
    program = Recipe(clip_norm=3)
    found = parse_config(given | {"learning_rate": 0.05}).applied_to(program, 2)
    assert found == Recipe(lr=0.05, **given)
    assert {f.name for f in fields(Recipe)} == {*given, "swa_start", "lr", "schedule"}
    assert parse_config({"swa_start": 1}).applied_to(program, 2) == replace(
        program, swa_start=1
    )


def test_the_schedule_is_made_for_the_programs_rate_and_epochs():
    config = parse_config({"scheduler_type": "cosine_annealing", "epochs": 4})
    found = config.applied_to(Recipe(lr=0.5, epochs=9), 10)
    assert found.schedule == schedules.CosineAnnealing(0.5, 4, 0.0001)
    constant = parse_config({"scheduler_type": "constant"})
    assert constant.applied_to(found, 10).schedule is None


def test_patience_of_0_never_stops():
    assert parse_config({"patience": 0}).applied_to(Recipe(), 10).patience is None


def test_class_weights_for_a_number_of_classes():
    def weights(given):
        config = parse_config({"class_weight": given})
        return config.applied_to(Recipe(), 3).class_weight

    assert weights("balanced") == "balanced"
    assert weights({"1": 5}) == [1.0, 5.0, 1.0]
    assert weights([1, 2, 3]) == [1.0, 2.0, 3.0]
    with pytest.raises(ConfigError, match=r"^class_weight: expected 3 weights, got 2$"):
        weights([1, 2])
    with pytest.raises(ConfigError, match=r"^class_weight: expected classes below 3, got"):
        weights({"3": 1})


def test_one_cycle_and_plateau_and_warm_up():
    one = {"scheduler_type": "one_cycle", "div": 10, "div_final": 100, "pct_start": 0.5}
    assert parse_config(one).schedule(0.1, 5) == schedules.OneCycle(0.1, 5, 10, 100, 0.5)
    top = parse_config(one | {"lr_max": 0.2}).schedule(0.1, 5)
    assert top == schedules.OneCycle(0.2, 5, 10, 100, 0.5)
    plateau = {
        "scheduler_type": "plateau",
        "plateau_factor": 0.5,
        "plateau_patience": 3,
        "plateau_min_delta": 0.1,
        "plateau_cooldown": 1,
        "min_lr": 0.01,
        "warmup_steps": 7,
    }
    inner = schedules.Plateau(0.1, 0.5, 3, 0.1, 1, 0.01)
    found = parse_config(plateau).schedule(0.1, 5)
    assert found == schedules.Warmup(inner, steps=7)
    config = parse_config({"warmup_epochs": 2})
    assert config.schedule(0.1, 5) == schedules.Warmup(schedules.Constant(0.1), 2)


def test_a_kind_of_schedule_is_one_row(monkeypatch):
    halved = Scheduler(lambda config, lr, epochs: schedules.Constant(lr / 2), {}, "T_max")
    monkeypatch.setitem(config_module.SCHEDULERS, "halved", halved)
    config = parse_config({"scheduler_type": "halved"})
    assert config.schedule(0.5, 9) == schedules.Constant(0.25)
    assert "T_max must be > 0, got 0" in message({"scheduler_type": "halved", "T_max": 0})
    assert "one_cycle, plateau, halved" in message({"scheduler_type": "none"})
    assert "only scheduler_type 'one_cycle'" in message(
        {"scheduler_type": "halved", "div": 3}
    )


def test_defaults_are_those_of_the_schedules():
    made = {"lr": 0.1, "lr_max": 0.1, "epochs": 5, "T_max": 5}
    for kind in config_module.SCHEDULERS:
        schedule = parse_config({"scheduler_type": kind}).schedule(0.1, 5)
        needed = {f.name: made[f.name] for f in fields(schedule) if f.name in made}
        assert schedule == type(schedule)(**needed)


@pytest.mark.parametrize(
    ("given", "spec"),
    [
        ({"optimizer": "adam"}, {"type": "adam"}),
        ({"momentum": 0.9}, {"type": "sgd", "momentum": 0.9}),
        ({"optimizer": "sgd", "nesterov": True}, {"type": "sgd", "nesterov": True}),
        (
            {"optimizer": {"type": "adamw", "beta_1": 0}, "weight_decay": 0.1},
            {"type": "adamw", "beta_1": 0.0, "weight_decay": 0.1},
        ),
        ({"optimizer": {"type": "adam", "beta_2": None}}, {"type": "adam"}),
    ],
)
def test_optimizers(given, spec):
    assert parse_config(given).optimizer == spec
    VALIDATOR.validate(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("balanced", "balanced"),
        ([1, 2.5], (1.0, 2.5)),
        ({"0": 1, "12": 0.5}, {0: 1.0, 12: 0.5}),
        (None, None),
    ],
)
def test_class_weights(given, expected):
    assert parse_config({"seed": 1, "class_weight": given}).class_weight == expected
    VALIDATOR.validate({"seed": 1, "class_weight": given})


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("relu", {"activation": "relu"}),
        ("swish", {"activation": "silu"}),
        ("elu", {"activation": "elu", "alpha": 2.0}),
        ("leaky_relu", {"activation": "leaky_relu", "alpha": 0.3}),
    ],
)
def test_hidden_activation(name, spec):
    given = {"activation_function": name, "elu_alpha": 2, "leaky_relu_alpha": 0.3}
    assert parse_config(given).hidden_activation() == spec
    assert parse_config({"seed": 1}).hidden_activation() is None


@pytest.mark.parametrize(
    "mapping",
    [
        {"seed": 1},
        {"patience": 0, "optimizer": "adam", "beta_1": 0.8},
        {"scheduler_type": "plateau", "plateau_patience": 5, "class_weight": {"3": 2}},
        {"scheduler_type": "one_cycle", "class_weight": [1, 2], "clip_norm": 1},
    ],
)
def test_as_dict_is_json_that_gives_the_same_configuration(mapping):
    config = parse_config(mapping)
    plain = json.loads(json.dumps(config.as_dict()))
    assert parse_config(plain) == config
    VALIDATOR.validate(plain)


KIND = {"scheduler_type": "one_cycle"}
OWN_ERRORS = [
    ({}, "expected at least one key, got none"),
    ({"seed": None}, "expected at least one key, got none"),
    ({"$schema": "x", "format_version": 1}, "expected at least one key, got none"),
    (
        {"format_version": 2, "sharpness": 3},
        f"format_version: expected 1, which rnn_native {rnn_native.__version__} reads, got 2",
    ),
    (
        {"format_version": True, "seed": 1},
        f"format_version: expected 1, which rnn_native {rnn_native.__version__} reads, got true",
    ),
    ({"gama": 1}, "gama: unknown key; did you mean 'gamma'?"),
    ({"t_max": 1}, "t_max: unknown key; did you mean 'T_max'?"),
    ({"lr": 1}, "lr: unknown key; did you mean 'learning_rate'?"),
    ({"gradient_clip": 1}, "gradient_clip: unknown key; did you mean 'clip_norm'?"),
    ({"warmup": -1}, "warmup: expected an integer in [0, 2147483647], got -1"),
    ({"optimizer_type": "adan"},
     "optimizer_type: expected one of sgd, adam, adamw, rmsprop, got 'adan'; did you mean "
     "'adam'?"),
    ({"regularization": {"l2": 1}},
     "regularization: expected a number in [0, 1000000.0), got an object"),
    ({"early_stopping_patience": 1, "patience": 2},
     "early_stopping_patience: 'patience' sets the same value; remove one of them"),
    ({"enable_augmentation": True},
     "enable_augmentation: expected distortions instead: 'augment' with any of shift, "
     "rotation, scale, shear, elastic"),
    ({"batchsize": 1}, "batchsize: unknown key; did you mean 'batch_size'?"),
    ({"a b\n": 1}, "'a b\\n': unknown key"),
    ({"learning_rate": 0}, "learning_rate: expected a number in [1e-30, 1000000.0), got 0"),
    ({"learning_rate": [0.1]}, "learning_rate: expected a number in [1e-30, 1000000.0), got an "
     "array"),
    ({"batch_size": 0}, "batch_size: expected an integer in [1, 2147483647], got 0"),
    ({"batch_size": True}, "batch_size: expected an integer in [1, 2147483647], got true"),
    ({"epochs": "3"}, "epochs: expected an integer in [1, 2147483647], got '3'"),
    ({"seed": -1}, "seed: expected an integer in [0, 18446744073709551615], got -1"),
    ({"seed": 2**64}, "seed: expected an integer in [0, 18446744073709551615], got "
     "18446744073709551616"),
    ({"validation_split": 1}, "validation_split: expected a number in [0, 1), got 1"),
    ({"stratify": 1}, "stratify: expected true or false, got 1"),
    ({"shuffle": "no"}, "shuffle: expected true or false, got 'no'"),
    ({"label_smoothing": 1}, "label_smoothing: expected a number in [0, 1), got 1"),
    ({"clip_norm": -1}, "clip_norm: expected a number in [0, 1e+30), got -1"),
    (
        {"optimizer": "adm"},
        "optimizer: expected one of sgd, adam, adamw, rmsprop, got 'adm'; did you mean 'adam'?",
    ),
    ({"optimizer": 3}, "optimizer: expected a name or an object, got 3"),
    ({"optimizer": {}}, "optimizer.type: missing; expected one of sgd, adam, adamw, rmsprop"),
    (
        {"optimizer": {"type": 3}},
        "optimizer.type: expected one of sgd, adam, adamw, rmsprop, got 3",
    ),
    ({"optimizer": {"type": "adam", "bta_1": 1}}, "optimizer.bta_1: unknown key; did "
     "you mean 'beta_1'?"),
    ({"optimizer": {"type": "adam", "beta_1": 1}}, "optimizer.beta_1: expected a number in "
     "[0, 0.999999999], got 1"),
    ({"optimizer": "adam", "momentum": 0.9}, "momentum: optimizer 'adam' has no such key; "
     "it has beta_1, beta_2, epsilon, weight_decay"),
    ({"beta_1": 0.9}, "beta_1: optimizer 'sgd' has no such key; it has momentum, nesterov, "
     "weight_decay"),
    ({"optimizer": {"type": "sgd", "momentum": 0}, "momentum": 0.9}, "momentum: "
     "optimizer.momentum sets the same value; remove one of them"),
    ({"class_weight": "balance"}, "class_weight: expected 'balanced', an array of weights, "
     "or an object of class numbers and weights, got 'balance'"),
    ({"class_weight": []}, "class_weight: expected 'balanced', an array of weights, or an "
     "object of class numbers and weights, got an array that is empty"),
    ({"class_weight": [1, -1]}, "class_weight[1]: expected a number of at least 0, got -1"),
    ({"class_weight": {"01": 1}}, "class_weight: expected class numbers as keys, got '01'"),
    ({"class_weight": {"1": "x"}}, "class_weight.1: expected a number of at least 0, got "
     "'x'"),
    ({"warmup_epochs": 1, "warmup_steps": 1}, "warmup_steps: warmup_epochs is set "
     "too; remove one of them"),
    ({"div": 25}, "scheduler_type: missing, but 'div' is given; expected one of constant, "
     "step_decay, exponential, cosine_annealing, one_cycle, plateau"),
    (KIND | {"plateau_factor": 0.1}, "plateau_factor: only scheduler_type 'plateau' has "
     "this key, got 'one_cycle'"),
    (STEP | {"pct_start": 0.1}, "pct_start: only scheduler_type 'one_cycle' has this key, "
     "got 'step_decay'"),
    (KIND | {"pct_start": 1}, "pct_start: expected a number in (0, 1), got 1"),
    ({"seed": {"a": 1}}, "seed: expected an integer in [0, 18446744073709551615], got an "
     "object"),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "expected"), OWN_ERRORS)
def test_errors_of_our_own_keys(mapping, expected):
    found = message(mapping)
    assert found.startswith(f"'c.json': {expected}")
    if not expected.endswith("key"):
        assert found == f"'c.json': {expected}"
    assert not VALIDATOR.is_valid(mapping)


def test_an_unknown_key_far_from_all_others_lists_them():
    assert message({"zzz": 1}).startswith("'c.json': zzz: unknown key; known are scheduler")


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "nan"), (math.inf, "inf"), (10**5000, "an integer of many digits")],
    ids=["nan", "inf", "digits"],
)
def test_numbers_that_are_none(value, text):
    expected = f"learning_rate: expected a number in [1e-30, 1000000.0), got {text}"
    assert message({"learning_rate": value}) == f"'c.json': {expected}"


@pytest.mark.parametrize("value", [None, 3, "x", [1], (("seed", 1),)])
def test_not_a_mapping(value):
    assert message(value).startswith("'c.json': expected an object, got ")


def test_keys_that_are_no_strings():
    assert message({1: 2}) == "'c.json': expected keys that are strings, got 1"


# ---- files ----

FILES = {
    "empty": (b"", "expected a JSON object, got an empty file"),
    "blank": (b" \n\t", "expected a JSON object, got an empty file"),
    "only a bom": (b"\xef\xbb\xbf", "expected a JSON object, got an empty file"),
    "no object": (b"[1]", "expected an object, got an array"),
    "a number": (b"1" * 5000, "expected an object, got an integer of many digits"),
    "null": (b"null", "expected an object, got null"),
    "cut": (b'{"seed": 1', "expected JSON, got an error at line 1, column 11: "),
    "comma": (b'{"seed": 1,}', "expected JSON, got an error at line 1, column 1"),
    "comment": (b'{\n// hi\n"seed": 1}', "expected JSON, got an error at line 2, column "
     "1: "),
    "single quotes": (b"{'seed': 1}", "expected JSON, got an error at line 1, column 2: "),
    "two objects": (b"{}{}", "expected JSON, got an error at line 1, column 3: "),
    "twice": (b'{"seed": 1, "seed": 2}', "key 'seed' is set twice"),
    "twice below": (b'{"optimizer": {"type": "sgd", "type": "sgd"}}', "optimizer: key "
                    "'type' is set twice"),
    "nan": (b'{"learning_rate": NaN}', "learning_rate: expected a number in [1e-30, "
     "1000000.0), got nan"),
    "infinity": (b'{"clip_norm": Infinity}', "clip_norm: expected a number in [0, 1e+30), "
                 "got inf"),
    "-infinity": (b'{"clip_norm": -Infinity}', "clip_norm: expected a number in "
                  "[0, 1e+30), got -inf"),
    "1e999": (b'{"clip_norm": 1e999}', "clip_norm: expected a number in [0, 1e+30), got "
     "inf"),
    "digits": (b'{"seed": ' + b"9" * 10**4 + b"}", "seed: expected an integer in [0, "
               "18446744073709551615], got an integer of many digits"),
    "minus digits": (b'{"clip_norm": -' + b"9" * 10**4 + b"}", "clip_norm: expected a "
                     "number in [0, 1e+30), got an integer of many digits"),
    "3.0": (b'{"epochs": 3.0}', "epochs: expected an integer in [1, 2147483647], got 3.0"),
    "latin-1": ('{"scheduler_type": "é"}'.encode("latin-1"), "expected UTF-8, got byte "
     "0xe9 at offset 20"),
    "utf-16": ('{"seed": 1}'.encode("utf-16"), "expected UTF-8, got byte 0xff at offset 0"),
    "surrogate": (b'{"scheduler_type": "\\ud800"}', "scheduler_type: Unknown scheduler "
     "type '\\ud800'. Must be"),
    "a nul": (b'{"seed\\u0000": 1}', "'seed\\x00': unknown key; did you mean 'seed'?"),
    "bomb": (b"[" * 500_000, "expected JSON, got arrays or objects nested too deeply"),
    "object bomb": (b'{"a":' * 200_000, "expected JSON, got arrays or objects nested too"),
    "small bomb": (b'{"seed": ' + b"[" * 500 + b"]" * 500 + b"}", "seed: expected an "
                   "integer in [0, 18446744073709551615], got an array"),
    "long key": (b'{"' + b"k" * 10**6 + b'": 1}', "'kkkkkkkk"),
    "long text": (b'{"scheduler_type": "' + b"x" * 10**6 + b'"}', "scheduler_type: "
     "Unknown "),
    "large": (b'{"seed": 1}' + b" " * 2**20, "expected at most 1048576 bytes, got 1048587"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_bad_files_are_one_short_line(name, tmp_path):
    content, expected = FILES[name]
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    text = str(error.value)
    assert text.startswith(f"{str(path)!r}: {expected}")
    assert len(text) < len(str(path)) + 900
    text.encode()
    assert text.isprintable()
    assert isinstance(error.value, FormatError)
    assert error.value.__cause__ is None


def test_a_comment_is_named(tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"seed": 1} # why')
    with pytest.raises(ConfigError, match="JSON has no comments$"):
        load_config(path)


def test_many_keys_given_twice_take_no_time(tmp_path):
    path = tmp_path / "c.json"
    path.write_text("{" + ",".join(f'"k{i % 40000}":1' for i in range(80000)) + "}")
    with pytest.raises(ConfigError, match="key 'k0' is set twice"):
        load_config(path)


def test_a_byte_order_mark_and_crlf_are_accepted(tmp_path):
    path = tmp_path / "c.json"
    path.write_bytes(b'\xef\xbb\xbf{\r\n"seed": 4\r\n}')
    assert load_config(path).seed == 4


def test_no_file_no_folder_no_pipe(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        load_config(tmp_path / "none.json")
    assert error.value.filename == str(tmp_path / "none.json")
    with pytest.raises(IsADirectoryError):
        load_config(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        load_config(tmp_path / "pipe")


def test_damaged_files_are_refused_or_read(tmp_path):
    """Whatever bytes there are: a configuration, an architecture, or one line."""
    draw = random.Random(5)
    path = tmp_path / "x.json"
    sources = [p.read_bytes() for p in sorted((ROOT / "data").glob("*/*.json"))]
    pieces = [*rb'null|-1|1e400|{}|[|"|\ud800|,|0|1| |  '.split(b"|"), b"\xff"]
    refused = 0
    for _ in range(500):
        data = bytearray(draw.choice(sources))
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(data))
            data[at : at + draw.randint(0, 2)] = draw.choice(pieces)
        path.write_bytes(data)
        for load in (load_config, load_architecture):
            try:
                load(path)
            except ConfigError as error:
                refused += 1
                assert str(error).isprintable()
    assert 500 < refused < 1000


# ---- schema and parser say the same ----

VALUES = [
    True, False, -1, 0, 1, 2, 40, 2**31 - 1, 2**31, 2**64 - 1, 2**64, -0.5, 0.5, 1.5,
    1e6 + 0.5, 1e9 + 0.5, 0.9999999999, "", "x", "constant", "plateau", "adam", "relu",
    "balanced", [], {},
    {"shift": 1}, {"scale": 1}, {"zoom": 1}, {"shear": None},
    [1], [0.5, -1], [None], [True], {"0": 1}, {"x": 1}, {"0": None}, {"type": "sgd"},
    {"type": "adam", "momentum": 0.5}, {"type": "adamw", "epsilon": 2}, {"type": None},
    None,
]  # fmt: skip
BASES = [
    {},
    {"seed": 1},
    {"optimizer": "adam"},
    {"optimizer": {"type": "sgd", "momentum": 0.5, "weight_decay": None}},
    {"warmup_steps": 1},
    *[{"scheduler_type": kind} for kind in config_module.SCHEDULERS],
]


def is_accepted(mapping):
    try:
        parse_config(mapping)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("key", [*KEYS, "unknown"])
def test_schema_and_parser_agree_on_every_key(key):
    for base in BASES:
        for value in VALUES:
            mapping = base | {key: value}
            assert is_accepted(mapping) == VALIDATOR.is_valid(mapping), mapping


def test_the_schema_is_one_and_has_the_parsers_keys_and_defaults():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(KEYS)
    plain = TrainingConfig()
    for key, rule in SCHEMA["properties"].items():
        if "default" in rule and key != "optimizer" and hasattr(plain, key):
            assert rule["default"] == getattr(plain, key), key
        assert "description" in rule


def test_every_field_has_a_key():
    keys = {f.name for f in fields(TrainingConfig)} | {"$schema", "format_version"}
    assert keys | {k for rules in OPTIMIZERS.values() for k in rules} == set(KEYS)


# ---- the page ----

BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.S)]


@pytest.mark.parametrize("block", [b for b in BLOCKS if "layers" not in b], ids=str)
def test_the_pages_examples(block):
    parse_config(block)
    VALIDATOR.validate(block)


def test_the_page_names_every_key_and_default():
    assert len(BLOCKS) >= 2
    for key in set(KEYS) - {"scheduler_type"}:
        assert f"`{key}`" in PAGE or f'`"{key}"`' in PAGE, key
    for kind in config_module.SCHEDULERS:
        assert f"| `{kind}` |" in PAGE, kind
