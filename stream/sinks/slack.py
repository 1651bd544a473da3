"""Slack incoming webhook: one message an alert. Slack knows no identity of messages; notify's own log keeps them from coming twice.

What comes from log lines stands in `plain_text` objects, which Slack does not interpret, or is escaped as Slack's documentation says.
"""

import json

from stream.core.events import AlertEvent, Status
from stream.sinks.message import HttpMessage
from stream.sinks.texts import clip, headline, runbook

SECTION = 3000
"""Characters in the text of a section block."""


def compose(alert: AlertEvent, *, url: str, runbooks: str | None) -> HttpMessage:
    """The message: severity or "resolved", the headline, and below it the rule, the runbook and the alert's id."""
    resolved = alert.status is Status.RESOLVED
    word = "resolved" if resolved else alert.severity.value
    line = headline(alert)
    footer = f"rule {escape(alert.rule.value)} · alert {escape(alert.alert_id)}"
    if (link := runbook(alert, runbooks)) is not None:
        footer += f" · <{escape(link)}|runbook>"
    message = {
        "text": clip(escape(f"[{word}] {line}"), SECTION),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "section", "text": _plain(f"[{word}] {line}")},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(footer, SECTION), "verbatim": True}]},
        ],
    }
    return HttpMessage(url, json.dumps(message, ensure_ascii=False).encode(), secrets=(url,))


def escape(text: str) -> str:
    """The text with the three characters replaced by which Slack begins mentions, links and entities.

    Examples:
        >>> escape("<!channel> & co")
        '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": clip(text, SECTION), "emoji": False}
