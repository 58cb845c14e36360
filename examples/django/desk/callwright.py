"""Callwright's HTTP API, as one member of a tenant uses it.

The tenant's key never leaves this server, and is used for one thing: minting tokens. All else is
asked with a token of the member's own, so that Callwright itself decides what they may, and its
audit log names them.
"""

from collections.abc import Iterable
from urllib.parse import quote

import requests
from django.conf import settings
from django.core.cache import cache

from .models import Member

# How long Callwright may take to answer, in seconds; a gateway's test takes the longest.
TIMEOUT = (3.05, 30)
# How long a token lives, and for how long it is used again, in seconds.
TOKEN_LIFE = 900
TOKEN_USE = 600
# What the browser's own token may do: look, and only at what its page shows.
BROWSER_POWERS = {
    Member.Role.ADMIN: ["calls:read", "gateways:read", "recordings:read"],
    Member.Role.SUPERVISOR: ["calls:read", "gateways:read", "recordings:read"],
    Member.Role.AGENT: ["calls:read"],
}


class Problem(Exception):
    """Callwright did not do it: its answer as RFC 9457 has it."""

    def __init__(self, status: int, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field

    @classmethod
    def of(cls, response: requests.Response) -> "Problem":
        try:
            said = response.json()
        except ValueError:
            said = {}
        detail = said.get("detail") or f"Callwright answered {response.status_code}"
        return cls(response.status_code, detail, said.get("field"))


class Callwright:
    """One tenant's Callwright, for one of its members."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.base = f"{settings.CALLWRIGHT['api']}/v1/tenants/{quote(member.tenant, safe='')}"

    def mint(self, powers: Iterable[str] = ()) -> str:
        tenant = settings.CALLWRIGHT["tenants"].get(self.member.tenant)
        if tenant is None:
            raise Problem(503, f"There is no key for the tenant {self.member.tenant}.")
        wanted = {"user": self.member.name, "ttl_s": TOKEN_LIFE, "powers": list(powers)}
        return self._send("POST", "tokens", tenant["key"], json=wanted).json()["token"]

    def browser_token(self) -> str:
        return self.mint(BROWSER_POWERS[Member.Role(self.member.role)])

    def ask(self, method: str, path: str, **more) -> requests.Response:
        kept = f"token:{self.member.tenant}:{self.member.name}"
        for again in (True, False):
            token = cache.get(kept)
            if token is None:
                token = self.mint()
                cache.set(kept, token, TOKEN_USE)
            try:
                return self._send(method, path, token, **more)
            except Problem as problem:
                # It was revoked, or Callwright has another key by now.
                if problem.status != 401 or not again:
                    raise
                cache.delete(kept)
        raise AssertionError("the second round returns or raises")

    def _send(self, method: str, path: str, bearer: str, **more) -> requests.Response:
        headers = {"Authorization": f"Bearer {bearer}", **more.pop("headers", {})}
        url = f"{self.base}/{path}"
        try:
            response = requests.request(method, url, headers=headers, timeout=TIMEOUT, **more)
        except requests.RequestException as error:
            raise Problem(503, "Callwright can't be reached.") from error
        if not response.ok and response.status_code != 416:
            raise Problem.of(response)
        return response

    def monitor(self, call: str, order: dict | str) -> None:
        self.ask("POST", f"calls/{call}/monitor", json=order)

    def command(self, call: str, command: dict) -> None:
        self.ask("POST", f"calls/{call}/commands", json=command)

    def place(self, to: dict) -> dict:
        """Calls the member's own phone, and puts it through."""
        own = {"extension": self.member.extension}
        wanted = {"to": own, "then": {"connect": to}}
        return self.ask("POST", "calls", json=wanted).json()

    def listening(self) -> dict[str, str]:
        """The calls on which the member listens in, and how."""
        sessions = self.ask("GET", "monitoring").json()["items"]
        own = [one for one in sessions if one["by"] == self.member.extension and not one["ended"]]
        return {one["call"]: one["changes"][-1]["mode"] for one in own}

    def recordings(self) -> list[dict]:
        return self.ask("GET", "recordings", params={"limit": 30}).json()["items"]

    def callers(self) -> dict[str, str]:
        """Who called in the calls that ended last."""
        records = self.ask("GET", "records", params={"limit": 100}).json()["items"]
        return {record["call"]: record["caller_number"] for record in records}

    def audio(self, recording: str, headers: dict[str, str]) -> requests.Response:
        return self.ask("GET", f"recordings/{recording}/audio", headers=headers, stream=True)

    def gateways(self) -> list[dict]:
        return self.ask("GET", "gateways").json()["items"]

    def put_gateway(self, name: str, wanted: dict) -> None:
        self.ask("PUT", f"gateways/{quote(name, safe='')}", json=wanted)

    def test_gateway(self, wanted: dict) -> dict:
        return self.ask("POST", "gateway-tests", json=wanted).json()
