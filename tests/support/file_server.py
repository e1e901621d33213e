"""A local archive on the web: files with their checksums, ranges and versions, and ways to fail."""

import asyncio
import hashlib
import re
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Archive:
    """What the server has, how it fails, and what it was asked. `served` of `tests.support.kline_server` runs it."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Content by path."""
    etags: dict[str, str] = field(default_factory=dict)
    """Other versions than the hash of the content; empty for none."""
    faults: list = field(default_factory=list)
    """What the next answers do: ("cut", n) ends the connection after n bytes of the body, ("stall", n) goes silent
    there, ("status", code, headers) answers so, ("misplaced",) gives another part than was asked for."""
    ranges: bool = True
    """Whether parts may be asked for."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    url: str = ""

    def add(self, path, data, checksum=False):
        """Serve a file, and its checksum beside it."""
        self.files[path] = data
        if checksum:
            name = path.rpartition("/")[2]
            self.files[path + ".CHECKSUM"] = f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()

    async def answer(self, request):
        """One request."""
        path = request.path
        self.asked.append((path, request.headers.get("Range")))
        fault = self.faults.pop(0) if self.faults else ("none",)
        if fault[0] == "status":
            return web.Response(status=fault[1], headers=fault[2])
        if path not in self.files:
            return web.Response(status=404)
        return await self._file(request, self.files[path], fault)

    async def _file(self, request, data, fault):
        etag = self.etags.get(request.path, f'"{hashlib.sha256(data).hexdigest()}"')
        start = self._start(request, etag)
        if start is not None and start >= len(data):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        if fault[0] == "misplaced":
            start += 1
        headers = {"ETag": etag} if etag else {}
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start or 0 :]
        response = web.StreamResponse(status=200 if start is None else 206, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: fault[1]] if fault[0] in ("cut", "stall") else body)
        if fault[0] == "stall":
            await asyncio.sleep(60)
        if fault[0] == "cut":
            await asyncio.sleep(0.05)  # let what was written leave
            request.transport.abort()
        return response

    def _start(self, request, etag):
        """Where the asked part begins; None for the whole file."""
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        current = request.headers.get("If-Range", etag) == etag
        return int(asked[1]) if asked and current and self.ranges else None
