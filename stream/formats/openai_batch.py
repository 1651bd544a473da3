"""Lines of OpenAI's Batch API: what came out, joined to what went in on `custom_id`.

The output file says only what came out; without the request (`body`, as it stands in the input file) there is no prompt.
The bodies are those of chat completions or of the Responses API.

Source: OpenAI API reference, "The request input object", "The request output object".
"""

from stream.core.records import Reject, RejectReason, ResponseEvent
from stream.formats import openai_chat, openai_responses
from stream.formats.fields import Fallback, Unusable
from stream.formats.pair import body_of

NAME = "openai_batch"
TITLE = "OpenAI Batch API: lines of the output file joined to those of the input file on custom_id"
EXAMPLE = """\
{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions",
 "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is 2+2?"}]},
 "id": "batch_req_wnaDys", "error": null, "response": {"status_code": 200, "request_id": "req_c187b3",
  "body": {"id": "chatcmpl-9758Iw", "object": "chat.completion", "created": 1711475054, "model": "gpt-4o-mini",
   "choices": [{"index": 0, "message": {"role": "assistant", "content": "2 + 2 equals 4."}, "finish_reason": "stop"}]}}}"""


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object is a line of a batch's input or output, or both joined."""
    return "custom_id" in fields and ("response" in fields or "body" in fields)


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns one event for each choice, or why that choice cannot be used.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    if fields.get("error"):
        raise Unusable(RejectReason.FAILED_CALL, "error: the request of the batch failed")
    answered = fields.get("response")
    if answered is None:
        raise Unusable(RejectReason.MISSING_FIELD, "response: join each line of the output to its line of the input")
    if isinstance(answered, dict) and answered.get("status_code", 200) != 200:
        raise Unusable(RejectReason.FAILED_CALL, "response.status_code is not 200")
    asked = fields.get("body", fields.get("request"))
    if asked is None:
        raise Unusable(
            RejectReason.MISSING_FIELD,
            "body: the output says no prompt; join each line to its line of the input on custom_id",
        )
    response = body_of(answered, "response")
    beside = {name: value for name, value in fields.items() if name not in ("body", "custom_id")}
    whole = {**beside, "request": asked, "response": response}
    if openai_responses.is_response(response):
        return openai_responses.decode(whole, fallback)
    return openai_chat.decode(whole, fallback)
