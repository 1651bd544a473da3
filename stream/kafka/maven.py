"""Where this machine gets Maven artefacts from: jgo's settings, then Maven's mirror of Maven Central, then Maven Central."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from xml.etree import ElementTree

from jgo.config import GlobalSettings
from jgo.maven import MavenContext, PythonResolver

from stream.errors import BrokerError

ProgressCallback = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Called with a file's name and size; its context gives what is told how many bytes arrive."""

USER_SETTINGS = Path(".m2/settings.xml")
"""Maven's own settings file, below the home folder."""


def context(
    repo_cache: Path, *, progress: ProgressCallback | None = None, settings: Path | None = None
) -> MavenContext:
    """A jgo context that downloads into `repo_cache` from the repository that this machine is set up for.

    A company's mirror is found in jgo's `[repositories]`, else in the `<mirrors>` of Maven's settings file (`settings`, by
    default the user's own). Proxies and certificates come from the environment, credentials from `~/.netrc`, as `requests` has it.

    Raises:
        BrokerError: Maven's settings file is not XML.
    """
    repositories = GlobalSettings.load().repositories or mirror(settings or Path.home() / USER_SETTINGS)
    return MavenContext(
        repo_cache=repo_cache,
        resolver=PythonResolver(progress_callback=progress),
        remote_repos=repositories or None,
        timeout=30,
    )


def mirror(settings: Path) -> dict[str, str]:
    """Name and address of the first mirror of Maven Central in a Maven settings file; empty if there is none.

    Raises:
        BrokerError: the file is not XML.
    """
    if not settings.exists():
        return {}
    try:
        root = ElementTree.parse(settings).getroot()  # noqa: S314 - the user's own file, which Maven trusts too
    except ElementTree.ParseError as error:
        raise BrokerError(f"cannot read Maven's settings in {settings}: {error}; correct or remove the file") from None
    for element in root.iterfind(".//{*}mirrors/{*}mirror"):
        address = element.findtext("{*}url")
        if address and mirrors_central(element.findtext("{*}mirrorOf") or ""):
            return {element.findtext("{*}id") or "mirror": address.strip().rstrip("/")}
    return {}


def mirrors_central(pattern: str) -> bool:
    """Whether a `<mirrorOf>` pattern covers Maven Central.

    Examples:
        >>> [mirrors_central(p) for p in ("central", "*", "external:*", "a, central", "*,!central", "external:http:*", "a")]
        [True, True, True, True, False, False, False]
    """
    words = {word.strip() for word in pattern.split(",")}
    return bool(words & {"central", "*", "external:*"}) and "!central" not in words
