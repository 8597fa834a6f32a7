"""Tables of the docs whose rows a benchmark writes; each stands between two comments."""


def write_rows(page, name, rows):
    """Put rows into a page's table, by their first cells; others stay.

    The table follows the line `<!-- NAME -->`, and `<!-- end -->` follows it.
    """
    begin = f"<!-- {name} -->\n"
    before, after = page.read_text().split(begin)
    table, after = after.split("<!-- end -->", 1)
    head, line, *old = table.strip().splitlines()
    kept = {row.split("|")[1].strip(): row for row in old}
    for cells in rows:
        kept[str(cells[0])] = f"| {' | '.join(map(str, cells))} |"
    table = "\n".join([head, line, *kept.values()])
    page.write_text(f"{before}{begin}\n{table}\n\n<!-- end -->{after}")
