"""What is said while collecting takes long."""

from __future__ import annotations

from collections import Counter

from nuages.runtime.progress import Progress


def _progress() -> tuple[Progress, list[tuple[str, str]], list[float]]:
    said: list[tuple[str, str]] = []
    now = [0.0]
    return Progress(lambda *words: said.append(words), clock=lambda: now[0]), said, now


def test_the_folder_that_has_most_of_the_files_is_named_and_what_to_do_where_they_are_very_many() -> None:
    progress, said, _ = _progress()
    progress.tell(Counter({"/shop/static": 30, "/shop/node_modules": 24_000}))
    progress.tell(Counter({"/shop/static": 300, "/django/admin/static": 200}))
    progress.tell(Counter())
    assert said == [
        (
            "collecting",
            "collecting 24030 static files; 24000 of them are in /shop/node_modules, each copied, hashed and "
            "compressed: in STATICFILES_DIRS name only the folders that pages use",
        ),
        ("collecting", "collecting 500 static files; 300 of them are in /shop/static"),
    ]


def test_how_far_it_is_is_a_line_of_its_own_now_and_then_for_logs_that_show_no_progress() -> None:
    progress, said, now = _progress()
    for now[0] in range(50):
        progress.report("progress", f"at {now[0]:.0f} s")
    assert len([text for event, text in said if event == "progress"]) == 50
    assert [text for event, text in said if event == "collecting"] == ["at 21 s", "at 42 s"]
    progress.report("warning", "something else")
    assert said[-1] == ("warning", "something else")
