"""The error family.

Here: one class per kind of trouble a user can meet, each saying what, which one, and what to do.
Add here: a class when callers must tell it apart by type.
Not here: messages for programmers' mistakes; those are plain ValueError or TypeError.

LobforgeError
├── SettingsError      a setting is unknown or is invalid
├── InstrumentError    an instrument that lobforge.toml does not list, or lists in two ways
├── CaptureError       a capture file, or a directory of them, that holds nothing to read
│   └── VenueRefused   a venue did not answer, or with an error; carries how long to wait
├── FrameError         one raw frame that cannot be read; carries the quarantine reason
├── SourceRefused      a file of older data that cannot be trusted; carries the reason
├── StoreError         a table on disk that is missing, damaged or locked
├── DatasetError       too little or invalid data for the step that was asked for
├── RegistryError      the model registry and the decision journal disagree, or an alias moved meanwhile
└── ModelRefused       a model whose hashes or files differ from what the running code expects
"""


class LobforgeError(Exception):
    """Base of all errors that a user can act on; the text is one sentence of what and one of what to do."""


class SettingsError(LobforgeError):
    """A setting is unknown or is invalid."""


class InstrumentError(LobforgeError):
    """An instrument is not listed, or is listed in a way that the data contradict."""


class CaptureError(LobforgeError):
    """A capture file or directory holds nothing that can be read."""


class VenueRefused(CaptureError):
    """A venue did not answer, or with an error.

    Args:
        message: what was asked and answered.
        retry_after: seconds that the venue asks to wait, 0 if it does not say.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{message} Check the symbol and the address.")
        self.retry_after = retry_after


class FrameError(LobforgeError):
    """One raw frame cannot be read.

    Args:
        reason: the quarantine reason, one of `ml.tables.schemas.QUARANTINE_REASONS`.
        detail: what exactly was wrong, for the person who reads the quarantine.
        trade_id: of a trade that is none of the market's: its id is not missing.
    """

    def __init__(self, reason: str, detail: str, trade_id: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.trade_id = trade_id


class SourceRefused(LobforgeError):
    """A file of older data cannot be trusted.

    Args:
        reason: one of `ml.legacy.parts.REASONS`.
        detail: what exactly was wrong, for the person who reads the quarantine.
        rows: how many rows it is said to have, 0 if nothing says.
    """

    def __init__(self, reason: str, detail: str, rows: int = 0) -> None:
        super().__init__(f"{reason}: {detail}. It was quarantined. Fix or remove it, and migrate again.")
        self.reason = reason
        self.detail = detail
        self.rows = rows


class StoreError(LobforgeError):
    """A stored table is missing, damaged or locked."""


class DatasetError(LobforgeError):
    """The data are too few or invalid for the step that was asked for."""


class RegistryError(LobforgeError):
    """The registry and the decision journal disagree, or an alias moved in the meantime."""


class ModelRefused(LobforgeError):
    """A model does not fit the running code, or its files are not the ones that were promoted."""
