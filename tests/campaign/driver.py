"""The C driver of the core, built under a sanitizer for the best CPU level of this machine."""

import re
import subprocess

import attack

CSRC = attack.ROOT / "csrc"
LEVELS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}


def built(name, sanitizers, *more, compiler="cc"):
    """The program; recompiled when a source is newer."""
    from rnn_native.base import runtime

    target, level = attack.BUILD / name, runtime.config()["cpu_level"]
    newest = max(
        path.stat().st_mtime for path in [*CSRC.rglob("*.[ch]"), *attack.HERE.glob("*.c")]
    )
    if target.exists() and target.stat().st_mtime > newest:
        return target
    flags = ["-fno-omit-frame-pointer", f"-fsanitize={sanitizers}", *LEVELS.get(level, [])]
    flags += ["-fno-sanitize-recover=undefined"] if "undefined" in sanitizers else []
    flags += [f"-DRNN_LEVEL={level}", f"-I{CSRC / 'net'}", "-lm", "-ldl", *more]
    sources = [
        path
        for folder in ("base", "net", "net/run")
        for path in (CSRC / folder).glob("*.c")
    ]
    sources = [path for path in sources if path.name != "levels.c"]
    sources += [
        _one_level(level),
        CSRC / "net/level/level.c",
        attack.HERE / "random_nets.c",
        attack.HERE / "core_driver.c",
    ]
    return attack.compiled(name, sources, *flags, compiler=compiler)


def _one_level(level):
    """The table of CPU levels with one in it."""
    attack.BUILD.mkdir(parents=True, exist_ok=True)
    text = (CSRC / "net/levels.c").read_text()
    place = attack.BUILD / "levels.c"
    place.write_text(
        re.sub(r"\{(&rnn_level_\w+, )+NULL\}", f"{{&rnn_level_{level}, NULL}}", text)
    )
    return place


def run(outcome, program, mode, seed, count, **options):
    """Run the driver: what it counted, and each of its complaints as a fault."""
    from rnn_native.base import runtime

    blas = runtime.config()["blas_path"]
    done = subprocess.run(
        ["setarch", "-R", program, mode, str(seed), str(count), blas],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=6 * 3600,
        env={"PATH": "/usr/bin:/bin", **options},
    )
    lines = re.split(r"[\r\n]", done.stderr)
    complaints = [line for line in lines if re.search(r"ERROR|WARNING|runtime error", line)]
    if done.returncode != 0 or complaints:
        where = [line.strip() for line in lines if re.match(r"\s*#\d+ .*csrc", line)]
        case = next((line for line in reversed(lines) if line.isdigit()), "?")
        what = complaints[0] if complaints else f"exit code {done.returncode}"
        outcome.fault(f"{mode}, seed {seed}, case {case}: {what} {' '.join(where[:3])}")
        return
    refused, ran = map(int, done.stdout.split())
    outcome.cases += refused + ran
    outcome.counts["refused"] += refused
    outcome.counts["ran"] += ran
