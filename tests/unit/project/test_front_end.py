"""Which script of package.json builds what production serves."""

from __future__ import annotations

import pytest

from nuages.project.front_end import _script


@pytest.mark.parametrize(
    ("scripts", "found"),
    [
        ({"build": "vite build", "dev": "vite"}, "build"),
        # Where there is one for production, `build` is for development.
        ({"build": "webpack", "build:prod": "webpack --mode production"}, "build:prod"),
        ({"build-prod": "webpack", "build": "webpack"}, "build-prod"),
        (
            {"tailwind:build": "tailwindcss -i a -o b", "tailwind:watch": "tailwindcss --watch"},
            "tailwind:build",
        ),
        ({"build:css": "sass a b", "build:docs": "typedoc"}, "build:css"),
        # Two of a kind: neither is the whole.
        ({"build-stylus": "stylus a", "build-riot": "riot b"}, None),
        ({"start": "node server.js", "build:dev": "webpack"}, None),
        ({"rebuild": "npm rebuild"}, None),
        ({"build": ""}, None),
    ],
)
def test_the_script_for_production_is_taken(scripts: dict[str, str], found: str | None) -> None:
    assert _script(scripts) == found
