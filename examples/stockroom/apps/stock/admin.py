"""The stockroom in the admin."""

from django.contrib import admin

from stock.models import Item, Movement


class MovementInline(admin.TabularInline):
    """Bookings on the item's page."""

    model = Movement
    extra = 1


@admin.register(Item)
class ItemAdmin(admin.ModelAdmin):
    """Items with their bookings."""

    inlines = [MovementInline]
    list_display = ["sku", "name", "shelf", "minimum"]
    search_fields = ["sku", "name"]
