from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from .callwright import Problem
from .models import Member


def content_security_policy(get_response: Callable) -> Callable:
    """Nothing comes from elsewhere; events alone come from Callwright."""
    events = urlsplit(settings.CALLWRIGHT["events"])
    connect = f"'self' {events.scheme}://{events.netloc}" if events.netloc else "'self'"
    policy = f"default-src 'self'; connect-src {connect}; frame-ancestors 'none'; base-uri 'none'"

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = policy
        return response

    return middleware


class Problems:
    """What Callwright did not do is told with its own status and in its own words: another tenant's
    call is not found here either."""

    def __init__(self, get_response: Callable) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, Member.DoesNotExist):
            error = Problem(403, "This login belongs to no tenant.")
        if not isinstance(error, Problem):
            return None
        told = {"problem": error.detail, "status": error.status}
        if request.accepts("text/html"):
            return render(request, "desk/problem.html", told, status=error.status)
        return JsonResponse(told, status=error.status)
