"""A folder served on a free port of this machine, with or without the page's headers, as any static host would."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, headers: Mapping[str, str], **options: object) -> None:
        self.extra = headers
        super().__init__(*arguments, **options)

    def end_headers(self) -> None:
        for name, value in self.extra.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path, headers: Mapping[str, str], kind: type[Handler] = Handler) -> Iterator[str]:
    """The address of the folder, as long as the block runs."""
    handler = partial(kind, directory=str(folder), headers=headers)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
