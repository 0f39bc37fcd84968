"""The URLs of the heavy project: those of the light one, an API, a thumbnail, and a full collection on request."""

import gc
import io
import os

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from PIL import Image
from rest_framework import routers, serializers, viewsets

from measured.models import Record
from measured.urls import urlpatterns as light


class RecordSerializer(serializers.ModelSerializer):
    class Meta:
        model = Record
        fields = ("id", "title", "side", "seconds", "recorded")


class RecordViews(viewsets.ReadOnlyModelViewSet):
    queryset = Record.objects.order_by("id")
    serializer_class = RecordSerializer


def thumbnail(_request: HttpRequest) -> HttpResponse:
    """Answer with a small picture, as a shop's pages have many."""
    picture = Image.linear_gradient("L").convert("RGB")
    picture.thumbnail((64, 64))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return HttpResponse(data.getvalue(), content_type="image/png")


def signed(_request: HttpRequest) -> HttpResponse:
    """Answer with a signed address, which is all that pages need of boto3."""
    parameters = {"Bucket": "covers", "Key": "nuages.png"}
    return HttpResponse(settings.STORE.generate_presigned_url("get_object", Params=parameters))


def collect(_request: HttpRequest) -> HttpResponse:
    """Collect all garbage in this worker, and say which one it is."""
    gc.collect()
    return HttpResponse(str(os.getpid()))


router = routers.DefaultRouter()
router.register("records", RecordViews)
urlpatterns = [
    *light,
    path("api/", include(router.urls)),
    path("thumbnail/", thumbnail),
    path("signed/", signed),
    path("collect/", collect),
]
