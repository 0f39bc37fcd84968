"""What the shop promises its visitors."""

import asyncio
import json
import tempfile
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import TestCase, override_settings

from shop.models import Book, Suggestion

PLAIN_STATIC = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@override_settings(STORAGES=PLAIN_STATIC)  # nothing is collected for a test
class ShopTests(TestCase):
    """The pages, over the books that the migrations bring."""

    def test_the_shelves_show_every_book(self):
        with self.assertNumQueries(1):
            page = self.client.get("/")
        self.assertGreater(Book.objects.count(), 50)
        self.assertContains(page, 'class="cover"', count=Book.objects.count())

    def test_a_search_finds_by_author(self):
        page = self.client.get("/", {"q": "melville"})
        self.assertContains(page, 'class="cover"', count=2)

    def test_a_book_costs_one_query(self):
        book = Book.objects.get(title="Emma")
        with self.assertNumQueries(1):
            page = self.client.get(book.get_absolute_url())
        self.assertContains(page, "by <a")
        self.assertEqual(self.client.get("/book/0/").status_code, 404)

    def test_an_author_is_served_asynchronously(self):
        emma = Book.objects.get(title="Emma")
        self.assertContains(self.client.get(emma.author.get_absolute_url()), 'class="cover"', count=5)

    def test_the_basket_counts_up_and_down(self):
        emma = Book.objects.get(title="Emma")
        for _ in range(2):
            self.client.post(f"/basket/{emma.pk}/")
        self.assertContains(self.client.get("/basket/"), "€ 19.80")
        self.client.post(f"/basket/{emma.pk}/", {"remove": ""})
        self.client.post(f"/basket/{emma.pk}/", {"remove": ""})
        self.assertContains(self.client.get("/basket/"), "It is empty")

    def test_a_suggestion_keeps_its_picture(self):
        with tempfile.TemporaryDirectory() as folder, self.settings(MEDIA_ROOT=folder):
            picture = SimpleUploadedFile("cover.png", b"\x89PNG\r\n\x1a\n")
            self.client.post("/suggest/", {"title": "Ulysses", "picture": picture})
            kept = Path(Suggestion.objects.get(title="Ulysses").picture.path)
            self.assertEqual(kept.parent, Path(folder, "suggestions"))

    def test_a_suggestion_takes_no_programs(self):
        script = SimpleUploadedFile("cover.html", b"<script>")
        self.assertContains(self.client.post("/suggest/", {"title": "X", "picture": script}), "not allowed")
        self.assertFalse(Suggestion.objects.exists())

    def test_the_export_has_a_row_for_every_book(self):
        rows = self.client.get("/export.csv").getvalue().decode().splitlines()
        self.assertEqual(rows[0], "title,author,year,price")
        self.assertEqual(len(rows), Book.objects.count() + 1)

    async def test_events_go_on_where_the_browser_stopped(self):
        response = await self.async_client.get("/events/", headers={"last-event-id": "41"})
        first = await asyncio.wait_for(anext(response.streaming_content), timeout=10)
        number, kind, data = first.decode().strip().split("\n")
        self.assertEqual((number, kind), ("id: 42", "event: book"))
        self.assertIn("title", json.loads(data.removeprefix("data: ")))
