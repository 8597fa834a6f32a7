"""Write the JSON Schemas of architectures and training configurations.

Keys, ranges, defaults and names are those of the parsers; only what a key means is here.
Usage: python scripts/write_schemas.py
"""

import argparse
import json
from dataclasses import fields
from pathlib import Path

import rnn_native
from rnn_native.base.rules import Choice, Extents, Number, Shape, flag, of_one
from rnn_native.net import losses, tables
from rnn_native.net.block_specs import (
    BLOCK_RULES,
    MAX_BRANCHES,
    NAME_PATTERN,
    REQUIRED,
)
from rnn_native.net.layer_specs import (
    LAYER_RULES,
    REQUIRED_KEYS,
    WITH_ACTIVATION,
    WITH_ALPHA,
)
from rnn_native.settings import config_keys, reference_form
from rnn_native.settings.config import TrainingConfig
from rnn_native.settings.json_file import FORMAT_VERSION
from rnn_native.settings.schedulers import SCHEDULERS
from rnn_native.settings.spec import MAX_LAYERS, MAX_RANK

FOLDER = Path(rnn_native.__file__).parent / "schema"
WIDTH = 96
NULL = {"type": "null"}
NOT_NULL = {"not": NULL}
ALPHAS = " and ".join(
    f"{name} ({tables.ACTIVATIONS[name]['alpha']})" for name in WITH_ALPHA
)

LAYER_KEYS = {
    "units": "Outputs.",
    "filters": "Output channels.",
    "kernel_size": "Height and width of the window: one number, or [height, width].",
    "stride": "Steps of the window: one number, or [down, right].",
    "padding": (
        "Zeros around the image: one number, [height, width], [top, bottom, left, right]; "
        "valid is 0; same pads to ceil(height / stride) rows of outputs."
    ),
    "dilation": "Distance between two weights of the window: one number, or [down, right].",
    "groups": "Parts of channels and filters; each part of the filters reads one part of the "
    "channels. Divides both.",
    "activation": "Activation function of the layer.",
    "function": "Activation function.",
    "alpha": f"Parameter of {ALPHAS}.",
    "epsilon": "Added to the variance.",
    "momentum": "running = momentum * running + (1 - momentum) * batch.",
    "axis": "Axis of the features: 0 or -1. Default: channels of images, otherwise the last.",
    "target_shape": "Shape of a sample; -1, at most once, is the remaining size.",
    "rate": "Fraction of the elements that is dropped.",
    "stddev": "Standard deviation of the noise.",
    "initial": "Initial value of the weights.",
    "per_channel": "One weight for each index of the first axis. Default: one weight.",
    "patch_size": "Height and width of a patch; divides those of the image.",
    "init": "Initial table.",
    "trainable": "Whether the table is trained.",
    "heads": "Number of heads; divides the number of values of a token.",
    "out_proj": "Whether a projection follows the heads.",
    "residual": "Whether the layer adds its input to its output.",
    "causal": "Whether a token attends only to itself and to earlier tokens.",
    "return_sequences": "Whether all time steps are outputs, or only the last one.",
    "reverse": "Whether the layer reads the time steps from the last to the first.",
    "truncate": "Cuts back-propagation through time every this many time steps; 0: never.",
    "first": "Index of the first column, from 0.",
    "count": "Number of columns.",
    "num_embeddings": "Number of rows of the table; indices are 0 to this number minus 1.",
    "embedding_dim": "Number of values of a vector.",
    "value": "A token is padding if all its values are this value.",
}
POOL_KEYS = {
    "stride": "One number, or [down, right]. Default: kernel_size.",
    "padding": (
        "As for conv2d; on each side at most half of kernel_size. Means count the zeros of "
        "numeric padding, but not those of same."
    ),
}
BLOCK_KEYS = {
    "layers": "Layers in order, the first one reads the input.",
    "branches": "Lists of layers, each of which gets the block's input.",
    "name": "Name in parameters and messages. Default: the type.",
    "axis": "Axis of a sample. Default: the channels of images, otherwise the last axis.",
    "heads": LAYER_KEYS["heads"],
    "units": "Width of the hidden layer.",
    "norm": "pre: before attention and before the dense layers; post: after each sum.",
    "causal": LAYER_KEYS["causal"],
    "activation": "Activation function of the hidden layer.",
    "dropout": LAYER_KEYS["rate"],
}
SIGNAL_PADDING = (
    "one number, [left, right]; valid is 0; same pads to ceil(length / stride) outputs."
)
POOL1D_KEYS = {
    "kernel_size": "Width of the window.",
    "stride": "Default: kernel_size.",
    "padding": (
        "As for conv1d; at each end at most half of kernel_size. Means count the zeros of "
        "numeric padding, but not those of same."
    ),
}
KEYS_OF_LAYER = {
    "maxpool2d": POOL_KEYS,
    "avgpool2d": POOL_KEYS,
    "conv1d": {
        "kernel_size": "Width of the window.",
        "stride": "Step of the window.",
        "padding": f"Zeros at the ends: {SIGNAL_PADDING}",
        "dilation": "Distance between two weights of the window.",
    },
    "maxpool1d": POOL1D_KEYS,
    "avgpool1d": POOL1D_KEYS,
    "patch_embed1d": {
        "units": "Number of values of a token.",
        "patch_size": "Width of a patch; divides the length.",
    },
    "patch_embed": {"units": "Number of values of a token."},
}
"""What a key means in these layers."""

