"""Print what has to be ordered: cron mails it every morning."""

from django.core.management.base import BaseCommand
from django.db.models import F

from stock.models import Item


class Command(BaseCommand):
    """Print what has to be ordered."""

    help = "Print every item whose stock is below its minimum."

    def handle(self, **options):
        """Print a line for each."""
        for item in Item.objects.with_stock().filter(stock__lt=F("minimum")):
            self.stdout.write(f"{item.sku}\t{item.minimum - item.stock}\t{item.name}")
