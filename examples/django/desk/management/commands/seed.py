from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

from desk.models import Member


class Command(BaseCommand):
    help = "Adds a login for each user of the demo's tenants, all with the same password."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--password", required=True)

    @transaction.atomic
    def handle(self, *args, password: str, **options) -> None:
        for tenant in settings.CALLWRIGHT["tenants"].values():
            for person in tenant["users"]:
                login, _ = get_user_model().objects.get_or_create(username=person["user"])
                login.first_name = person["name"]
                login.set_password(password)
                login.save()
                known = {
                    "tenant": tenant["tenant"],
                    "name": person["user"],
                    "role": person["role"],
                    "extension": person["extension"],
                }
                Member.objects.update_or_create(login=login, defaults=known)
