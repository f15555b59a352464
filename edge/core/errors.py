"""Every error maskcam raises on purpose; each is also the builtin a caller would expect.

MaskcamError
├── ConfigError (ValueError)     a setting: names file, key, value, expectation
├── BundleError (ValueError)     a model bundle: missing, damaged, of another schema
├── DataError (ValueError)       pictures or annotations that cannot be used
├── CameraError (OSError)        a camera or a recording that cannot be opened or read
├── EngineError (RuntimeError)   an inference backend that cannot load or run a network
├── SinkError (OSError)          an alert that could not be delivered
├── FlashError (ValueError)      a card, an image or a wish for it that cannot be written
├── UpdateError (RuntimeError)   an update that is not what it should be, or that failed
└── MissingPackage (ImportError) an optional package that is not installed
"""


class MaskcamError(Exception):
    """The root; `maskcam` prints it as one line and exits with code 2."""


def bare(error: Exception) -> Exception:
    """The same error without its tracebacks, for whoever keeps it.

    A traceback holds the frames it went through with all their variables: a picture, or the keeper itself, which makes
    a cycle that lives until the next full collection.
    """
    waiting: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while waiting:
        link = waiting.pop()
        if link is not None and link not in seen:
            link.__traceback__ = None
            seen.append(link)
            waiting += [link.__cause__, link.__context__]
    return error


class ConfigError(MaskcamError, ValueError):
    pass


class BundleError(MaskcamError, ValueError):
    pass


class DataError(MaskcamError, ValueError):
    pass


class CameraError(MaskcamError, OSError):
    pass


class EngineError(MaskcamError, RuntimeError):
    pass


class SinkError(MaskcamError, OSError):
    pass


class FlashError(MaskcamError, ValueError):
    pass


class UpdateError(MaskcamError, RuntimeError):
    pass


class MissingPackage(MaskcamError, ImportError):
    """`MissingPackage("cv2", extra="cpu")` says what to install; `remedy` is for what no extra brings."""

    def __init__(self, package: str, extra: str = "cpu", remedy: str = "") -> None:
        super().__init__(f"package '{package}' is not installed: " + (remedy or f"pip install 'maskcam[{extra}]'"))
