"""What lies where, and how it came and went."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.urls import reverse


class ItemQuerySet(models.QuerySet):
    """Items with their stock."""

    def with_stock(self):
        """Add `stock`, the sum of all movements."""
        return self.annotate(stock=Coalesce(Sum("movements__quantity"), 0))


class Item(models.Model):
    """Something on a shelf."""

    sku = models.SlugField("article number", unique=True)
    name = models.CharField(max_length=120)
    shelf = models.CharField(max_length=20)
    minimum = models.PositiveIntegerField(default=0, help_text="order again below this number")

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["shelf", "sku"]

    def __str__(self):
        return f"{self.sku} {self.name}"

    def get_absolute_url(self):
        """Return the item's page."""
        return reverse("item", args=[self.sku])


def is_some(quantity):
    """Refuse a movement of nothing."""
    if quantity == 0:
        raise ValidationError("A movement of nothing is none.")


class Movement(models.Model):
    """Goods that came in (positive) or went out (negative)."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="movements")
    quantity = models.IntegerField(validators=[is_some])
    note = models.CharField(max_length=120, blank=True)
    booked = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-booked", "-pk"]

    def __str__(self):
        return f"{self.quantity:+d} {self.item.sku}"
