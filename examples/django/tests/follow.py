"""The WebSocket client beside the demo: its connection is cut, and it is killed."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.place import EXAMPLE, Place, soon

CLIENT = EXAMPLE.parent / "websocket" / "follow.py"


class Following(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Place()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.place.end()

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.said = self.folder / "said"

    def begin(self) -> subprocess.Popen:
        key = self.place.told["tenants"][0]["key"]
        env = os.environ | {"CALLWRIGHT_KEY": key}
        api = f"http://127.0.0.1:{self.place.wire.port}"
        command = [sys.executable, CLIENT, api, "--place", self.folder / "place"]
        with self.said.open("ab") as out:
            return subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.DEVNULL)

    def told(self) -> list[dict]:
        lines = self.said.read_bytes().split(b"\n")[:-1] if self.said.exists() else []
        return [json.loads(line) for line in lines]

    def more(self, count: int) -> None:
        wanted = len(self.told()) + count
        soon(lambda: len(self.told()) >= wanted, "too little is told")

    def last(self) -> int:
        return self.place.ask("clinic", "events/standing")["sequence"]

    def test_it_follows_without_gaps_over_a_cut_line_and_its_own_death(self) -> None:
        client = self.begin()
        self.more(6)
        self.place.wire.cut()
        before = self.last()
        soon(lambda: self.last() > before + 2, "nothing happens meanwhile")
        self.place.wire.mend()
        self.more(6)
        client.kill()
        client.wait()
        before = self.last()
        soon(lambda: self.last() > before + 2, "nothing happens meanwhile")
        client = self.begin()
        self.more(6)
        client.kill()
        client.wait()
        told = self.told()
        self.assertEqual([one["type"] for one in told].count("standing"), 1)
        # What it was killed with in its hands may come twice.
        sequences = sorted({one["sequence"] for one in told})
        self.assertEqual(sequences, list(range(sequences[0], sequences[-1] + 1)))
        self.assertLessEqual(len(told) - len(sequences), 1)

    def test_a_key_that_does_not_count_is_said_and_not_tried_for_ever(self) -> None:
        env = os.environ | {"CALLWRIGHT_KEY": "cw_nobody"}
        command = [sys.executable, CLIENT, self.place.told["api"]]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("401", ended.stderr)
