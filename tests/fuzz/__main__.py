"""`python -m tests.fuzz [INPUTS]`: hostile records to every decoder, a million unless told otherwise."""

import sys
import time

from tests.fuzz.run import fuzz

MOST = 100 * 2**20


def main(inputs: int) -> None:
    began = time.monotonic()
    report = fuzz(inputs)
    print(
        f"{report.inputs:,} hostile records in {time.monotonic() - began:.0f} s: no crash, none over {report.slowest:.2f} s"
    )
    print(f"memory grew by {report.grown / 2**20:.0f} MiB")
    if report.grown > MOST:
        sys.exit(f"that is more than the {MOST / 2**20:.0f} MiB that any number of records may cost")
    for word, n in report.results.most_common():
        print(f"  {n:>10,}  {word}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
