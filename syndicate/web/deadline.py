"""A deadline for what clients send, which uvicorn doesn't have: without it, 1,600 half-open requests fill a server.

uvicorn only ends connections that are idle between two requests. Here a request's head must be whole after 10 s and
its body after 30 s, a head may not be endless, and an answer must go on being read. The connections are looked at once
a second by the server, so a request costs no timer. A test holds uvicorn to the names used here.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
STALL_SECONDS = 30.0  # an answer of which the client took nothing for so long
LONGEST_HEAD = 64 * 1024  # bytes; httptools itself has no limit
_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class DeadlineProtocol(HttpToolsProtocol):
    """One connection. All times are of the loop's monotonic clock."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    stall_seconds = STALL_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._due = 0.0  # when what we wait for must be there; 0: nothing is awaited
        self._head = 0  # bytes of an unfinished head
        self._unread = (0, 0.0)  # bytes that the client has not taken, and since when

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited from here on."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Counts the bytes of a head that doesn't end."""
        super().data_received(data)
        if self._head >= 0:
            self._head += len(data)
            if self._head > LONGEST_HEAD:
                self._end(_LONG)

    def on_message_begin(self) -> None:
        """A request begins: its head is awaited."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there: its body is awaited."""
        self._due = self.loop.time() + self.body_seconds
        self._head = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All is there. Between two requests uvicorn's own keep-alive timer counts."""
        self._due = 0.0
        super().on_message_complete()

    def end_if_late(self, now: float) -> None:
        """Called about once a second."""
        if self._due and now > self._due:
            self._end(_LATE)
        elif self._stalls(now):
            self.transport.abort()

    def _await_head(self) -> None:
        self._due = self.loop.time() + self.head_seconds
        self._head = 0

    def _end(self, answer: bytes) -> None:
        """With a word, unless an answer is under way."""
        self._due, self._head = 0.0, -1
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(answer)
        self.transport.close()

    def _stalls(self, now: float) -> bool:
        size = self.transport.get_write_buffer_size()
        if size == 0 or size != self._unread[0]:
            self._unread = (size, now)
            return False
        return now - self._unread[1] > self.stall_seconds
