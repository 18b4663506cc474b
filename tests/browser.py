"""A real browser with a microphone that plays a file, and a visitor who uses the page."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from wakeword.audio import SAMPLE_RATE

WAIT_S = 90.0  # two busy cores; nothing waits so long when all is well
TRIES = 10  # who presses in the middle of a word is told so, and records again

NOTES_WHAT_PLAYS = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...when) {
  window.played.push(this.buffer.duration);
  return start.apply(this, when);
};
"""


@contextlib.contextmanager
def browsing(
    heard: np.ndarray | None, language: str = "en", width_px: int | None = None
) -> Iterator[Visitor]:
    """A fresh Chromium whose microphone hears (n,) float32 at 16 kHz again and again.

    ``heard`` None: the microphone is forbidden. ``width_px``: a phone of this width.
    """
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    for name, path in programs.items():
        if path is None:
            pytest.skip(f"{name} is not installed; see tests/system-packages.txt")
    from selenium import webdriver

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = webdriver.ChromeOptions()
        options.binary_location = str(programs["chromium"])
        preferences = {"intl.accept_languages": language}
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--use-fake-device-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            "--ignore-certificate-errors",
            f"--lang={language}",
            f"--user-data-dir={folder}/profile",
        ):
            options.add_argument(argument)
        if heard is None:
            preferences["profile.default_content_setting_values.media_stream_mic"] = 2
        else:
            file = Path(folder) / "heard.wav"
            soundfile.write(file, heard, SAMPLE_RATE, subtype="PCM_16")
            options.add_argument("--use-fake-ui-for-media-stream")
            options.add_argument(f"--use-file-for-fake-audio-capture={file}")
        if width_px:
            metrics = {"width": width_px, "height": 780, "pixelRatio": 2}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        options.add_experimental_option("prefs", preferences)
        service = webdriver.ChromeService(str(programs["chromedriver"]))
        driver = webdriver.Chrome(options=options, service=service)
        driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": NOTES_WHAT_PLAYS}
        )
        try:
            yield Visitor(driver)
        finally:
            with contextlib.suppress(Exception):  # closed by the test already
                driver.quit()


class Visitor:
    """Somebody at a browser: sees what is shown, presses what can be pressed."""

    def __init__(self, driver):
        self.driver = driver

    def until(self, condition):
        """What ``condition()`` gives, once it is true."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(
            self.driver, WAIT_S, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        return wait.until(lambda _: condition())

    def find(self, selector: str):
        """The element, shown or not."""
        return self.driver.find_element("css selector", selector)

    def is_shown(self, selector: str) -> bool:
        """Whether it can be seen now."""
        return self.find(selector).is_displayed()

    def see(self, selector: str):
        """The element, once it is shown and can be used."""

        def usable():
            element = self.find(selector)
            return element.is_displayed() and element.is_enabled() and element

        return self.until(usable)

    def press(self, selector: str) -> None:
        """Click it, once it can be clicked."""
        self.see(selector).click()

    def focused(self, selector: str) -> None:
        """Wait until it has the keyboard."""
        self.until(lambda: self.find(selector) == self.driver.switch_to.active_element)

    def type(self, *keys: str) -> None:
        """Keys to whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def text(self, selector: str) -> str:
        """Its words."""
        return self.find(selector).text

    def played(self) -> list[float]:
        """How long each sound was that the page has begun to play, in seconds."""
        return self.driver.execute_script("return window.played")

    def overflows(self) -> bool:
        """Whether the page is wider than the screen."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )

    def join(self, url: str, name: str) -> None:
        """From the invitation to the first prompt."""
        self.driver.get(url)
        self.press("#agree")
        self.see("#name").send_keys(name)
        self.press("#join")
        self.press("#microphone-on")
        self.press("#begin")
        self.see("#go")

    def keep(self) -> None:
        """A take was begun: wait until it is kept, and record again while it is not."""
        for _ in range(TRIES):
            self.until(lambda: self.is_shown("#next") or self.is_shown("#again"))
            if self.is_shown("#next"):
                return
            self.press("#again")
        raise AssertionError(f"no take was kept: {self.text('#problems')}")

    def record(self) -> None:
        """Record the prompt until a take is kept."""
        self.press("#go")
        self.keep()
