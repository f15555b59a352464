"""The sections of what runs beside the camera loop: collecting, updates, the page."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.core.section import HARMLESS as _HARMLESS
from edge.core.section import PATH as _PATH
from edge.core.section import Section as _Section
from edge.core.section import secret as _secret
from edge.core.section import setting as _setting


class Collect(_Section):
    """Collects pictures of doubtful cases for training, on this device only. The section turns it on."""

    path: str = _setting(
        "",
        "",
        "folder, such as one on a USB stick; empty: collected in the state folder of the service, /var/lib/maskcam",
        extra=_PATH,
    )
    reasons: list[Literal["unsure", "changed", "sample", "wrong"]] = _setting(
        ["unsure", "changed", "sample", "wrong"],
        "",
        "people without a decision (unsure), people whose decision changed (changed), every n-th person (sample), "
        "and people that somebody reports as wrong (wrong)",
        min_length=1,
    )
    what: Literal["face", "frame"] = _setting(
        "face", "", "face: one face with its surroundings; frame: the whole picture; other faces are blurred"
    )
    sample: int = _setting(10, "", "take every n-th person as a sample", ge=1, le=100_000)
    every: float = _setting(10.0, "s", "shortest time between two automatic pictures", ge=0, le=86400)
    most: int = _setting(300, "", "maximum number of pictures; the oldest unlabelled one is deleted", ge=1, le=10_000)
    max_bytes: int = _setting(100_000_000, "bytes", "maximum size of all pictures", ge=100_000, le=1_000_000_000_000)
    keep_days: float = _setting(14.0, "days", "time a picture is kept, labelled or not; 0: no limit", ge=0, le=3650)
    button_pin: Annotated[int, Field(ge=0, le=65535)] | str = _setting(
        "", "", "pin of a push button that says 'that was wrong', as for sinks.gpio; empty: none", extra=_HARMLESS
    )
    button_active_high: bool = _setting(
        False, "", "whether a press makes the pin high; false: the button connects the pin to ground"
    )
    button_driver: Literal["auto", "gpiozero", "gpiod", "mock"] = _setting("auto", "", "as for sinks.gpio")

    @model_validator(mode="after")
    def _heard(self) -> Collect:
        if self.button_pin != "" and "wrong" not in self.reasons:
            raise ValueError(
                f"reasons = {self.reasons} must hold 'wrong' where button_pin is set: a press would do nothing"
            )
        return self


class Update(_Section):
    """Updates of this device."""

    key: str = _setting(
        "",
        "",
        "minisign public key that updates must be signed with: the second line of minisign.pub; empty: no updates",
        extra=_secret("key"),
    )


_HASH = r"^$|^scrypt:\d+:\d+:\d+:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$"


class Web(_Section):
    """The page: live picture, state, settings, door sign, API and metrics. The section turns it on."""

    address: str = _setting(
        "127.0.0.1", "", "address to listen on; 0.0.0.0 or :: for all, which requires a password or a token"
    )
    port: int = _setting(8765, "", "port to listen on", ge=1, le=65535)
    password: str = _setting(
        "", "", "hash of the password, made with 'maskcam password'; empty: none, this machine only", pattern=_HASH
    )
    token: str = _setting("", "", "hash of an access token for programs, made with 'maskcam password'", pattern=_HASH)
    certificate: str = _setting("", "", "file with the certificate chain for https; empty: http", extra=_PATH)
    key: str = _setting("", "", "file with the certificate's private key", extra=_PATH)
    names: list[str] = _setting([], "", "host names under which browsers reach the page, besides this machine's own")
    preview_fps: float = _setting(5.0, "1/s", "maximum frame rate of the live picture", gt=0, le=15)
    preview_width: int = _setting(960, "px", "maximum width of the live picture", ge=160, le=3840)
    healthy_within: float = _setting(
        15.0, "s", "time since the last verdict after which /healthz answers 503", gt=0, le=86400
    )
    sign_languages: list[str] = _setting(["en"], "", "languages of the door sign, in turn", min_length=1)
    sign_texts: str = _setting("", "", "file with more languages for the sign, like web/static/sign.toml", extra=_PATH)
    sign_public: bool = _setting(
        False, "", "show the door sign without a password; it shows only what anybody at the door can see"
    )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.address).is_loopback

    @model_validator(mode="after")
    def _guarded(self) -> Web:
        try:
            local = self.local
        except ValueError:
            raise ValueError(
                f"address = '{self.address}' must be an IP address, such as 127.0.0.1 or 0.0.0.0"
            ) from None
        if not (local or self.password or self.token):
            raise ValueError(
                f"address = '{self.address}' can be reached by others: set a password, made by 'maskcam password'"
            )
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key must be given together")
        return self
