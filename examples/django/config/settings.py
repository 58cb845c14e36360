"""Settings. What differs from place to place comes from the environment; `run` sets it."""

import json
import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL = Path(os.environ.get("DESK_LOCAL", BASE_DIR / ".local"))

DEBUG = os.environ.get("DESK_DEBUG") == "1"
# Without one, everybody has to log in again after a restart.
SECRET_KEY = os.environ.get("DESK_SECRET_KEY") or secrets.token_urlsafe(50)
ALLOWED_HOSTS = os.environ.get("DESK_HOSTS", "127.0.0.1,localhost").split(",")


def callwright() -> dict:
    """Where Callwright is, and the key of each tenant: what `callwright demo --keys FILE` writes."""
    path = os.environ.get("CALLWRIGHT_KEYS")
    told = json.loads(Path(path).read_text()) if path else {"api": "", "tenants": []}
    events = told["api"].replace("http", "ws", 1) + "/v1/events"
    return {
        "api": told["api"],
        # Browsers may reach it by another name than this server does.
        "events": os.environ.get("CALLWRIGHT_EVENTS", events),
        "tenants": {tenant["tenant"]: tenant for tenant in told["tenants"]},
    }


CALLWRIGHT = callwright()

INSTALLED_APPS = [
    "desk",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "desk.middleware.content_security_policy",
    "desk.middleware.Problems",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DESK_DATABASE", LOCAL / "desk.sqlite3"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 10},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "live"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
STATIC_URL = "static/"
STATIC_ROOT = LOCAL / "static"
USE_TZ = True
TIME_ZONE = "UTC"
