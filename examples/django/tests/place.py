"""The example as its one command starts it, and browsers that use it."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from tests.wire import Wire

EXAMPLE = Path(__file__).resolve().parent.parent
PASSWORD = "callwright"
# Longer than anything here may take on a busy machine, in seconds.
PATIENCE = 60
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)
# Notes each event once the page has drawn what it changes, and how late that was.
NOTES = """
window.notes = [];
document.addEventListener("desk:shown", ({detail}) => requestAnimationFrame(() => {
  const {type, sequence, call, at} = detail;
  notes.push({type, sequence, call, late: at ? Date.now() - Date.parse(at) : null});
}));
"""


def soon(what: Callable, why: str):
    """Waits until it is so, and says what it was then."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"in vain: {why}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Place:
    """Callwright's demo and Django, by `run`."""

    def __init__(self) -> None:
        self.wire = Wire(self.api_address)
        self.folder = Path(tempfile.mkdtemp())
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        events = f"ws://127.0.0.1:{self.wire.port}/v1/events"
        env = os.environ | {"DESK_PORT": str(port), "CALLWRIGHT_EVENTS": events}
        env |= {"DESK_PASSWORD": PASSWORD, "DESK_RUN": str(self.folder)}
        self.process = subprocess.Popen(["./run"], cwd=EXAMPLE, env=env, stdout=subprocess.DEVNULL)
        try:
            soon(self.answers, "the desk does not start")
        except BaseException:
            self.process.terminate()
            raise
        self.told = json.loads((self.folder / "keys.json").read_text())

    def answers(self) -> bool:
        assert self.process.poll() is None, "`run` has ended"
        try:
            return urllib.request.urlopen(f"{self.url}/login/", timeout=5).status == 200
        except OSError:
            return False

    def api_address(self) -> tuple[str, int]:
        api = urlsplit(self.told["api"])
        return api.hostname, api.port

    def ask(self, tenant: str, path: str) -> dict:
        """Asks Callwright itself, with the tenant's key."""
        (key,) = (one["key"] for one in self.told["tenants"] if one["tenant"] == tenant)
        url = f"{self.told['api']}/v1/tenants/{tenant}/{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        return json.load(urllib.request.urlopen(request, timeout=10))

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) in (0, 130, -signal.SIGINT), "`run` ends badly"
        assert not self.folder.exists(), "`run` leaves its folder behind"


class Browser:
    """Somebody at the desk, with a browser of their own."""

    def __init__(self, place: Place, user: str) -> None:
        self.place, self.profile = place, tempfile.TemporaryDirectory()
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService("/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options=options, service=service)
        note = {"source": NOTES}
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", note)
        self.open("/")
        self.fill({"username": user, "password": PASSWORD})
        self.one("form.login button").click()
        soon(lambda: self.one("#line[data-state=live]"), f"{user} is not live")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self.driver.quit()
        self.profile.cleanup()

    def open(self, path: str) -> None:
        self.driver.get(self.place.url + path)

    def fill(self, fields: dict[str, str]) -> None:
        for name, text in fields.items():
            field = self.driver.find_element(By.NAME, name)
            field.clear()
            field.send_keys(text)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str):
        found = self.all(selector)
        return found[0] if found else None

    def script(self, text: str, *arguments):
        return self.driver.execute_script(text, *arguments)

    def later(self, text: str, *arguments):
        return self.driver.execute_async_script(text, *arguments)

    def notes(self) -> list[dict]:
        return self.script("return window.notes")

    def rows(self) -> dict[str, str]:
        """The calls that the page shows, and their state."""
        rows = "return [...document.querySelectorAll('#calls tbody tr')]"
        return dict(self.script(rows + ".map((row) => [row.dataset.call, row.dataset.state])"))

    def text(self, call: str) -> str:
        row = self.one(f"tr[data-call='{call}']")
        return row.text if row else ""

    def press(self, call: str, order: str) -> None:
        self.one(f"tr[data-call='{call}'] button[data-order={order}]").click()

    def click_left(self, selector: str) -> None:
        """Presses what is at the left edge: of a player the button that plays."""
        element = self.one(selector)
        left = 24 - element.size["width"] // 2
        ActionChains(self.driver).move_to_element_with_offset(element, left, 0).click().perform()

    def said(self, words: str) -> None:
        soon(lambda: words in self.one("#toast").text, f"the page does not say `{words}`")

    def troubles(self) -> list[str]:
        logged = self.driver.get_log("browser")
        return [entry["message"] for entry in logged if entry["level"] == "SEVERE"]


def status_of(browser: Browser, path: str) -> int:
    try:
        cookies = {one["name"]: one["value"] for one in browser.driver.get_cookies()}
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        request = urllib.request.Request(browser.place.url + path, headers={"Cookie": sent})
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