REFERENCE_KEYS = {
    "input_size": "dense: number of inputs.",
    "output_size": "dense: number of outputs.",
}

CONFIG_KEYS = {
    "scheduler_type": "Kind of learning rate schedule.",
    "step_size": "step_decay: epochs until the next factor; above 0.",
    "gamma": "step_decay: factor of the rate after each step_size epochs.",
    "decay_rate": "exponential: factor of the rate per epoch.",
    "min_lr": "cosine_annealing, plateau: lowest rate.",
    "T_max": (
        "cosine_annealing: epochs until min_lr; above 0. Default: the number of epochs."
    ),
    "activation_function": "Activation function of the hidden layers.",
    "leaky_relu_alpha": "Slope of leaky_relu below 0.",
    "elu_alpha": "Scale of elu below 0.",
    "learning_rate": "Default: that of the command or function.",
    "batch_size": "Rows per batch. Default: that of the command or function.",
    "accumulate": "Batches per update, which follows the mean of their gradients.",
    "epochs": "Number of epochs. Default: that of the command or function.",
    "optimizer": 'Name, or object with the name under "type".',
    "steps_per_epoch": "Updates per epoch. Default: all rows once.",
    "seed": "Seed of weights, shuffles, and masks.",
    "validation_split": "Fraction of the rows that is held out for validation.",
    "stratify": "Whether the held-out rows keep the proportions of the classes.",
    "shuffle": "Whether each epoch uses the rows in a new order.",
    "patience": "Epochs without improvement before early stopping; 0 never stops early.",
    "min_delta": "Least decrease of the validation loss that counts as an improvement.",
    "label_smoothing": "Fraction of a target that is spread over all classes.",
    "clip_norm": "Largest norm of the gradient; 0 does not clip.",
    "l2": "Penalty: l2 / 2 times the sum of squared weights is added to the loss of a batch.",
    "mixup": "alpha: rows are mixed with a weight from Beta(alpha, alpha); 0: not mixed.",
    "ema_decay": "Decay of the moving average of the parameters; 0: no average.",
    "swa_start": (
        "Epoch, counted from 0, from which the mean of the parameters after each epoch is used. "
        "Default: none."
    ),
    "augment": "Maximum distortion of images in training.",
    "shift": "Pixels, in each direction.",
    "rotation": "Degrees.",
    "scale": "Sides grow by a factor of at most 1 + scale.",
    "shear": "Pixels to the right for each pixel down.",
    "elastic": "Pixels by which points of a coarse grid move.",
    "class_weight": '"balanced", a weight for each class, or weights by class number.',
    "warmup_epochs": "Epochs in which the rate grows linearly; not together with warmup_steps.",
    "warmup_steps": "Steps in which the rate grows linearly; not together with warmup_epochs.",
    "lr_max": "one_cycle: highest rate. Default: learning_rate.",
    "div": "one_cycle: lr_max divided by the first rate.",
    "div_final": "one_cycle: lr_max divided by the last rate.",
    "pct_start": "one_cycle: fraction of the steps in which the rate grows.",
    "plateau_factor": "plateau: factor by which the rate is lowered.",
    "plateau_patience": "plateau: epochs without improvement before the rate is lowered.",
    "plateau_min_delta": "plateau: least decrease that counts as an improvement.",
    "plateau_cooldown": "plateau: epochs after each lowering that do not count.",
}

