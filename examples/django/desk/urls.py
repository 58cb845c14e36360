from django.urls import path

from . import views

urlpatterns = [
    path("", views.live, name="live"),
    path("follow", views.follow, name="follow"),
    path("calls", views.place, name="place"),
    path("calls/<uuid:call>/<str:order>", views.order, name="order"),
    path("recordings/", views.recordings, name="recordings"),
    path("recordings/<uuid:recording>/audio", views.audio, name="audio"),
    path("gateways/", views.gateways, name="gateways"),
]
