"""Runs the service with uvicorn until a signal ends it."""

import asyncio
import signal
import socket
import sys
from types import FrameType

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from stylenet.errors import UserError
from stylenet.serve.app import create_app
from stylenet.serve.service import Service
from stylenet.serve.settings import ServiceSettings

KEEP_ALIVE = 15  # seconds that an idle connection is kept
HEADERS = 10.0  # seconds for the headers of a request to arrive


def run(settings: ServiceSettings, host: str, port: int, proxies: str | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then ends: requests have `drain_seconds`. Returns the exit code.

    `proxies` are the addresses whose X-Forwarded-For header is trusted, separated by commas. Raises `UserError`.
    """
    check_address(host, port)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host,
        port,
        http=Protocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        proxy_headers=proxies is not None,
        forwarded_allow_ips=proxies,
    )
    server = Server(config)
    server.announcement = announcement(app.state.service, host)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ignore_signal)  # uvicorn raises it once more when all is done
    server.run()
    return 0 if server.started else 1


def check_address(host: str, port: int) -> None:
    """Raises `UserError` if the address cannot be listened on; checked before the styles are loaded."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or "not a host name").partition(" (")[0]
        raise UserError(f"cannot listen on {host}, port {port}: {reason}") from error


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of two, chosen when uvicorn is imported
    """Uvicorn's HTTP with a time limit for headers: it has none, and half requests would use up all sockets."""

    waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.forget()

    def watch(self) -> None:
        """Starts the time when headers begin, and ends it when they are complete."""
        if self.at_work:
            self.forget()
        elif self.waiting is None:
            self.waiting = self.loop.call_later(HEADERS, self.transport.close)

    def forget(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    @property
    def at_work(self) -> bool:
        """Whether a request is being read or answered."""
        return self.cycle is not None and not self.cycle.response_complete


class Server(uvicorn.Server):
    """Prints its address in one line once it listens."""

    announcement = ""

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        for listener in self.servers if self.started else []:
            port = listener.sockets[0].getsockname()[1]
            print(self.announcement.format(port=port), file=sys.stderr, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:  # a second Ctrl-C: no request is waited for, but workers are ended and results deleted
            await self.lifespan.shutdown()


def announcement(service: Service, host: str) -> str:
    """The line about address, styles and workers; `{port}` is filled in later."""
    shown = f"[{host}]" if ":" in host else host
    devices = [worker.device for worker in service.pool.workers]
    kind = f"{len(devices)} GPU{'s' * (len(devices) > 1)}" if devices[0].kind != "cpu" else ""
    workers = kind or f"no GPU: {len(devices)} CPU worker{'s' * (len(devices) > 1)}, one thread each"
    return f"stylenet serve: http://{shown}:{{port}}, {len(service.files)} styles, {workers}"


def ignore_signal(number: int, frame: FrameType | None) -> None:
    """Ignores a signal that uvicorn raises again after it has ended."""