# What the parser checks after it has read all keys, in the reference's order.
CHECKED_LATER = {
    "scheduler_type": Choice(tuple(SCHEDULERS)),
    "activation_function": Choice(config_keys.ACTIVATIONS),
    "elu_alpha": Number(0, above=True),
    **dict.fromkeys(("gamma", "decay_rate", "min_lr", "leaky_relu_alpha"), Number(0)),
}
HEAD = {
    "$schema": {"description": "For editors; ignored.", "type": ["string", "null"]},
    "format_version": {
        "description": "Version of the format of this file.",
        "type": ["integer", "null"],
        "minimum": FORMAT_VERSION,
        "maximum": FORMAT_VERSION,
    },
}


def schema_of(rule):
    """Return what a rule accepts, and null."""
    if rule is flag:
        return {"type": ["boolean", "null"]}
    if isinstance(rule, Choice):
        return {"enum": [*rule.names, None]}
    if isinstance(rule, Extents):
        return extents_schema(rule)
    if isinstance(rule, Shape):
        each = {"type": "integer", **range_of(rule.each)}
        several = {"type": "array", "items": each, "minItems": 1, "maxItems": rule.most}
        return {"anyOf": [schema_of(rule.each), several]}
    return {"type": ["integer" if rule.whole else "number", "null"], **range_of(rule)}


def extents_schema(rule):
    """Return what a rule of several integers accepts, and null."""
    each = {"type": "integer", **range_of(rule.each)}
    arrays = [
        {"type": "array", "items": each, "minItems": n, "maxItems": n} for n in rule.lengths
    ]
    names = [{"enum": list(rule.names)}] if rule.names else []
    return {"anyOf": [schema_of(rule.each), *arrays, *names]}


def range_of(rule):
    """Return the ends of a number's range that are not those of its type."""
    found = {}
    if rule.low != Number().low:
        found["exclusiveMinimum" if rule.above else "minimum"] = rule.low
    if rule.high != Number().high:
        found["exclusiveMaximum" if rule.below else "maximum"] = rule.high
    return found


def described(text, schema, default=None):
    """Return a schema with a description, where there is one, and a default."""
    head = {} if text is None else {"description": text}
    return {**head, **schema, **({} if default is None else {"default": default})}


def having(key, value):
    """Return a schema of objects that have a key of this value."""
    return {"properties": {key: value}, "required": [key]}


def nulls(keys):
    """Return a schema of objects in which these keys are not given."""
    return {"properties": dict.fromkeys(keys, NULL)}


def needs(keys):
    """Return a schema of objects in which these keys are given."""
    return {"required": list(keys), "properties": dict.fromkeys(keys, NOT_NULL)}


def alpha_needs(key):
    """Return that an alpha needs an activation that has one."""
    return {
        "if": {"not": nulls(["alpha"])},
        "then": having(key, {"enum": list(WITH_ALPHA)}),
    }


# ---- architectures ----


