"""Logging of a process that runs for long: our lines from INFO, the libraries' from WARNING, on standard error.

While a broker is away Kafka's clients say so many times a second; `stream.kafka.presence` says it once instead. Any other line of a library
stands once in a while only, and its tracebacks only where they were asked for. Texts of prompts and responses are in no line.
"""

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Literal

OURS = "stream"
REPEAT_AFTER = 60.0
"""Seconds until a library may say the same again."""

AWAY = (
    "Auto offset commit failed",
    "Cannot send",
    "Could not send",
    "Error sending",
    "Failed fetch",
    "Group Coordinator Request failed",
    "Heartbeat",
    "LeaveGroup request failed",
    "Marking the coordinator dead",
    "OffsetCommit failed before join",
    "Unable connect to",
    "Unable to request metadata",
    "Unable to update metadata",
)
"""How the lines begin with which aiokafka says that a server does not answer, or did not for a while."""

Form = Literal["text", "json"]


def set_up(*, debug: bool, form: Form = "text") -> None:
    """Sets up the root logger of this process, once."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    if not debug:
        handler.addFilter(Sparse())
        threading.excepthook = _one_line
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger(OURS).setLevel(logging.INFO)
    for module in ("driver", "table"):  # Faust logs under the module of the class, also of those derived from its own
        logging.getLogger(f"{OURS}.worker.{module}").setLevel(logging.WARNING)
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # it warns whenever the machine is busy


def formatter(form: Form) -> logging.Formatter:
    """How a line is written: as a sentence with its time, or as a JSON object."""
    return JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON in ASCII: `ts` (RFC 3339), `level`, `logger`, `message`, and `traceback` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; nothing in it can end the line or steer a terminal."""
        ts = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {"ts": ts, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said).replace("\x7f", "\\u007f")


class Sparse(logging.Filter):
    """Lets a message of a library pass once every REPEAT_AFTER seconds, whatever is filled into it, without its traceback; AWAY never."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes; ours always do."""
        record.exc_info = record.exc_text = record.stack_info = None
        if record.name.split(".")[0] == OURS and record.levelno < logging.ERROR:
            return True
        if _is_about_absence(record):
            return False
        message, now = (record.name, str(record.msg)), time.monotonic()
        last = self._said.get(message)
        if last is not None and now - last < REPEAT_AFTER:
            return False
        self._said[message] = now
        return True


def _is_about_absence(record: logging.LogRecord) -> bool:
    if record.name.startswith("aiokafka"):
        return str(record.msg).startswith(AWAY)
    return record.name.startswith(("kafka.net", "kafka.cluster"))  # of connections; what fails is raised to us anyway


def _one_line(thread: threading.ExceptHookArgs) -> None:
    name = thread.thread.name if thread.thread else "a thread"
    logging.getLogger("threads").warning("%s ended by %s", name, thread.exc_type.__name__)
