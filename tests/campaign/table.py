"""The table of findings by part: printed, kept, and written to reliability.md in docs/."""

import json

import attack

PAGE = attack.ROOT / "docs" / "explanation" / "reliability.md"

HEAD = """\
# Reliability

What attacks on files, processes and the core found. `make campaign` runs them (half an hour;
`make campaign PART=kills` one of them, `SIZE=short` three minutes of all, `SIZE=full` hours), and
this page is what `python tests/campaign/run.py --write` wrote. A fault is a crash, a hang, a lost
or silently changed file, a leak, other bits, an error of an undeclared type, or one that is
not one line. The last part does the same to others' files.

"""


def keep(record):
    """Keep what a part found until it runs again."""
    attack.BUILD.mkdir(parents=True, exist_ok=True)
    path = attack.BUILD / f"{record['part'].replace('/', '-of-')}.json"
    path.write_text(json.dumps(record, indent=1))


def line_of(record):
    """How a part ended, on a line."""
    faults = record["fault_count"]
    return (
        f"{record['part']:12} {record['cases']:>8} cases, {faults} faults, "
        f"{record['seconds']} s"
    )


def markdown(records):
    """The table of some records."""
    lines = [
        "| part | what is done | cases | how they ended | faults |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {record['part']} | {record['title']} | {_number(record['cases'])} | "
        f"{_ends(record)} | {_number(record['fault_count'])} |"
        for record in records
    ]
    return "\n".join(lines) + "\n"


def write(records):
    """Rewrite the page: the lines of these parts, and of all others those that it has."""
    found, runs, faults = _lines_of_page()
    for r in records:
        part = r["part"]
        for other in [other for other in found if _replaces(part, other)]:
            del found[other]
        found[part] = markdown([r]).splitlines()[-1]
        runs[part] = (
            f"| {part} | {r['size']} | {r['seed']} | {_number(r['seconds'])} | {r['date']} | "
            f"`{r['commit']}` |"
        )
        faults[part] = [f"- {part}: `{f.replace('`', chr(39))}`" for f in r["faults"]]
    parts = sorted(found, key=_place)
    lines = markdown([]).splitlines() + [found[part] for part in parts]
    lines += ["", "## The runs", "", "| part | size | seed | seconds | date | commit |"]
    lines += ["|---|---|---|---|---|---|"] + [runs[part] for part in parts]
    if of_all := [line for part in parts for line in faults.get(part, [])]:
        lines += ["", "## Faults", "", *of_all]
    PAGE.write_text(HEAD + "\n".join(lines) + "\n")


def _replaces(part, other):
    """Whether these are a part and a piece of it, or pieces of other sizes."""
    (name, _, piece), (others_name, _, others) = part.partition(" "), other.partition(" ")
    return name == others_name and piece.partition("/")[2] != others.partition("/")[2]


def _place(part):
    """Where a part, or a piece of one, is on the page."""
    from run import PARTS

    name, _, piece = part.partition(" ")
    return PARTS.index(name), int(piece.partition("/")[0] or 0)


def _lines_of_page():
    """By part: its line of either table, and those about its faults."""
    found, runs, faults = {}, {}, {}
    text = PAGE.read_text() if PAGE.exists() else ""
    first, _, second = text.partition("\n## The runs\n")
    for table, lines in ((found, first), (runs, second)):
        rows = [line for line in lines.splitlines() if line.startswith("| ")]
        rows = [line for line in rows if not line.startswith("| part |")]
        table.update((line.split(" | ")[0][2:], line) for line in rows)
    for line in second.splitlines():
        if line.startswith("- "):
            faults.setdefault(line[2:].partition(":")[0], []).append(line)
    return found, runs, faults


def _ends(record):
    counts = sorted(record["counts"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{_number(count)} {what}" for what, count in counts) or "-"


def _number(value):
    return f"{value:,}".replace(",", " ")
