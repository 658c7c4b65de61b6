"""A real browser without a screen, driven by WebDriver.

Selenium blocks: a test runs what it does in a thread (`asyncio.to_thread`).
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"Nothing of it asks anyone but the server under test."

PATIENCE_S = 20.0


class Browser:
    """One window."""

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, url: str) -> None:
        self.driver.get(url)

    def find(self, selector: str) -> WebElement:
        """Return the first element that fits, as soon as there is one."""
        found: list[WebElement] = self.until(
            lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), selector
        )
        return found[0]

    def count(self, selector: str) -> int:
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def script(self, text: str, *arguments: object) -> Any:
        return self.driver.execute_script(text, *arguments)

    def awaited(self, text: str) -> Any:
        """Return what the body of an asynchronous function returns in the page."""
        done = "const done = arguments[arguments.length - 1];"
        return self.driver.execute_async_script(
            f"{done} (async () => {{ {text} }})().then(done, error => done(String(error)));"
        )

    def until(self, condition: Any, what: str = "") -> Any:
        """Return the first true value of a condition."""
        return WebDriverWait(self.driver, PATIENCE_S, 0.05).until(lambda _: condition(), what)

    def saved(self) -> Path:
        """Return the one file that was downloaded, once it is whole."""
        found: list[Path] = self.until(
            lambda: list(self.downloads.glob("*.mp3")), "nothing was downloaded"
        )
        return found[0]


@contextlib.contextmanager
def chromium(folder: Path, *, language: str = "de", width: int = 1280) -> Iterator[Browser]:
    """Start a browser with a profile of its own below `folder`."""
    downloads = folder / "downloads"
    downloads.mkdir(parents=True)
    options = ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.add_argument(f"--window-size={width},900")
    options.add_argument(f"--lang={language}")
    options.add_experimental_option(
        "prefs",
        {"download.default_directory": str(downloads), "intl.accept_languages": language},
    )
    # Named, so that nothing is looked for elsewhere.
    options.binary_location = str(shutil.which("chromium"))
    driver = Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        driver.set_script_timeout(PATIENCE_S)
        yield Browser(driver, downloads)
    finally:
        driver.quit()
