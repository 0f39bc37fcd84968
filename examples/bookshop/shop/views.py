"""The shop's pages: sync, async, streamed and live."""

import asyncio
import csv
import json
import time

from django.db.models import Q
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from shop.basket import Basket
from shop.forms import SuggestionForm
from shop.models import Author, Book

TICKER_EVENTS = 60
TICKER_SECONDS = 1


def book_list(request):
    """Show the whole shelf on one page, or what a search finds."""
    query = request.GET.get("q", "").strip()
    books = Book.objects.select_related("author")
    if query:
        books = books.filter(Q(title__icontains=query) | Q(author__name__icontains=query))
    return render(request, "shop/book_list.html", {"books": books, "query": query})


def book(request, pk):
    """Show one book: one query."""
    found = get_object_or_404(Book.objects.select_related("author"), pk=pk)
    return render(request, "shop/book.html", {"book": found})


async def author(request, pk):
    """Show an author's books, with the ORM's async methods."""
    try:
        found = await Author.objects.aget(pk=pk)
    except Author.DoesNotExist:
        raise Http404("No such author") from None
    books = [book async for book in found.books.all()]
    # The templates must not look these up lazily: a query there would block the event loop.
    context = {"author": found, "books": books, "user": await request.auser()}
    return render(request, "shop/author.html", context)


def basket(request):
    """Show the basket."""
    lines = Basket(request.session).lines()
    return render(request, "shop/basket.html", {"lines": lines, "total": sum(line.price for line in lines)})


@require_POST
def basket_change(request, pk):
    """Put a copy of a book into the basket, or take one out."""
    found = get_object_or_404(Book, pk=pk)
    Basket(request.session).add(found, -1 if "remove" in request.POST else 1)
    return redirect("shop:basket")


def suggest(request):
    """Take a reader's suggestion, with a picture."""
    form = SuggestionForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        form.save()
        return redirect("shop:thanks")
    return render(request, "shop/suggest.html", {"form": form})


def thanks(request):
    """Thank for a suggestion."""
    return render(request, "shop/thanks.html")


class Echo:
    """A file that gives back what is written to it, so that csv.writer can feed a stream."""

    def write(self, text):
        """Return the text."""
        return text


def export(request):
    """Stream the catalogue as CSV, one row at a time."""
    writer = csv.writer(Echo())
    books = Book.objects.select_related("author").iterator()

    def rows():
        yield writer.writerow(["title", "author", "year", "price"])
        for found in books:
            yield writer.writerow([found.title, found.author.name, found.year, found.price])

    return StreamingHttpResponse(
        rows(),
        content_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="bookshop.csv"'},
    )


async def events(request):
    """Send a book every second as server-sent events.

    The stream ends after a minute. The browser then connects again and says where it stopped, so that a
    visitor whose server is replaced moves on to the new one.
    """
    try:
        last = int(request.headers.get("Last-Event-ID", 0))
    except ValueError:
        last = 0
    books = [found async for found in Book.objects.select_related("author").order_by("pk")]

    async def stream():
        for number in range(last + 1, last + 1 + TICKER_EVENTS if books else 0):
            found = books[number % len(books)]
            data = json.dumps(
                {"title": found.title, "author": found.author.name, "url": found.get_absolute_url()}
            )
            yield f"id: {number}\nevent: book\ndata: {data}\n\n"
            await asyncio.sleep(TICKER_SECONDS)

    return StreamingHttpResponse(
        stream(), content_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def plain(request):
    """Answer with as little work as Django can do."""
    return HttpResponse("Good morning!\n", content_type="text/plain")


def slow(request):
    """Wait 50 ms, as a view does that asks the wholesaler whether a book is in stock."""
    time.sleep(0.05)
    return HttpResponse("The wholesaler has it.\n", content_type="text/plain")
