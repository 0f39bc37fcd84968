"""Items and movements."""

from django.db import migrations, models
import django.db.models.deletion
import stock.models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Item',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.SlugField(unique=True, verbose_name='article number')),
                ('name', models.CharField(max_length=120)),
                ('shelf', models.CharField(max_length=20)),
                ('minimum', models.PositiveIntegerField(default=0, help_text='order again below this number')),
            ],
            options={
                'ordering': ['shelf', 'sku'],
            },
        ),
        migrations.CreateModel(
            name='Movement',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.IntegerField(validators=[stock.models.is_some])),
                ('note', models.CharField(blank=True, max_length=120)),
                ('booked', models.DateTimeField(auto_now_add=True)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='movements', to='stock.item')),
            ],
            options={
                'ordering': ['-booked', '-pk'],
            },
        ),
    ]
