"""Maintenance: `python -m stream.kafka.pin` resolves `distribution.ROOTS` afresh and rewrites the manifest of jars.

To move to another Kafka: change VERSION in distribution.py, run this, read the difference, run the integration tests, commit.
"""

import hashlib
import tempfile
from pathlib import Path

from stream.kafka import maven
from stream.kafka.distribution import MANIFEST, ROOTS

HEADER = f"# SHA-256, bytes and Maven coordinate of every jar of {' + '.join(ROOTS)}; written by stream.kafka.pin\n"


def lines(repository: Path) -> list[str]:
    """Manifest lines of everything that the roots need at run time, downloaded into `repository`."""
    context = maven.context(repository)
    roots, others = context.resolver.resolve([context.create_dependency(root) for root in ROOTS])
    rows = []
    for dependency in sorted((*roots, *others), key=lambda dependency: (dependency.groupId, dependency.artifactId)):
        content = dependency.artifact.resolve().read_bytes()
        coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
        rows.append(f"{hashlib.sha256(content).hexdigest()} {len(content)} {coordinate}\n")
    return rows


def main() -> None:
    """Rewrites the manifest beside this module."""
    with tempfile.TemporaryDirectory() as repository:
        Path(__file__).with_name(MANIFEST).write_text(HEADER + "".join(lines(Path(repository))), encoding="utf-8")


if __name__ == "__main__":
    main()