def layer_schema(kind):
    """Return the schema of a layer of our form."""
    texts = LAYER_KEYS | KEYS_OF_LAYER.get(kind, {})
    core = tables.LAYERS[kind]["keys"]
    properties = {
        key: described(texts.get(key), schema_of(rule), core[key]["default"])
        for key, rule in LAYER_RULES[kind].items()
    }
    more = [needs(REQUIRED_KEYS[kind])] if REQUIRED_KEYS[kind] else []
    if "alpha" in properties:
        more.append(alpha_needs("function" if kind == "activation" else "activation"))
    found = {
        "properties": {"type": {"const": kind}, **properties},
        "additionalProperties": False,
    }
    return {**found, "allOf": more} if more else found


def block_schema(kind):
    """Return the schema of a block."""
    layer = {"$ref": "#/$defs/layer"}
    branch = {"type": "array", "items": layer}
    own = {
        "layers": {"type": "array", "minItems": 1, "items": layer},
        "branches": {
            "type": "array",
            "minItems": 2,
            "maxItems": MAX_BRANCHES,
            "items": branch,
        },
        "name": {"type": ["string", "null"], "pattern": f"^{NAME_PATTERN}$"},
    }
    properties = {
        key: described(BLOCK_KEYS[key], own[key] if key in own else schema_of(rule))
        for key, rule in BLOCK_RULES[kind].items()
    }
    return {
        "properties": {"type": {"const": kind}, **properties},
        "additionalProperties": False,
        "allOf": [needs(REQUIRED[kind])],
    }


def in_any_case(name):
    """Return a pattern of a name in any case."""
    letters = (f"[{c}{c.upper()}]" if c.isalpha() else c for c in name)
    return f"^{''.join(letters)}$"


def reference_case(kind):
    """Return what a layer of the reference's form must be if it is of this type."""
    required = reference_form.REFERENCE_REQUIRED[kind]
    properties = {}
    for key in {**reference_form.REFERENCE_VALUES[kind], **dict.fromkeys(required)}:
        name = reference_form.CORE_NAMES[kind].get(key)
        ends = {"minimum": 1} if name is None else range_of(of_one(LAYER_RULES[kind][name]))
        properties[key] = {**ends, **(NOT_NULL if key in required else {})}
    then = {"required": list(required), "properties": properties}
    if kind in WITH_ACTIVATION:
        then["allOf"] = [alpha_needs("activation")]
    else:
        properties.update(activation=False, alpha=False)
    pattern = {"pattern": in_any_case(kind)}
    return {"if": having("layer_type", pattern), "then": then}


def reference_layer():
    """Return the schema of a layer of the reference's form."""
    kinds = reference_form.REFERENCE_TYPES
    owners = {
        key: [
            kind
            for kind in kinds
            if key in reference_form.REFERENCE_VALUES[kind]
            or key in reference_form.REFERENCE_REQUIRED[kind]
        ]
        for key in reference_form.REFERENCE_KEYS
    }
    defaults = {
        key: tables.LAYERS[kind]["keys"][name]["default"]
        for kind, names in reference_form.CORE_NAMES.items()
        for key, name in names.items()
    }
    properties = {
        "layer_type": {
            "description": "Any case.",
            "type": "string",
            "pattern": "|".join(map(in_any_case, kinds)),
        }
    }
    for key, rule in reference_form.REFERENCE_KEYS.items():
        if key != "layer_type":
            text = REFERENCE_KEYS.get(key, f"{', '.join(owners[key])}.")
            properties[key] = described(text, schema_of(rule), defaults.get(key))
    dense = tables.LAYERS["dense"]["keys"]
    for key, rule in reference_form.ACTIVATION_RULES.items():
        properties[key] = described(LAYER_KEYS[key], schema_of(rule), dense[key]["default"])
    return {
        "type": "object",
        "properties": properties,
        "required": ["layer_type"],
        "additionalProperties": False,
        "allOf": [reference_case(kind) for kind in kinds],
    }


def root(layer, input_shape, *required):
    """Return the schema of an architecture of either form."""
    layers = {
        "description": "From the input up.",
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_LAYERS,
        "items": {"$ref": f"#/$defs/{layer}"},
    }
    loss = schema_of(Choice(losses.NAMES))
    return {
        "properties": {
            "input_shape": input_shape,
            "loss": described("What training makes small.", loss, losses.NAMES[0]),
            "layers": layers,
            **HEAD,
        },
        "required": [*required, "layers"],
        "additionalProperties": False,
    }


