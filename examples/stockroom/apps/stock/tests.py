"""What the stockroom must keep doing."""

from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import SimpleTestCase, TestCase

from stock.models import Item
from stockroom.database import from_url


class StockTests(TestCase):
    """The pages, over the first inventory."""

    def test_the_list_marks_what_is_short(self):
        page = self.client.get("/")
        self.assertContains(page, "<tr", count=Item.objects.count() + 1)
        self.assertContains(page, 'class="short"', count=5)

    def test_a_booking_changes_the_stock(self):
        self.client.force_login(User.objects.create(username="mara"))
        answer = self.client.post("/item/toner-black/book/", {"quantity": "4", "note": "delivery"})
        self.assertRedirects(answer, "/item/toner-black/")
        self.assertEqual(Item.objects.with_stock().get(sku="toner-black").stock, 5)

    def test_a_booking_needs_a_name(self):
        self.assertRedirects(
            self.client.post("/item/toner-black/book/", {"quantity": "4"}),
            "/admin/login/?next=/item/toner-black/book/",
        )

    def test_the_morning_mail_names_what_to_order(self):
        out = StringIO()
        call_command("reorder", stdout=out)
        self.assertIn("toner-black\t1\tToner, black\n", out.getvalue())
        self.assertContains(self.client.get("/report/"), "Toner, black: 1 of 2")


class DatabaseTests(SimpleTestCase):
    """DATABASE_URL."""

    def test_a_password_may_hold_any_character(self):
        database = from_url("mysql://shop:p%40ss%2Fword@db:3307/stock")
        self.assertEqual(database["PASSWORD"], "p@ss/word")
        self.assertEqual((database["HOST"], database["PORT"], database["NAME"]), ("db", 3307, "stock"))

    def test_an_unknown_scheme_is_an_error(self):
        with self.assertRaisesMessage(ValueError, "'oracle' is none of mysql, sqlite"):
            from_url("oracle://x")
