"""Runs every benchmark: `python -m tests.bench`, or only those named: `python -m tests.bench replay detect`.

Each prints ratios against a baseline that it names and measures in the same run; none asserts an absolute time.
"""

import runpy
import sys
from pathlib import Path


def main(wanted: list[str]) -> int:
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in wanted or known:
        print(f"\n== {name}", flush=True)
        runpy.run_module(f"tests.bench.bench_{name}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
