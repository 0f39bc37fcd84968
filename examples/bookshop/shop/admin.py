"""The shop in the admin."""

from django.contrib import admin

from shop.models import Author, Book, Suggestion


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    """Authors by name."""

    search_fields = ["name"]


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    """Books with their prices, editable in the list."""

    autocomplete_fields = ["author"]
    list_display = ["title", "author", "year", "price"]
    list_editable = ["price"]
    list_select_related = ["author"]
    search_fields = ["title", "author__name"]


@admin.register(Suggestion)
class SuggestionAdmin(admin.ModelAdmin):
    """What readers asked for, newest first."""

    list_display = ["title", "made"]
    readonly_fields = ["made"]
