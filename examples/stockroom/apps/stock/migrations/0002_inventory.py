"""The first inventory."""

from django.db import migrations

ITEMS = """
A1 | envelope-c4     | Envelopes C4, box of 250    | 20 | 34
A1 | envelope-c5     | Envelopes C5, box of 500    | 20 | 12
A2 | parcel-s        | Parcel boxes, small         | 50 | 180
A2 | parcel-m        | Parcel boxes, medium        | 50 | 95
A2 | parcel-l        | Parcel boxes, large         | 30 | 22
A3 | tape-brown      | Packing tape, brown         | 40 | 61
A3 | tape-clear      | Packing tape, clear         | 10 | 14
B1 | wrapping-blue   | Wrapping paper, blue        | 15 | 15
B1 | wrapping-stars  | Wrapping paper with stars   | 15 | 3
B1 | ribbon-red      | Ribbon, red                 | 5  | 9
B2 | bookmark-linen  | Bookmarks, linen            | 100 | 260
B2 | bag-cotton      | Cotton bags with our name   | 50 | 44
C1 | roll-receipt    | Receipt rolls               | 30 | 75
C1 | toner-black     | Toner, black                | 2  | 1
C2 | lamp-e27        | Lamps E27                   | 6  | 8
"""


def take_inventory(apps, schema_editor):
    item_model = apps.get_model("stock", "Item")
    movement_model = apps.get_model("stock", "Movement")
    for line in ITEMS.strip().splitlines():
        shelf, sku, name, minimum, stock = (part.strip() for part in line.split("|"))
        item = item_model.objects.create(shelf=shelf, sku=sku, name=name, minimum=int(minimum))
        movement_model.objects.create(item=item, quantity=int(stock), note="first inventory")


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.RunPython(take_inventory, migrations.RunPython.noop)]
