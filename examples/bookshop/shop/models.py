"""Books, their authors, and readers' suggestions."""

from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator
from django.db import models
from django.urls import reverse

LARGEST_PICTURE_BYTES = 5 * 1024 * 1024

is_picture = FileExtensionValidator(["jpg", "jpeg", "png", "webp"])


def is_small(file):
    """Refuse pictures above LARGEST_PICTURE_BYTES."""
    if file.size > LARGEST_PICTURE_BYTES:
        raise ValidationError("The picture is larger than 5 MB.")


class Author(models.Model):
    """Somebody who wrote books."""

    name = models.CharField(max_length=100, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the page with all books of this author."""
        return reverse("shop:author", args=[self.pk])


class Book(models.Model):
    """A title on the shelves."""

    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="books")
    year = models.PositiveSmallIntegerField("first published")
    price = models.DecimalField(max_digits=6, decimal_places=2)
    cover = models.FileField(upload_to="covers/", blank=True, validators=[is_picture, is_small])

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        """Return the page of this book."""
        return reverse("shop:book", args=[self.pk])


class Suggestion(models.Model):
    """A book that a reader misses, with a picture of it if there is one."""

    title = models.CharField(max_length=200)
    reason = models.TextField("why we should have it", blank=True)
    picture = models.FileField(upload_to="suggestions/", blank=True, validators=[is_picture, is_small])
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-made"]

    def __str__(self):
        return self.title
