from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .callwright import Callwright, Problem
from .forms import GatewayForm, PlaceForm

# What a button orders of a call that is listened to, and what is said when it is done.
MODES = {
    "listen": "You hear the two, and neither hears you.",
    "whisper": "Your colleague hears you, the caller does not.",
    "barge": "Both hear you.",
}
REASON = "supervision at the desk"
# Headers of a recording that are passed on: those by which players skip and browsers compare.
ASKED = ("Range", "If-Range", "If-None-Match")
ANSWERED = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Cache-Control",
)
CHUNK = 64 * 1024


@require_GET
def live(request: HttpRequest) -> HttpResponse:
    return render(request, "desk/live.html", {"form": PlaceForm()})


@require_GET
@never_cache
def follow(request: HttpRequest) -> JsonResponse:
    """Where the page follows what happens, with a token of its own."""
    member = request.user.member
    callwright = Callwright(member)
    return JsonResponse(
        {
            "url": settings.CALLWRIGHT["events"],
            "token": callwright.browser_token(),
            "listening": callwright.listening() if member.leads else {},
        }
    )


@require_POST
def order(request: HttpRequest, call: UUID, order: str) -> JsonResponse:
    callwright = Callwright(request.user.member)
    if order == "hangup":
        callwright.command(str(call), {"hangup": {"cause": "NORMAL_CLEARING"}})
        return JsonResponse({"said": "The call was ended."})
    if order != "leave" and order not in MODES:
        raise Http404(order)
    try:
        said = monitor(callwright, str(call), order, "listening" in request.POST)
    except Problem as problem:
        # What the page showed may be of the past: the supervisor's phone hung up, say.
        mode = callwright.listening().get(str(call))
        told = {"problem": problem.detail, "mode": mode}
        return JsonResponse(told, status=problem.status)
    return JsonResponse({"said": said, "mode": None if order == "leave" else order})


def monitor(callwright: Callwright, call: str, order: str, listening: bool) -> str:
    if order == "leave":
        callwright.monitor(call, "end")
        return "You left the call."
    manner, extension = {"mode": order, "to": "far"}, callwright.member.extension
    if listening:
        callwright.monitor(call, {"change": {"manner": manner}})
        return MODES[order]
    callwright.monitor(call, {"begin": {"by": extension, "manner": manner, "reason": REASON}})
    return f"Your phone {extension} rings. {MODES[order]}"


@require_POST
def place(request: HttpRequest) -> JsonResponse:
    form = PlaceForm(request.POST)
    if not form.is_valid():
        raise Problem(422, " ".join(form.errors["to"]))
    Callwright(request.user.member).place(form.goal())
    extension = request.user.member.extension
    return JsonResponse({"said": f"Your phone {extension} rings, and is put through then."})


@require_GET
def recordings(request: HttpRequest) -> HttpResponse:
    callwright = Callwright(request.user.member)
    found, callers = callwright.recordings(), callwright.callers()
    for one in found:
        one["caller"] = callers.get(one["call"], "")
        one["at"] = parse_datetime(one["began"])
        one["seconds"] = round((one.get("length_ms") or 0) / 1000)
    return render(request, "desk/recordings.html", {"recordings": found})


@require_http_methods(["GET", "HEAD"])
def audio(request: HttpRequest, recording: UUID) -> HttpResponse:
    asked = {name: request.headers[name] for name in ASKED if name in request.headers}
    sound = Callwright(request.user.member).audio(str(recording), asked)
    response = StreamingHttpResponse(
        sound.iter_content(CHUNK), status=sound.status_code, content_type="audio/wav"
    )
    for name in ANSWERED:
        if name in sound.headers:
            response.headers[name] = sound.headers[name]
    return response


@require_http_methods(["GET", "POST"])
def gateways(request: HttpRequest) -> HttpResponse:
    callwright, tested = Callwright(request.user.member), None
    form = GatewayForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            if "test" in request.POST:
                tested = callwright.test_gateway(form.wanted())
            else:
                callwright.put_gateway(form.cleaned_data["name"], form.wanted())
                messages.success(request, f"{form.cleaned_data['name']} is saved.")
                return redirect("gateways")
        except Problem as problem:
            form.blame(problem.field, problem.detail)
    told = {"gateways": callwright.gateways(), "form": form, "tested": tested}
    return render(request, "desk/gateways.html", told)
