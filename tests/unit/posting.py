"""An HTTP client that goes nowhere: it records what is posted and answers as told."""

from collections.abc import Callable

import httpx

from stream.sinks.http import Post

Answer = Callable[[httpx.Request], httpx.Response]


class Recorder:
    """Keeps every request; `answer` says what comes back."""

    def __init__(self, answer: Answer = lambda _: httpx.Response(200)) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer

    def post(self) -> Post:
        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            answer = self._answer(request)
            if not answer.is_stream_consumed:
                return answer
            return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))

        return Post(httpx.Client(transport=httpx.MockTransport(handle)), timeout=1)
