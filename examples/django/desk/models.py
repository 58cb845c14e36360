from django.conf import settings
from django.db import models


class Member(models.Model):
    """Who a login is to Callwright. Passwords are Django's affair; Callwright knows users only."""

    class Role(models.TextChoices):
        ADMIN = "admin"
        SUPERVISOR = "supervisor"
        AGENT = "agent"

    login = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="member"
    )
    tenant = models.SlugField()
    # Callwright's name of the user, for whom tokens are minted.
    name = models.CharField(max_length=127)
    role = models.CharField(max_length=16, choices=Role.choices)
    extension = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"{self.name} ({self.tenant})"

    @property
    def leads(self) -> bool:
        """Whether they may listen in, and see gateways and recordings. Callwright decides in the
        end; this says what is worth showing."""
        return self.role in (self.Role.ADMIN, self.Role.SUPERVISOR)

    @property
    def manages(self) -> bool:
        return self.role == self.Role.ADMIN

    @property
    def tenant_name(self) -> str:
        known = settings.CALLWRIGHT["tenants"].get(self.tenant, {})
        return known.get("name", self.tenant)
