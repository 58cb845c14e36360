from django import forms


class GatewayForm(forms.Form):
    name = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]{0,62}$",
        help_text="What flows call it, such as carrier.",
        error_messages={"invalid": "Small letters, digits, - and _."},
    )
    server = forms.CharField(max_length=255, help_text="Such as sip.provider.example.")
    username = forms.CharField(max_length=100, required=False, label="Account")
    password = forms.CharField(
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    transport = forms.ChoiceField(choices=[("udp", "UDP"), ("tcp", "TCP"), ("tls", "TLS")])
    register = forms.BooleanField(
        required=False, initial=True, label="The account registers", help_text=""
    )

    # Callwright names what is wrong as `settings.server`; here it is a field of that name.
    def blame(self, field: str | None, detail: str) -> None:
        name = (field or "").rpartition(".")[2]
        self.add_error(name if name in self.fields else None, detail)

    def wanted(self) -> dict:
        """The gateway as the API takes it."""
        data = self.cleaned_data
        settings = {name: data[name] for name in ("server", "transport", "register")}
        if data["username"]:
            settings["username"] = data["username"]
        password = {"password": data["password"]} if data["password"] else {}
        return {"settings": settings, **password}


class PlaceForm(forms.Form):
    to = forms.RegexField(
        r"^\+?[0-9]{2,20}$",
        label="Extension or number",
        error_messages={"invalid": "Digits, with at most a + before them."},
    )

    def goal(self) -> dict:
        to = self.cleaned_data["to"]
        return {"extension": to} if len(to) <= 4 else {"number": {"number": to}}
