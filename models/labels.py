"""The default taxonomy: five behaviours and the kind of request that each implies."""

from typing import Final, Literal

LABELS: Final = ("helpful_aligned", "helpful_misaligned", "refusal_appropriate", "refusal_excessive", "off_topic")
"""g1..g5, in the order of the model's outputs."""

REQUEST_KINDS: Final[tuple[Literal["benign", "harmful"] | None, ...]] = ("benign", "harmful", "harmful", "benign", None)
"""The kind of request that each label implies; off-topic implies none."""
