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
    path = attack.BUILD / f"{record['part']}.json"
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


def write():
    """Write the page from what is kept of each part's last run."""
    from run import PARTS

    paths = [attack.BUILD / f"{part}.json" for part in PARTS]
    records = [json.loads(path.read_text()) for path in paths if path.exists()]
    runs = ["| part | size | seed | seconds | date | commit |", "|---|---|---|---|---|---|"]
    runs += [
        f"| {r['part']} | {r['size']} | {r['seed']} | {_number(r['seconds'])} | {r['date']} | "
        f"`{r['commit']}` |"
        for r in records
    ]
    text = HEAD + markdown(records) + "\n## The runs\n\n" + "\n".join(runs) + "\n"
    if found := [(r["part"], fault) for r in records for fault in r["faults"]]:
        text += "\n## Faults\n\n"
        text += "".join(
            f"- {part}: `{fault.replace('`', chr(39))}`\n" for part, fault in found
        )
    PAGE.write_text(text)


def _ends(record):
    counts = sorted(record["counts"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{_number(count)} {what}" for what, count in counts) or "-"


def _number(value):
    return f"{value:,}".replace(",", " ")
