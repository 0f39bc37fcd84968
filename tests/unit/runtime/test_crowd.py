"""What is said while collecting takes long."""

from __future__ import annotations

from collections import Counter

from nuages.runtime.crowd import Crowd


def _crowd() -> tuple[Crowd, list[tuple[str, str]], list[float]]:
    said: list[tuple[str, str]] = []
    now = [0.0]
    return Crowd(lambda *words: said.append(words), clock=lambda: now[0]), said, now


def test_the_folder_that_has_most_of_the_files_is_named_and_what_to_do_where_they_are_very_many() -> None:
    crowd, said, _ = _crowd()
    crowd.tell(Counter({"/shop/static": 30, "/shop/node_modules": 24_000}))
    crowd.tell(Counter({"/shop/static": 300, "/django/admin/static": 200}))
    crowd.tell(Counter())
    assert said == [
        (
            "collect",
            "collecting 24030 static files; 24000 of them are in /shop/node_modules, each copied, hashed and "
            "compressed: in STATICFILES_DIRS name only the folders that pages use",
        ),
        ("collect", "collecting 500 static files; 300 of them are in /shop/static"),
    ]


def test_how_far_it_is_is_a_line_of_its_own_now_and_then_for_logs_that_show_no_progress() -> None:
    crowd, said, now = _crowd()
    for now[0] in range(50):
        crowd.report("progress", f"at {now[0]:.0f} s")
    assert len([text for event, text in said if event == "progress"]) == 50
    assert [text for event, text in said if event == "collect"] == ["at 21 s", "at 42 s"]
    crowd.report("warning", "something else")
    assert said[-1] == ("warning", "something else")
