"""A headless Chromium with its libraries and fonts, from the npm package that carries them for Lambda.

It needs nothing of the machine but glibc. Pages look alike everywhere, because no other fonts are seen.
"""

import io
import os
import platform
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.services.npm import cached, npm_package

PACKAGE = "@sparticuz/chromium@153.0.0"
TARBALL_SHA256 = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
FONTS_PACKAGE = "dejavu-fonts-ttf@2.37.3"  # for logs and code; the first package's fonts are proportional
FONTS_SHA256 = "b7013ac58f9225250619db82cfb72e99c37ca8195f2b5a06a9e6a95bc5e1c84a"
MONOSPACED = ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")
FONTCONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <alias binding="same"><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias binding="same"><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
"""


class NoChromium(RuntimeError):
    """There is no build for this platform, and none was installed."""


@dataclass(frozen=True, slots=True)
class Chromium:
    """An executable and the environment it needs beside the usual one."""

    executable: str
    env: dict[str, str]


def chromium() -> Chromium:
    """The pinned build on Linux x86_64; elsewhere the Chromium or Chrome in PATH.

    Raises NoChromium where neither is to be had, and RuntimeError when the pinned one cannot be fetched.
    """
    if sys.platform == "linux" and platform.machine() == "x86_64":
        home = cached(f"{PACKAGE}-unpacked", _unpack)
        env = {"LD_LIBRARY_PATH": os.fspath(home / "al2023" / "lib"), "FONTCONFIG_PATH": os.fspath(home)}
        return Chromium(os.fspath(home / "chromium"), env)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Chromium(found, {})
    raise NoChromium(f"no Chromium is built for {sys.platform} {platform.machine()}, and PATH has none")


def _unpack(scratch: Path) -> Path:
    """The executable, its libraries, and the only fonts it shall see."""
    import brotli

    packed = npm_package(PACKAGE, TARBALL_SHA256) / "bin"
    fonts = npm_package(FONTS_PACKAGE, FONTS_SHA256) / "ttf"
    home = scratch / "home"
    home.mkdir()
    executable = home / "chromium"
    executable.write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
    executable.chmod(0o755)
    for name in ("al2023", "fonts"):
        tar = brotli.decompress((packed / f"{name}.tar.br").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            archive.extractall(home / name, filter="data")
    for name in MONOSPACED:
        shutil.copy(fonts / name, home / "fonts")
    (home / "fonts.conf").write_text(FONTCONFIG)
    return home
