"""HTTP connections that are bounded in number and have to send their request's head in time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def bounded(most: int, patience: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol with two bounds that it does not have itself.

    most: connections; one more is told so and closed. patience: seconds within which each has to have sent the head of
    its first request, and has to take what it is sent; between requests uvicorn's own `timeout_keep_alive` holds.
    """

    class Bounded(H11Protocol):
        _clock: asyncio.TimerHandle | None = None
        _reader: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.write(_FULL)
                transport.close()
                return
            self._clock = self.loop.call_later(patience, self._give_up)

        def _give_up(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

        def handle_events(self) -> None:
            super().handle_events()
            waits = self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None
            if waits and self._clock is None:  # the head of a further request has begun, and is not whole
                self._clock = self.loop.call_later(patience, self._give_up_on_next, self.cycle)

        def _give_up_on_next(self, before: Any) -> None:
            self._clock = None
            if self.cycle is before and before.response_complete and not self.transport.is_closing():
                self.transport.close()

        def on_response_complete(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None
            super().on_response_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            # Closing would wait until the other side has read what is left, and hold the place as long.
            self._reader = self.loop.call_later(patience, self.transport.abort)

        def resume_writing(self) -> None:
            if self._reader is not None:
                self._reader.cancel()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            for clock in (self._clock, self._reader):
                if clock is not None:
                    clock.cancel()
            super().connection_lost(exc)

    return Bounded
