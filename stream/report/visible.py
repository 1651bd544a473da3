"""The smallest change that can be seen, in words for whoever sets a monitor up."""

from stream.core.settings import EngineSettings
from stream.core.visible import smallest_rises, soon
from stream.wording import percent


def sees(reference: tuple[int, ...], settings: EngineSettings) -> str:
    """One sentence: from which share on a rise of each unwanted behaviour is found soon, against this reference."""
    rises = [
        f"{settings.taxonomy.names[rise.category]} {percent(rise.now)} → {'none' if rise.share is None else percent(rise.share)}"
        for rise in smallest_rises(reference, settings)
    ]
    return f"smallest rises found within {soon(settings):,} responses, about: {', '.join(rises)}"
