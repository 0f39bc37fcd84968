"""What is said at the start about uploads, what `up` serves by itself, and folders that cannot be written to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.process.harness import serving
from tests.process.sites import talking, write_site

MODEL = """
INSTALLED_APPS += ["shop"]
"""
SETTINGS = """
MEDIA_ROOT = BASE.parent / "uploads"
MEDIA_URL = "/media/"
"""
PRIVATE = """
def protected(request, name):
    return HttpResponse(f"asked for {name}")


urlpatterns += [path("media/<path:name>", protected)]
"""
DJANGOS = """
from django.conf import settings
from django.views.static import serve

urlpatterns += [re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT})]
"""
CATCH_ALL = """
urlpatterns += [re_path(r"^(?P<name>.*)$", lambda request, name: HttpResponse(f"page {name}"))]
"""


def site(folder: Path, *, settings: str = SETTINGS, urls: str = "", model: bool = True) -> Path:
    project = write_site(folder, settings=settings + (MODEL if model else ""), urls=urls)
    (project / "shop").mkdir()
    (project / "shop" / "__init__.py").write_text("")
    (project / "shop" / "models.py").write_text(
        "from django.db import models\n\n\nclass Product(models.Model):\n    photo = models.FileField()\n"
    )
    return project


def said(project: Path, *arguments: str) -> list[str]:
    """Start the server and return what it says of uploads."""
    with serving(project, "--workers", "1", *arguments) as server:
        server.wait_for("ready")
        events = [seen["text"] for name in ("warning", "media") for seen in server.found(name)]
        assert server.stop() == 0
    return [text for text in events if text.startswith(("uploads", "/media/"))]


def test_uploads_that_nobody_serves_are_named(tmp_path: Path) -> None:
    project = site(tmp_path)
    assert said(project) == [
        f"uploads (shop.Product.photo) go to {project}/uploads, and nothing here serves them at /media/: "
        "--media on does; --media off where something in front does"
    ]
    assert said(project, "--media", "off") == []
    assert not (project / "uploads").exists()  # nothing is written where nothing was asked for


@pytest.mark.parametrize(
    "facts",
    [{"model": False}, {"urls": PRIVATE}, {"urls": DJANGOS}, {"settings": ""},
     {"settings": SETTINGS.replace('"/media/"', '"https://cdn.example/media/"')}],
    ids=["no file field", "own view", "Django's view", "no MEDIA_ROOT", "another host"],
)  # fmt: skip
def test_nothing_is_said_where_nothing_is_missing(tmp_path: Path, facts: dict[str, object]) -> None:
    assert said(site(tmp_path, **facts)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("urls", "status", "text"),
    [("", 200, "kept"), (DJANGOS, 200, "kept"), (CATCH_ALL, 200, "kept"), (PRIVATE, 200, "asked for a.txt")],
    ids=["nobody", "Django's view", "a view for everything", "own view"],
)
def test_auto_serves_unless_a_view_of_the_project_decides(
    tmp_path: Path, urls: str, status: int, text: str
) -> None:
    project = site(tmp_path, urls=urls)
    (project / "uploads").mkdir()
    (project / "uploads" / "a.txt").write_text("kept")
    with serving(project, "--workers", "1", "--media", "auto") as server:
        server.wait_for("ready")
        with talking(server.address) as talk:
            answer = talk.get("/media/a.txt")
        assert (answer.status, answer.text) == (status, text)
        assert ("content-security-policy" in answer.fields) is (text == "kept")
        (line,) = [seen["text"] for seen in server.found("media")]
    if text == "kept":
        assert line == f"uploads in {project}/uploads are served at /media/"
    else:
        assert line.endswith("the project's own view answers /media/: pages.urls.protected")


def test_a_folder_that_lies_nowhere_is_told_where_its_uploads_are(tmp_path: Path) -> None:
    nowhere = tmp_path / "data"
    project = site(tmp_path / "site", settings=SETTINGS + f"MEDIA_ROOT = {str(nowhere / 'media')!r}\n")
    line = f"uploads in {nowhere}/media are served at /media/"
    assert said(project, "--media", "auto") == [f"{line}; {nowhere} does not exist"]
    nowhere.mkdir()
    assert said(project, "--media", "auto") == [line]


def test_where_it_was_asked_for_uploads_come_before_the_projects_view_and_that_is_said(
    tmp_path: Path,
) -> None:
    project = site(tmp_path, urls=PRIVATE)
    warning, line = said(project, "--media", "on")
    assert warning == (
        f"/media/ is served from {project}/uploads before the project's own view there: pages.urls.protected"
    )
    assert line == f"uploads in {project}/uploads are served at /media/"


def refused(project: Path, *arguments: str, **more: object) -> str:
    with serving(project, "--media", "on", *arguments, **more) as server:  # type: ignore[arg-type]
        text = server.error()
        assert server.wait() == 1
    return text


def test_what_must_not_be_served_is_refused(tmp_path: Path) -> None:
    project = site(tmp_path, settings=SETTINGS.replace('BASE.parent / "uploads"', "BASE.parent"))
    assert refused(project) == (
        "error: the uploads cannot be served\n"
        "  --media on\n"
        f"  MEDIA_ROOT, {project}, holds the project itself, {project}\n"
        "\n"
        "hint: give uploads a folder of their own"
    )
    assert said(project, "--media", "auto") == [
        f"uploads are not served from {project}: MEDIA_ROOT, {project}, holds the project itself, {project}"
    ]


def test_a_database_among_the_uploads_is_not_given_out(tmp_path: Path) -> None:
    moved = '\nDATABASES["default"]["NAME"] = str(BASE.parent / "uploads" / "db.sqlite3")\n'
    project = site(tmp_path, settings=SETTINGS + moved)
    assert "holds the SQLite database" in refused(project)


@pytest.mark.parametrize(
    ("settings", "what", "hint"),
    [("", "there is no MEDIA_ROOT to serve",
      'MEDIA_ROOT = BASE_DIR / "media", and MEDIA_URL = "media/", in the settings'),
     (SETTINGS.replace('"/media/"', '"/"'), "the uploads cannot be served", 'MEDIA_URL = "media/" in the settings'),
     ('STORAGES = {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}, "staticfiles": '
      '{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}\n',
      "there are no local uploads to serve", "--media off: their URLs are those of that storage")],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_with_the_line_that_helps(
    tmp_path: Path, settings: str, what: str, hint: str
) -> None:
    text = refused(site(tmp_path, settings=settings))
    assert text.startswith(f"error: {what}\n")
    assert text.endswith(f"hint: {hint}")


def test_a_folder_that_cannot_be_made_keeps_the_server_from_starting(tmp_path: Path) -> None:
    project = site(tmp_path)
    (project / "uploads").write_text("a file where the folder should be")
    assert refused(project) == (
        "error: uploads cannot be stored\n"
        f"  MEDIA_ROOT: {project}/uploads\n"
        f"  File exists; the server runs as user {os.geteuid()}, group {os.getegid()}\n"
        "\n"
        "hint: give the user that the server runs as a folder it may write to, or a volume; --media off serves without"
    )
    assert any("cannot be stored" in text for text in said(project, "--media", "auto"))


FULL = 'mount -t tmpfs -o size=64k none "$UPLOADS" && head -c 1M /dev/zero > "$UPLOADS/all" 2>/dev/null; exec "$@"'


def test_a_full_disk_is_seen_at_the_start(tmp_path: Path) -> None:
    project = site(tmp_path)
    (project / "uploads").mkdir()
    wrapper = ("unshare", "--mount", "sh", "-c", FULL, "sh")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own, which only root may make")
    text = refused(project, wrapper=wrapper, environ={"UPLOADS": str(project / "uploads")})
    assert "No space left on device" in text
    assert text.startswith("error: uploads cannot be stored\n")


def test_a_read_only_volume_is_seen_at_the_start(tmp_path: Path) -> None:
    project = site(tmp_path)
    (project / "uploads").mkdir()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own, which only root may make")
    wrapper = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro none "$UPLOADS" && exec "$@"', "sh")
    text = refused(project, wrapper=wrapper, environ={"UPLOADS": str(project / "uploads")})
    assert "Read-only file system" in text


def test_an_upload_that_does_not_fit_the_disk_is_an_error_and_the_server_goes_on(tmp_path: Path) -> None:
    upload = """
from django.core.files.storage import default_storage


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    return HttpResponse(default_storage.url(default_storage.save(file.name, file)))


urlpatterns += [path("upload/", upload)]
"""
    project = site(tmp_path, urls=upload)
    (project / "uploads").mkdir()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own, which only root may make")
    wrapper = (
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=256k none "$UPLOADS" && exec "$@"',
        "sh",
    )
    with serving(
        project,
        "--workers",
        "1",
        "--media",
        "on",
        wrapper=wrapper,
        environ={"UPLOADS": str(project / "uploads")},
    ) as server:
        server.wait_for("ready")
        for size, status in ((100_000, 200), (500_000, 500), (50_000, 200)):
            body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n\r\n'
            body += bytes(size) + b"\r\n--b--\r\n"
            with talking(server.address) as talk:
                talk.send(
                    "POST /upload/ HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n", body,
                )  # fmt: skip
                answer = talk.answer()
                assert answer.status == status
                if status == 200:
                    assert talk.get(answer.text).body == bytes(size)
                else:  # Django leaves what it could write: it fills the disk
                    break
        assert server.get("/") == "hello"
