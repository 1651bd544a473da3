"""Logging of a process that runs for long: our lines from INFO, the libraries' from WARNING, on standard error.

While a broker is away Kafka's clients say so many times a second; the same line of a library stands once in a while only, and its
tracebacks only where they were asked for.
"""

import logging
import threading
import time

OURS = "stream"
REPEAT_AFTER = 60.0
"""Seconds until a library may say the same again."""


def set_up(*, debug: bool) -> None:
    """Sets up the root logger of this process, once."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    if not debug:
        handler.addFilter(Sparse())
        threading.excepthook = _one_line
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger(OURS).setLevel(logging.INFO)
    for module in ("driver", "table"):  # Faust logs under the module of the class, also of those derived from its own
        logging.getLogger(f"{OURS}.worker.{module}").setLevel(logging.WARNING)


class Sparse(logging.Filter):
    """Lets a library's message pass once every REPEAT_AFTER seconds, whatever is filled into it, and never its traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes; ours always do."""
        record.exc_info = record.exc_text = record.stack_info = None
        if record.name.split(".")[0] == OURS and record.levelno < logging.ERROR:
            return True
        message, now = (record.name, str(record.msg)), time.monotonic()
        last = self._said.get(message)
        if last is not None and now - last < REPEAT_AFTER:
            return False
        self._said[message] = now
        return True


def _one_line(thread: threading.ExceptHookArgs) -> None:
    name = thread.thread.name if thread.thread else "a thread"
    logging.getLogger("threads").warning("%s ended by %s", name, thread.exc_type.__name__)
