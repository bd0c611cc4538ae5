"""`python -m bench [--only NAME]`: measures, keeps the rows in bench/results.json and shows them as a table."""

import argparse
import sys
from collections.abc import Sequence

from bench import fanout, feeds, lookup, mail, memory, once, pages, provider, sending
from bench.figure import BenchError, Figure, Row, keep, table
from bench.processes import require

FIGURES: Sequence[Figure] = (
    Figure(name="idle-memory", target="≤ 180", measure=memory.measure, programs={}),
    Figure(name="once-idle", target="≤ 1.5", measure=once.measure, programs={}),
    Figure(name="feed-304", target="≥ 0.22", measure=feeds.measure_304, programs=feeds.PROGRAMS),
    Figure(name="feed-200", target="≥ 0.30", measure=feeds.measure_200, programs=feeds.PROGRAMS),
    Figure(name="feed-publish", target="≥ 60", measure=fanout.measure_publish, programs={}),
    Figure(name="feed-fanout", target="≥ 6", measure=fanout.measure_fanout, programs={}),
    Figure(name="feed-5000", target="≥ 1.0", measure=fanout.measure_large, programs={}),
    Figure(name="page-extract", target="≤ 1.5", measure=pages.measure_extract, programs={}),
    Figure(name="jail-cost", target="≤ 1", measure=pages.measure_jail, programs={}),
    Figure(name="mime-plain", target="≥ 400", measure=mail.measure_plain, programs={}),
    Figure(name="mime-dkim", target="≥ 20", measure=mail.measure_dkim, programs={}),
    Figure(name="smtp-20k", target="≥ 0.6", measure=sending.measure_20k, programs=sending.PROGRAMS),
    Figure(name="smtp-60k", target="≥ 0.6", measure=sending.measure_60k, programs=sending.PROGRAMS),
    Figure(name="smtp-vs-aiosmtplib", target="≥ 6", measure=sending.measure_aiosmtplib, programs=sending.PROGRAMS),
    Figure(name="reader-lookup", target="≤ 10", measure=lookup.measure, programs={}),
    Figure(name="esp-batch", target="≥ 15000", measure=provider.measure, programs={}),
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when something could not be measured. A missed target is shown, it is no error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the figures of this project.")
    parser.add_argument("--only", metavar="NAME", choices=[figure.name for figure in FIGURES], help="one figure")
    only = parser.parse_args(arguments).only
    try:
        _measure([figure for figure in FIGURES if only in (None, figure.name)])
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _measure(figures: Sequence[Figure]) -> None:
    require(figure.programs for figure in figures)
    measured: list[tuple[Figure, Row]] = []
    for figure in figures:
        print(f"{figure.name} …", file=sys.stderr, flush=True)
        row = figure.measure()
        keep(row, [one.name for one in FIGURES])
        measured.append((figure, row))
    print(table(measured))
    for _, row in measured:
        print(f"- `{row.name}`: {row.note}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
