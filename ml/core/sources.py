"""Public archives on the web: URL templates by date and symbol, and which URLs are safe to request.

The file that lists sources belongs to `ml.core.config`, downloading to `ml.archives.download`, finding missing files
to `ml.archives.fetch`.
"""

import string
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ml.core.errors import SettingsError

DAYS = {"date", "day"}
MONTHS = {"year", "month"}
FIELDS = DAYS | MONTHS | {"symbol"}


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Source:
    """One public archive.

    Args:
        name: names its folder among the captures.
        url: address of a file; `{symbol}`, `{date}` (YYYY-MM-DD), `{year}`, `{month}`, `{day}` stand for its parts. One
            without a day is of a whole month.
        venue: the source is asked for the listed instruments of this venue.
        checksum: what is appended to an address for that of its sha256, such as `.CHECKSUM`; empty if there is none.
        retry_hours: a file that was not published, or was quarantined, is asked for again after so many hours.

    Raises:
        SettingsError: the template could not give an address per date, or one that is not safe to ask.
    """

    name: str
    url: str
    venue: str
    checksum: str = ""
    retry_hours: float = 24.0

    def __post_init__(self) -> None:
        if not self.name or set(self.name) - set(string.ascii_letters + string.digits + "-_"):
            raise SettingsError(
                f"Source name {self.name!r} must consist of letters, digits, - and _: it names a folder."
            )
        fields = self._fields()
        if fields - FIELDS:
            unknown = sorted(fields - FIELDS)[0]
            raise SettingsError(
                f"Source {self.name}: {{{unknown}}} is unknown. Available: {', '.join(sorted(FIELDS))}."
            )
        if not ("date" in fields or fields >= MONTHS):
            raise SettingsError(
                f"Source {self.name}: {self.url} contains no date. Put {{date}} where the file name has it."
            )
        if self.retry_hours < 0:
            raise SettingsError(f"Source {self.name}: retry_hours is {self.retry_hours}. Give 0 or more.")
        demand_safe(self.address("S", "2000-01-01"))
        self.path("S", "2000-01-01")

    def due(self, date: str, today: str) -> bool:
        """Whether the date, or for a file per month the month, is over."""
        return date < today if self._fields() & DAYS else date[:7] < today[:7]

    def address(self, symbol: str, date: str) -> str:
        """Where the file of a symbol and UTC date (YYYY-MM-DD) lies."""
        year, month, day = date.split("-")
        return self.url.format(symbol=quote(symbol, safe=""), date=date, year=year, month=month, day=day)

    def path(self, symbol: str, date: str) -> str:
        """Where it goes below the captures: readers tell market and symbol by the folders and the name of the address.

        Raises:
            SettingsError: the address is not that of a file.
        """
        parts = urlsplit(self.address(symbol, date))
        names = [unquote(name) for name in parts.path.split("/")[1:]]
        if parts.query or parts.fragment or not names or {"", ".", ".."} & set(names):
            raise SettingsError(f"Source {self.name}: {self.url} must end in a file path, without a query.")
        if any("/" in name or "\0" in name for name in names):
            raise SettingsError(
                f"Source {self.name}: {symbol!r} cannot be part of a file name. Correct the instrument."
            )
        return "/".join([self.name, *names])

    def _fields(self) -> set[str]:
        try:
            return {field for _, field, *_ in string.Formatter().parse(self.url) if field is not None}
        except ValueError as error:
            raise SettingsError(f"Source {self.name}: {self.url} is not a template: {error}.") from error


def demand_safe(url: str) -> None:
    """Let only https pass, and http to this machine.

    Raises:
        SettingsError: the address is another, or holds a user's name or password.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and _loopback(parts.hostname or "")
    if not (parts.hostname and (parts.scheme == "https" or local)):
        raise SettingsError(
            f"{url} is not https. Archives are fetched over https; http is allowed for this machine only."
        )
    if "@" in parts.netloc:
        raise SettingsError(
            f"{parts.hostname}: a URL with a user name is refused: it would be stored in the download state."
        )


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
