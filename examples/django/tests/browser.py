"""The example in a real browser, beside the demo: `tests/browser` of the repository runs it."""

import statistics
import unittest

from tests.place import Browser, Place, soon, status_of

# How long after an event the page may show it, in ms.
LATE_MAX = 500
CALL_EVENTS = 15


class Desk(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Place()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.place.end()

    def test_a_gateway_is_tried_out_saved_and_seen_to_register(self) -> None:
        with Browser(self.place, "pat@clinic.example") as pat:
            pat.open("/gateways/")
            account = {"name": "carrier", "server": "sip.provider.example", "username": "acct"}
            pat.fill({**account, "password": "wrong"})
            pat.one("button[name=test]").click()
            tested = soon(lambda: pat.one("#tested"), "nothing is told of the test").text
            self.assertIn("does not work", tested)
            self.assertIn("password is wrong", tested)
            self.assertIsNone(pat.one("#gateway-carrier"), "a test saves nothing")
            pat.fill({"password": "right"})
            pat.one("button[name=save]").click()
            registered = "#gateway-carrier [data-standing=registered]"
            soon(lambda: pat.one(registered), "the gateway is not seen to register")
            pat.fill({"name": "other", "server": "not a server", "password": "x"})
            pat.one("button[name=save]").click()
            wrong = soon(lambda: pat.one(".wrong"), "a wrong server is not told")
            self.assertTrue(wrong.text)
            self.assertEqual(pat.troubles(), [])
        with Browser(self.place, "kim@shop.example") as kim:
            kim.open("/gateways/")
            self.assertIsNone(kim.one("#gateway-carrier"), "another tenant's gateway is shown")

    def test_calls_appear_and_change_within_half_a_second(self) -> None:
        with Browser(self.place, "sue@clinic.example") as sue:
            def told() -> list[dict]:
                notes = [note for note in sue.notes() if note["type"].startswith("call.")]
                kinds = {note["type"] for note in notes}
                enough = len(notes) >= CALL_EVENTS and kinds >= {"call.created", "call.bridged"}
                return notes if enough else []

            late = sorted(note["late"] for note in soon(told, "too little happens"))
            usual, slow = statistics.median(late), late[len(late) * 9 // 10]
            print(f"\nshown after {usual:.0f} ms in the median, {slow} ms for nine in ten")
            self.assertLess(slow, LATE_MAX)
            # What the page made of the events is what Callwright says.
            def same() -> bool:
                standing = self.place.ask("clinic", "events/standing")["calls"]
                up = {call["call"]: bool(call["with"]) for call in standing}
                return up == {call: state == "talks" for call, state in sue.rows().items()}

            soon(same, "the page and Callwright differ")
            self.assertEqual(sue.troubles(), [])

    def test_a_supervisor_listens_whispers_barges_hangs_up_and_hears_the_recording(self) -> None:
        with Browser(self.place, "sue@clinic.example") as sue:
            def talking() -> str | None:
                calls = [call for call, state in sue.rows().items() if state == "talks"]
                return calls[-1] if calls else None

            call = soon(talking, "nobody talks")
            for order, words in (
                ("listen", "Your phone 301 rings"),
                ("whisper", "Your colleague hears you"),
                ("barge", "Both hear you"),
            ):
                sue.press(call, order)
                sue.said(words)
                pressed = f"tr[data-call='{call}'] [data-order={order}][aria-pressed=true]"
                soon(lambda pressed=pressed: sue.one(pressed), f"{order} is not shown")
            session = soon(lambda: self.session(call), "the phone is not answered")
            self.assertEqual(
                [change["mode"] for change in session["changes"]], ["listen", "whisper", "barge"]
            )
            sue.press(call, "hangup")
            sue.said("The call was ended")
            soon(lambda: call not in sue.rows(), "the call is still shown")
            soon(lambda: self.session(call)["ended"], "the supervisor is still there")
            self.hear_recording(sue, call)
            self.assertEqual(sue.troubles(), [])

    def session(self, call: str) -> dict | None:
        sessions = self.place.ask("clinic", "monitoring")["items"]
        own = [one for one in sessions if one["call"] == call and one["answered"]]
        return own[0] if own else None

    def hear_recording(self, sue: Browser, call: str) -> None:
        sue.open("/recordings/")
        player = f"tr[data-call='{call}'] audio"
        soon(lambda: sue.one(player), "the recording does not appear")
        sue.click_left(player)
        heard = sue.later(
            """
            const done = arguments[1], audio = document.querySelector(arguments[0]);
            (async () => {
              const bytes = await (await fetch(audio.src)).arrayBuffer();
              const sound = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(bytes);
              const loudest = sound.getChannelData(0).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
              while (audio.currentTime === 0) await new Promise(requestAnimationFrame);
              // To the last second of it, by a range of its own.
              const ended = new Promise((next) => { audio.onended = next; });
              audio.currentTime = audio.duration - 1;
              await ended;
              done({loudest, length: sound.duration, duration: audio.duration});
            })().catch((error) => done({error: String(error)}));
            """,
            player,
        )
        self.assertGreater(heard.get("loudest", 0), 0.1, f"it is silent: {heard}")
        self.assertGreater(heard["length"], 2)
        self.assertAlmostEqual(heard["length"], heard["duration"], delta=0.2)

    def test_nothing_is_missed_and_nothing_comes_twice_when_the_line_is_cut(self) -> None:
        with Browser(self.place, "max@shop.example") as max_:
            soon(lambda: max_.notes(), "nothing is told")
            self.place.wire.cut()
            soon(lambda: max_.one("#line[data-state=cut]"), "the page does not notice")
            before = self.place.ask("shop", "events/standing")["sequence"]

            def missed() -> int | None:
                last = self.place.ask("shop", "events/standing")["sequence"]
                return last if last >= before + 5 else None

            last = soon(missed, "nothing happens meanwhile")
            self.place.wire.mend()
            soon(lambda: max_.one("#line[data-state=live]"), "the page does not come back")
            soon(lambda: max_.notes()[-1]["sequence"] >= last, "it does not catch up")
            notes = [note for note in max_.notes() if note["type"] != "listening"]
            self.assertEqual(notes[0]["type"], "standing")
            self.assertEqual([note["type"] for note in notes].count("standing"), 1)
            told = [note["sequence"] for note in notes]
            self.assertEqual(told, list(range(told[0], told[0] + len(told))))

    def test_who_was_away_for_too_long_sees_anew_how_things_stand(self) -> None:
        with Browser(self.place, "kim@shop.example") as kim:
            soon(lambda: kim.notes(), "nothing is told")
            # The next connection asks for events that no Callwright has.
            kim.script(
                """
                const Own = WebSocket;
                window.WebSocket = function (url, protocols) {
                  window.WebSocket = Own;
                  return new Own(url.replace(/after=.*/, "after=99999999"), protocols);
                };
                """
            )
            self.place.wire.cut()
            self.place.wire.mend()

            def stood() -> bool:
                return [note["type"] for note in kim.notes()].count("standing") == 2

            soon(stood, "how things stand does not come anew")
            soon(lambda: kim.one("#line[data-state=live]"), "the page does not come back")

    def test_two_tenants_see_only_their_own(self) -> None:
        with (
            Browser(self.place, "sue@clinic.example") as sue,
            Browser(self.place, "kim@shop.example") as kim,
        ):
            clinic = soon(sue.rows, "nobody calls the clinic")
            shop = soon(kim.rows, "nobody calls the shop")
            self.assertFalse(clinic.keys() & shop.keys())
            call = next(iter(clinic))
            refused = kim.later(
                """
                const [call, done] = arguments;
                const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
                fetch(`/calls/${call}/hangup`, {method: "POST", headers: {
                  "X-CSRFToken": token, Accept: "application/json"}})
                  .then(async (answer) => done([answer.status, await answer.json()]));
                """,
                call,
            )
            self.assertEqual(refused[0], 404)
            self.assertIn("no such call", refused[1]["problem"])
            ready = lambda: self.place.ask("clinic", "recordings?state=ready")["items"]
            recording = soon(ready, "nothing is recorded")[0]["id"]
            path = f"/recordings/{recording}/audio"
            self.assertEqual(status_of(sue, path), 200)
            self.assertEqual(status_of(kim, path), 404)

    def test_an_agent_calls_by_a_click_and_neither_listens_in_nor_hears_recordings(self) -> None:
        with Browser(self.place, "ann@clinic.example") as ann:
            ann.fill({"to": "203"})
            ann.one("#place button").click()
            ann.said("Your phone 201 rings")
            own = lambda: [call for call in ann.rows() if "201 → 203" in ann.text(call)]
            (call,) = soon(own, "the call does not appear")
            soon(lambda: ann.rows()[call] == "talks", "it is not put through")
            ann.press(call, "hangup")
            soon(lambda: call not in ann.rows(), "it is not ended")
            soon(ann.rows, "nobody calls")
            self.assertEqual(ann.all("[data-order=listen]"), [])
            ann.open("/recordings/")
            self.assertEqual(status_of(ann, "/recordings/"), 403)
            self.assertIn("recordings:read", ann.one("[role=alert]").text)