def architecture_schema():
    """Return the schema of architectures."""
    shape = {
        "description": "Shape of one sample, such as [784] or [1, 28, 28].",
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
        "minItems": 1,
        "maxItems": MAX_RANK,
    }
    kinds = [*LAYER_RULES, *BLOCK_RULES]
    layer = {
        "description": "A layer, or a list of them: a block.",
        "type": ["object", "array"],
        "minItems": 1,
        "items": {"$ref": "#/$defs/layer"},
        "properties": {"type": {"enum": kinds}},
        "required": ["type"],
        "allOf": [
            {
                "if": {"type": "object", **having("type", {"const": kind})},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in kinds
        ],
    }
    without_type = {"not": {"type": "object", "required": ["type"]}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:rnn-native:architecture",
        "title": "Architecture of a net of rnn_native",
        "description": (
            "Our form, or that of the reference system. That each layer's output fits the "
            "next is beyond a schema."
        ),
        "type": "object",
        "if": {
            "properties": {
                "input_shape": NULL,
                "layers": {"type": "array", "items": without_type},
            },
            "required": ["layers"],
        },
        "then": {"$ref": "#/$defs/reference_architecture"},
        "else": {"$ref": "#/$defs/architecture"},
        "$defs": {
            **{kind: layer_schema(kind) for kind in LAYER_RULES},
            **{kind: block_schema(kind) for kind in BLOCK_RULES},
            "layer": layer,
            "architecture": root("layer", shape, "input_shape"),
            "reference_layer": reference_layer(),
            "reference_architecture": root("reference_layer", NULL),
        },
    }


# ---- configurations ----


def optimizer_groups():
    """Return names of optimizers that have the same keys, with these."""
    groups = {}
    for name, rules in config_keys.OPTIMIZERS.items():
        groups.setdefault(tuple(rules), []).append(name)
    return [(names, config_keys.OPTIMIZERS[names[0]]) for names in groups.values()]


def _listed(names):
    """Return names as in a sentence: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def optimizer_key(key, rule):
    """Return the schema of an optimizer's key."""
    owners = [name for name, keys in config_keys.OPTIMIZERS.items() if key in keys]
    everyone = len(owners) == len(config_keys.OPTIMIZERS)
    defaults = {tables.OPTIMIZERS[name][key]["default"] for name in owners}
    text = f"For {'all optimizers' if everyone else _listed(owners)}."
    return described(text, schema_of(rule), defaults.pop() if len(defaults) == 1 else None)


def optimizer_schema():
    """Return the schema of "optimizer"."""
    objects = [
        {
            "type": "object",
            "properties": {
                "type": {"enum": names} if len(names) > 1 else {"const": names[0]},
                **{key: optimizer_key(key, rule) for key, rule in rules.items()},
            },
            "required": ["type"],
            "additionalProperties": False,
        }
        for names, rules in optimizer_groups()
    ]
    return {"anyOf": [schema_of(Choice(tuple(config_keys.OPTIMIZERS))), *objects]}


def class_weight_schema():
    """Return the schema of "class_weight"."""
    weight = {"type": "number", "minimum": 0}
    by_class = {
        "type": "object",
        "propertyNames": {"pattern": "^(0|[1-9][0-9]{0,8})$"},
        "additionalProperties": weight,
        "minProperties": 1,
    }
    array = {"type": "array", "items": weight, "minItems": 1}
    return {"anyOf": [{"enum": ["balanced", None]}, array, by_class]}


def augment_schema():
    """Return the schema of "augment"."""
    properties = {
        key: described(CONFIG_KEYS[key], schema_of(rule))
        for key, rule in config_keys.AUGMENT_KEYS.items()
    }
    return {
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
    }


COMPOSED = {
    "optimizer": optimizer_schema,
    "class_weight": class_weight_schema,
    "augment": augment_schema,
}


def config_property(key, rule, defaults):
    """Return the schema of a configuration's key."""
    if key in HEAD:
        return HEAD[key]
    if key in config_keys.OPTIMIZER_KEYS:
        return optimizer_key(key, rule)
    made = COMPOSED[key]() if key in COMPOSED else schema_of(CHECKED_LATER.get(key, rule))
    return described(CONFIG_KEYS[key], made, defaults.get(key))


def keys_of_schedulers():
    """Return which keys need which scheduler."""
    needed = {"if": {"not": nulls(config_keys.SCHEDULER_KEYS)}}
    any_kind = having("scheduler_type", {"type": "string"})
    rules = [
        {"$comment": "A scheduler's keys need the scheduler.", **needed, "then": any_kind}
    ]
    for owner, scheduler in SCHEDULERS.items():
        if scheduler.keys:
            kind = having("scheduler_type", {"const": owner})
            rules.append({"if": {"not": nulls(scheduler.keys)}, "then": kind})
    for owner, scheduler in SCHEDULERS.items():
        if key := scheduler.above_0:
            kind = having("scheduler_type", {"const": owner})
            rules.append({"if": kind, "then": {"properties": {key: {"minimum": 1}}}})
    return rules


def keys_of_optimizers():
    """Return which keys need which optimizer, and that each is given once."""

    def chosen(names):
        spec = {"type": "object", **having("type", {"enum": names})}
        return having("optimizer", {"anyOf": [{"enum": names}, spec]})

    def others(rules):
        return nulls(key for key in config_keys.OPTIMIZER_KEYS if key not in rules)

    (_, usual), *more = optimizer_groups()
    otherwise = {"not": {"anyOf": [chosen(names) for names, _ in more]}}
    found = [{"if": chosen(names), "then": others(rules)} for names, rules in more]
    found.append({"if": otherwise, "then": others(usual)})
    for key in config_keys.OPTIMIZER_KEYS:
        beside = having(key, NOT_NULL)
        inside = having("optimizer", {"type": "object", **beside})
        found.append({"not": {"allOf": [beside, inside]}})
    return [{"$comment": "Keys of the other optimizers.", **found[0]}, *found[1:]]


def config_schema():
    """Return the schema of training configurations."""
    defaults = {field.name: field.default for field in fields(TrainingConfig)}
    positive = {"type": "integer", "minimum": 1}
    warmups = {"warmup_epochs": positive, "warmup_steps": positive}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:rnn-native:config",
        "title": "Training configuration of rnn_native",
        "type": "object",
        "properties": {
            key: config_property(key, rule, defaults)
            for key, rule in config_keys.KEYS.items()
        },
        "additionalProperties": False,
        "not": {
            "$comment": "No empty configuration.",
            "properties": dict.fromkeys(HEAD, True),
            "additionalProperties": NULL,
        },
        "allOf": [
            *keys_of_schedulers(),
            *keys_of_optimizers(),
            {"not": {"properties": warmups, "required": list(warmups)}},
        ],
    }


# ---- files ----


def text_of(value, indent=0, before=0):
    """Return JSON in which what fits on a line is on one line."""
    compact = json.dumps(value)
    if indent + before + len(compact) < WIDTH or not isinstance(value, (dict, list)):
        return compact
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        items = [
            f"{inner}{json.dumps(key)}: {text_of(item, indent + 2, len(key) + 4)}"
            for key, item in value.items()
        ]
        return "\n".join(["{", ",\n".join(items), " " * indent + "}"])
    items = [inner + text_of(item, indent + 2) for item in value]
    return "\n".join(["[", ",\n".join(items), " " * indent + "]"])


def schemas():
    """Return the text of each file by its name."""
    made = {"architecture": architecture_schema(), "config": config_schema()}
    return {f"{name}.schema.json": f"{text_of(s)}\n" for name, s in made.items()}


def main():
    """Write both files."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for name, text in schemas().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
