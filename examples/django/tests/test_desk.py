"""What Django does by itself, with a Callwright that says what the test wants."""

import json
from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.test import Client, TestCase, override_settings
from requests import Response

from desk.forms import GatewayForm, PlaceForm
from desk.models import Member

CALL = "01a20a32-d5a5-7326-973f-ec46639fc81c"
CALLWRIGHT = {
    "api": "http://callwright.test",
    "events": "ws://callwright.test/v1/events",
    "tenants": {"clinic": {"name": "Harbour Clinic", "key": "cw_secret", "users": []}},
}


def answer(status: int, body: object = None) -> Response:
    response = Response()
    response.status_code = status
    response._content = json.dumps(body).encode()
    return response


class Callwright:
    """Answers by the end of the path, and notes what it was asked."""

    def __init__(self, **answers: Response) -> None:
        self.answers = {"tokens": answer(201, {"token": "cwt.x"}), **answers}
        self.asked = []

    def __call__(self, method: str, url: str, headers: dict, **more) -> Response:
        self.asked.append((method, url, headers["Authorization"], more.get("json")))
        return self.answers[url.rpartition("/")[2]]


@override_settings(CALLWRIGHT=CALLWRIGHT, CACHES={
    "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
})
class DeskTest(TestCase):
    def setUp(self) -> None:
        login = get_user_model().objects.create_user("sue@clinic.example", password="x")
        Member.objects.create(
            login=login, tenant="clinic", name=login.username, role="supervisor", extension="301"
        )
        self.client.force_login(login)

    def with_callwright(self, **answers: Response) -> Callwright:
        callwright = Callwright(**answers)
        patcher = patch("desk.callwright.requests.request", callwright)
        patcher.start()
        self.addCleanup(patcher.stop)
        return callwright

    def test_nobody_sees_anything_without_logging_in(self) -> None:
        self.client.logout()
        for path in ("/", "/follow", "/recordings/", "/gateways/", f"/recordings/{CALL}/audio"):
            self.assertRedirects(self.client.get(path), f"/login/?next={path}")

    def test_the_key_mints_tokens_and_all_else_is_asked_with_the_members_own(self) -> None:
        callwright = self.with_callwright(monitor=answer(204))
        said = self.client.post(f"/calls/{CALL}/whisper", headers={"Accept": "application/json"})
        self.assertEqual(said.status_code, 200)
        (mint, order) = callwright.asked
        self.assertEqual((mint[2], mint[3]["user"]), ("Bearer cw_secret", "sue@clinic.example"))
        self.assertEqual(order[2], "Bearer cwt.x")
        self.assertEqual(order[3]["begin"]["by"], "301")
        self.assertEqual(order[3]["begin"]["manner"], {"mode": "whisper", "to": "far"})

    def test_the_browsers_token_can_only_look_and_the_key_stays_here(self) -> None:
        callwright = self.with_callwright(monitoring=answer(200, {"items": []}))
        page = self.client.get("/follow")
        self.assertNotIn("cw_secret", page.content.decode())
        powers = [json["powers"] for *_, json in callwright.asked if json]
        self.assertIn(["calls:read", "gateways:read", "recordings:read"], powers)

    def test_what_callwright_refuses_is_told_with_its_status_and_words(self) -> None:
        refused = {"detail": "there is no such call that is up", "code": "not_found"}
        self.with_callwright(commands=answer(404, refused))
        headers = {"Accept": "application/json"}
        said = self.client.post(f"/calls/{CALL}/hangup", headers=headers)
        self.assertEqual((said.status_code, said.json()["problem"]), (404, refused["detail"]))
        page = self.client.post(f"/calls/{CALL}/hangup", headers={"Accept": "text/html"})
        self.assertContains(page, refused["detail"], status_code=404)

    def test_an_order_that_comes_too_late_says_how_it_is_now(self) -> None:
        refused = answer(409, {"detail": "nobody listens in"})
        self.with_callwright(monitor=refused, monitoring=answer(200, {"items": []}))
        path, headers = f"/calls/{CALL}/barge", {"Accept": "application/json"}
        said = self.client.post(path, {"listening": "1"}, headers=headers)
        self.assertEqual(said.status_code, 409)
        self.assertEqual(said.json(), {"problem": "nobody listens in", "mode": None})

    def test_a_login_of_no_tenant_is_told_so(self) -> None:
        self.client.force_login(get_user_model().objects.create_user("nobody"))
        page = self.client.get("/recordings/")
        self.assertContains(page, "belongs to no tenant", status_code=403)

    def test_an_order_takes_a_csrf_token(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(get_user_model().objects.get())
        self.assertEqual(strict.post(f"/calls/{CALL}/hangup").status_code, 403)

    def test_a_field_that_callwright_blames_is_shown_at_that_field(self) -> None:
        data = {"name": "carrier", "server": "x y", "transport": "udp"}
        form = GatewayForm(data)
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(form.wanted()["settings"]["server"], "x y")
        form.blame("settings.server", "no host")
        form.blame("settings.realm", "another thing")
        self.assertEqual(form.errors["server"], ["no host"])
        self.assertEqual(form.non_field_errors(), ["another thing"])

    def test_short_numbers_are_extensions(self) -> None:
        outside = {"number": {"number": "+15550199"}}
        for to, goal in (("203", {"extension": "203"}), ("+15550199", outside)):
            form = PlaceForm({"to": to})
            self.assertTrue(form.is_valid())
            self.assertEqual(form.goal(), goal)
        self.assertFalse(PlaceForm({"to": "203; rm"}).is_valid())
