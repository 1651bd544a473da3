"""An OpenAI-compatible endpoint over HTTP: asks, waits when told to, tries again what may succeed, gives up on what cannot."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from stream.core.records import Micros
from stream.errors import EndpointError
from stream.sampling.answers import read_answer
from stream.sampling.budget import Ledger, Usage
from stream.sampling.exchange import LARGEST_ANSWER, model_names, read_body, reason_of
from stream.sampling.pace import Pace
from stream.sampling.plan import Ask, Plan
from stream.sampling.protocol import (
    Answer,
    Dialect,
    Frame,
    Retry,
    Skip,
    Speak,
    Stop,
    Trouble,
    Verdict,
    body,
    worst,
)
from stream.sampling.refusals import read_error

LONGEST_WAIT = 900.0
"""Seconds that a Retry-After is obeyed; a longer one ends the run, because a person should know."""

CHECK_WITHIN = 15.0
"""Seconds for the first sign of life."""


class OutOfBudgetError(Exception):
    """One more request would pass a limit of the budget."""


class GaveUpError(Exception):
    """A request failed as often as it may be tried; `trouble` is the last reason."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class _TransientError(Exception):
    def __init__(self, retry: Retry) -> None:
        super().__init__(retry.trouble)
        self.retry = retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often: seconds for one answer, tries for one request, seconds of the first and the longest pause between them."""

    timeout: float = 120.0
    tries: int = 6
    first_pause: float = 1.0
    longest_pause: float = 60.0


class Endpoint:
    """Asks one endpoint; used as an asynchronous context.

    `retries` counts what had to be asked again; `exchanging` are the tasks that wait for an answer this moment. While `closing`
    is set nothing is tried again. The key goes nowhere but into the Authorization header; redirects are not followed, so that it
    reaches nobody else.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        key: SecretStr | None,
        pace: Pace,
        ledger: Ledger,
        patience: Patience,
        now: Callable[[], Micros] | None = None,
    ) -> None:
        self.plan = plan
        self.retries = 0
        self.closing = False
        self.exchanging: set[asyncio.Task[object] | None] = set()
        self.dialect = Dialect(most=plan.per_request)
        self._key = key
        self._pace = pace
        self._ledger = ledger
        self._patience = patience
        self._now = now or (lambda: time.time_ns() // 1000)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {}
        self._session = aiohttp.ClientSession(
            headers={**headers, "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=self._patience.timeout),
            connector=aiohttp.TCPConnector(limit=0),
            trust_env=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def check(self) -> None:
        """Returns if the endpoint answers and, where it lists its models, lists the plan's.

        Raises:
            EndpointError: nothing answers, the key is refused, or the model is not among those listed.
        """
        limit = min(CHECK_WITHIN, self._patience.timeout)
        try:
            async with self._http.get(
                f"{self.plan.endpoint}/models", timeout=aiohttp.ClientTimeout(total=limit), allow_redirects=False
            ) as response:
                status, content = response.status, await response.content.read(LARGEST_ANSWER)
        except TimeoutError:
            raise self._error(
                f"does not answer within {limit:g} s; check the address and that the server is up"
            ) from None
        except aiohttp.ClientError as error:
            raise self._error(
                f"cannot be reached ({reason_of(error)}); check the address and that the server is up"
            ) from None
        if status in (401, 403):
            verdict = read_error(status, content, None, now=self._now(), ask=_any_ask(self.plan), dialect=self.dialect)
            raise self._error(verdict.message if isinstance(verdict, Stop) else "refused the key")
        if status == 200 and (names := model_names(content)) and self.plan.model not in names:
            listed = ", ".join(sorted(names)[:10]) + (", …" if len(names) > 10 else "")
            raise self._error(
                f"does not list the model {self.plan.model!r}; it lists {listed}. Name one with --model, or add --no-model-check "
                "if it serves more than it lists"
            )

    async def ask(self, ask: Ask, *, round_name: str, environment: str | None) -> Answer | Skip:
        """Returns what the request brought, after as many tries as patience allows.

        Where the endpoint sends fewer answers a request than the ask has indexes, the first of them are brought.

        Raises:
            OutOfBudgetError: the budget allows no further request.
            GaveUpError: every try failed, for reasons that may pass.
            EndpointError: no request can succeed until a person changes something.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_TransientError),
            stop=lambda state: self.closing or state.attempt_number >= self._patience.tries,
            wait=self._wait,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        self.retries += 1
                    return await self._try(ask, round_name, environment)
        except _TransientError as last:
            raise GaveUpError(last.retry.trouble) from None
        raise GaveUpError(Trouble.DISCONNECTED)

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("an endpoint is asked inside its `async with`")
        return self._session

    async def _try(self, ask: Ask, round_name: str, environment: str | None) -> Answer | Skip:
        while True:
            dialect = self.dialect
            verdict = await self._exchange(ask, dialect, round_name, environment)
            match verdict:
                case Answer():
                    if verdict.brought == 1 < min(dialect.most, len(ask.indexes)):
                        self.dialect = replace(dialect, most=1)
                    return verdict
                case Skip():
                    return verdict
                case Speak():
                    self.dialect = verdict.dialect
                case Stop():
                    raise self._error(verdict.message)
                case Retry():
                    if verdict.after is not None:
                        if verdict.after > LONGEST_WAIT:
                            raise self._error(
                                f"asks to wait {verdict.after:,.0f} s; run the same command again then, to go on"
                            )
                        self._pace.pause(verdict.after)
                    raise _TransientError(verdict)

    async def _exchange(self, ask: Ask, dialect: Dialect, round_name: str, environment: str | None) -> Verdict:
        sent = msgspec.json.encode(body(self.plan, ask, dialect))
        dearest = worst(self.plan, ask, dialect)
        async with self._pace.turn():
            if not self._ledger.reserve(dearest):
                raise OutOfBudgetError
            spent = Usage()
            task = asyncio.current_task()
            self.exchanging.add(task)
            try:
                async with self._http.post(
                    f"{self.plan.endpoint}/chat/completions",
                    data=sent,
                    headers={"Content-Type": "application/json"},
                    allow_redirects=False,
                ) as response:
                    status, retry_after = response.status, response.headers.get("Retry-After")
                    content = await read_body(response)
                if status != 200:
                    return read_error(status, content, retry_after, now=self._now(), ask=ask, dialect=dialect)
                frame = Frame(round_name=round_name, ts=self._now(), environment=environment)
                verdict = read_answer(content, plan=self.plan, ask=ask, dialect=dialect, frame=frame)
                if isinstance(verdict, Answer):
                    spent = verdict.usage
            except TimeoutError:
                return Retry(Trouble.TIMED_OUT)
            except aiohttp.ClientError:
                return Retry(Trouble.DISCONNECTED)
            else:
                return verdict
            finally:
                self.exchanging.discard(task)
                self._ledger.settle(dearest, spent)

    def _wait(self, state: RetryCallState) -> float:
        """Growing pauses with jitter; a pause that the endpoint asked for is kept by `Pace`, for all requests at once."""
        grown = wait_exponential_jitter(
            initial=self._patience.first_pause, max=self._patience.longest_pause, jitter=self._patience.first_pause
        )
        failure = state.outcome.exception() if state.outcome else None
        told = isinstance(failure, _TransientError) and failure.retry.after is not None
        return 0.0 if told else grown(state)

    def _error(self, what: str) -> EndpointError:
        return EndpointError(f"the endpoint {self.plan.endpoint} {what}")


def _any_ask(plan: Plan) -> Ask:
    """Some request, for reading an error that belongs to none."""
    return Ask(plan.prompts.prompts[0], (0,), None)
