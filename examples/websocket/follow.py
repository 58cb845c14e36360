#!/usr/bin/env python3
"""Follows what happens to a tenant's calls over a WebSocket, without gaps: each event once and in
order, over broken connections and over restarts of Callwright and of this program.

    export CALLWRIGHT_KEY=cw_...
    python3 follow.py http://127.0.0.1:8086 --place sequence.txt

prints a line of JSON for each event. First comes how things stand (`"type": "standing"`), unless
the file says after which event to go on.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PROTOCOL = "callwright.events.v1"
# Callwright gives a sign of life every 15 s; a connection that is silent for longer is dead.
SILENCE_S = 40
# Between two attempts, in seconds: at first, and at most.
PAUSE_S = 0.25
PAUSE_MAX_S = 10
# Events up to the one that is known are not kept any more: as an answer, and as a close code.
GONE = 410
GONE_CODE = 4410
# Nothing that is tried again helps: the key does not count, or may not do this.
HOPELESS = (401, 403, 422)


class Place:
    """After which event to go on. It is written down once an event was dealt with, so that whoever
    is killed in between deals with that event again, and with none too few."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        known = path.read_text().strip() if path and path.exists() else ""
        self.sequence = int(known) if known else None

    def reached(self, sequence: int) -> None:
        self.sequence = sequence
        if self.path:
            draft = self.path.with_suffix(".part")
            draft.write_text(f"{sequence}\n")
            draft.replace(self.path)

    def forget(self) -> None:
        self.sequence = None


def messages(socket: ClientConnection) -> Iterator[dict]:
    while True:
        try:
            yield json.loads(socket.recv(timeout=SILENCE_S))
        except TimeoutError:
            return


def follow(url: str, key: str, place: Place) -> Iterator[dict]:
    """Each event, for ever; `place.reached` is the caller's affair."""
    pause = PAUSE_S
    while True:
        after = {} if place.sequence is None else {"after": place.sequence}
        address = f"{url}?{urlencode(after)}"
        headers = {"Authorization": f"Bearer {key}"}
        try:
            with connect(address, additional_headers=headers, subprotocols=[PROTOCOL]) as socket:
                pause = PAUSE_S
                for told in messages(socket):
                    if told["type"] == "heartbeat":
                        place.reached(told["sequence"])
                    elif told["type"] != "over":
                        yield told
        except ConnectionClosed as closed:
            if closed.rcvd and closed.rcvd.code == GONE_CODE:
                place.forget()
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status == GONE:
                print("follow: events are missing; begins with how things stand", file=sys.stderr)
                place.forget()
            elif status in HOPELESS:
                raise SystemExit(f"follow: Callwright answers {status}") from refused
        except (OSError, InvalidHandshake) as error:
            print(f"follow: {error}", file=sys.stderr)
        time.sleep(pause * random.uniform(0.5, 1))
        pause = min(pause * 2, PAUSE_MAX_S)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    asked.add_argument("api", help="where the API is, such as http://127.0.0.1:8086")
    asked.add_argument("--place", type=Path, help="the file that keeps the last event's sequence")
    wanted = asked.parse_args()
    key = os.environ.get("CALLWRIGHT_KEY") or asked.error("CALLWRIGHT_KEY has the key")
    place = Place(wanted.place)
    url = wanted.api.rstrip("/").replace("http", "ws", 1) + "/v1/events"
    for told in follow(url, key, place):
        print(json.dumps(told, ensure_ascii=False), flush=True)
        place.reached(told["sequence"])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
