"""Lists, items and the report, as views of classes and functions mixed over the years."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import F
from django.shortcuts import get_object_or_404, render
from django.views.generic import CreateView, ListView

from stock.forms import MovementForm
from stock.models import Item, Movement


class ItemList(ListView):
    """Everything that lies here."""

    queryset = Item.objects.with_stock()


def item(request, sku):
    """Show one item with its last movements."""
    found = get_object_or_404(Item.objects.with_stock(), sku=sku)
    return render(request, "stock/item.html", {"item": found, "movements": found.movements.all()[:20]})


class Book(LoginRequiredMixin, CreateView):
    """Book goods in or out."""

    form_class = MovementForm
    template_name = "stock/book.html"

    def setup(self, request, *args, **kwargs):
        """Find the item."""
        super().setup(request, *args, **kwargs)
        self.item = get_object_or_404(Item, sku=kwargs["sku"])

    def get_context_data(self, **kwargs):
        """Show the item above the form."""
        return super().get_context_data(item=self.item, **kwargs)

    def form_valid(self, form):
        """Book it."""
        form.instance.item = self.item
        return super().form_valid(form)

    def get_success_url(self):
        """Go back to the item."""
        return self.item.get_absolute_url()


def report(request):
    """Show what has to be ordered, and everything that ever moved, all in memory as it always was."""
    return render(
        request,
        "stock/report.html",
        {
            "short": Item.objects.with_stock().filter(stock__lt=F("minimum")),
            "movements": list(Movement.objects.select_related("item")),
        },
    )
