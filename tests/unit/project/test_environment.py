"""What the settings read: each way of reading, what it needs, and what turns DEBUG off."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from nuages.errors import Origin
from nuages.project import settings_source
from nuages.project.model import Variable, VariableKind
from nuages.project.tree import Tree

MakeTree = Callable[[dict[str, str]], Tree]


def variables(tree: Tree, environ: Mapping[str, str] | None = None) -> dict[str, Variable]:
    source = settings_source.read(tree, "settings.py", (".",), environ or {})
    return {variable.name: variable for variable in source.variables}


REQUIRED = [
    ("import os\nX = os.environ['X']", "os.environ"),
    ("from os import environ\nX = environ['X']", "os.environ"),
    ("import os as system\nX = system.environ['X']", "os.environ"),
    ("import os\nX = os.environ.get('X').split(' ')", "os.environ"),
    ("import os\nx = os.environ.get('X')\nY = x.lower()", "os.environ"),
    ("import os\nX = int(os.environ.get('X'))", "os.environ"),
    ("import os\nX = int(os.getenv('X', None))", "os.environ"),
    ("import os\nX = os.path.join('/srv', os.environ.get('X'))", "os.environ"),
    ("import os\nX = 'redis://' + os.environ.get('X')", "os.environ"),
    ("import os\nX = [h for h in os.environ.get('X')]", "os.environ"),
    ("import os\nX = ['a', *os.environ.get('X')]", "os.environ"),
    ("import os\nX = 'a' in os.environ.get('X')", "os.environ"),
    ("import os\nfrom pathlib import Path\nX = Path(os.environ.get('X'))", "os.environ"),
    ("import os\nSECRET_KEY = os.environ.get('X')", "os.environ"),
    ("import os\nSECRET_KEY = os.environ.get('X', '')", "os.environ"),
    ("import os\nALLOWED_HOSTS = os.environ.get('X')", "os.environ"),
    ("import os\nif 'X' in os.environ:\n    SECRET_KEY = os.environ['X']", "os.environ"),
    ("import os\nif os.getenv('X'):\n    SECRET_KEY = os.getenv('X')", "os.environ"),
    ("import os\nenv = os.environ.copy()\nif 'X' in env:\n    SECRET_KEY = env['X']", "os.environ"),
    ("import os\nx = os.environ.get('X')\nif not x:\n    raise RuntimeError('X is needed')", "os.environ"),
    ("import os\nassert os.environ.get('X')", "os.environ"),
    ("import os\nassert 'X' in os.environ", "os.environ"),
    ("import os, sys\nif 'X' not in os.environ:\n    sys.exit(1)", "os.environ"),
    ("import os\nif not False:\n    X = os.environ['X']", "os.environ"),
    ("import os\nX = {**os.environ}['X'] if False else os.environ['X']", "os.environ"),
    ("import os\ntry:\n    X = os.environ['X']\nexcept KeyError:\n    raise RuntimeError('X')", "os.environ"),
    ("import os\nfor name in ('X', 'Y'):\n    globals()[name] = os.environ[name]", "os.environ"),
    ("import os\nd = os.environ.copy()\nX = d['X']", "os.environ"),
    ("import os\ndef need(name):\n    return os.environ[name]\nX = need('X')", "os.environ"),
    ("import os\nneed = lambda name: os.environ[name]\nX = need('X')", "os.environ"),
    ("import environ\nenv = environ.Env()\nX = env('X')", "django-environ"),
    ("import environ\nenv = environ.Env(DEBUG=(bool, False))\nX = env.str('X')", "django-environ"),
    ("from environ import Env\nenv = Env(X=bool)\nX = env('X')", "django-environ"),
    ("import environ\nenv = environ.Env()\nX = env.db('X')", "django-environ"),
    ("from environs import Env\nenv = Env()\nX = env.int('X')", "environs"),
    ("from environs import env\nX = env.str('X')", "environs"),
    ("from epicenv import Env\nenv = Env()\nX = env('X')", "environs"),
    ("from decouple import config\nX = config('X')", "python-decouple"),
    ("from decouple import config as c, Csv\nX = c('X', cast=Csv())", "python-decouple"),
    ("from starlette.config import Config\nconfig = Config()\nX = config('X', cast=str)", "starlette"),
    (
        "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: str\nS()",
        "pydantic-settings",
    ),
    (
        "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: str | None\nS()",
        "pydantic-settings",
    ),
    (
        "from configurations import Configuration, values\nclass Dev(Configuration):\n"
        "    A = values.SecretValue(environ_name='X', environ_prefix='')",
        "django-configurations",
    ),
]


@pytest.mark.parametrize(("source", "reader"), REQUIRED, ids=[source for source, _ in REQUIRED])
def test_a_variable_without_which_the_settings_fail_is_required(
    source: str, reader: str, tree: MakeTree
) -> None:
    found = variables(tree({"settings.py": source}))
    assert found["X"].required
    assert found["X"].reader == reader


def test_the_variable_that_turns_debug_off_is_required_where_nothing_loads_without_it(tree: MakeTree) -> None:
    source = "import os\nDEBUG = os.environ.get('X').lower() == 'true'\n"
    assert variables(tree({"settings.py": source}))["X"].required
    source = "import os\nDEBUG = os.environ.get('X', 'true').lower() == 'true'\n"
    assert not variables(tree({"settings.py": source}))["X"].required


@pytest.mark.parametrize("kind", ["DictValue", "ListValue", "TupleValue", "SetValue"])
def test_a_collection_of_django_configurations_is_empty_where_nothing_is_given(
    kind: str, tree: MakeTree
) -> None:
    method = {"DictValue": "get('a')", "ListValue": "index", "TupleValue": "index", "SetValue": "union"}[kind]
    source = (
        "from configurations import Configuration, values\nclass Dev(Configuration):\n"
        f"    A = values.{kind}(environ_name='X', environ_prefix=None)\n    B = A.{method}\n"
    )
    assert not variables(tree({"settings.py": source}))["X"].required


def test_a_value_of_django_configurations_with_a_name_of_its_own_is_read_wherever_it_stands(
    tree: MakeTree,
) -> None:
    source = (
        "from configurations import Configuration, values\nclass Base(Configuration):\n"
        "    DATABASES = {'default': {'HOST': values.Value('db', environ_name='DB_HOST', environ_prefix=None)}}\n"
    )
    found = variables(tree({"settings.py": source}))["DB_HOST"]
    assert (found.reader, found.default, found.required) == ("django-configurations", "'db'", False)


OPTIONAL = [
    ("import os\nX = os.environ.get('X', 'a')", "'a'"),
    ("import os\nX = os.getenv('X')", None),
    ("import os\nSECRET_KEY = 'a'\nif 'X' in os.environ:\n    SECRET_KEY = os.environ['X']", None),
    ("import os\nif 'X' in os.environ:\n    SECRET_KEY = os.environ['X']\nelse:\n    SECRET_KEY = made()", None),
    ("import os\nif os.getenv('VAULT'):\n    SECRET_KEY = os.environ['X']", None),
    ("import os\nif 'X' in os.environ:\n    ADMINS = os.environ['X']", None),
    ("import os\nX = os.environ.get('X') or 'b'", "'b'"),
    ("import os\nX = (os.environ.get('X') or 'b').split(',')", "'b'"),
    ("import os\nX = os.environ.get('X', 'a b').split()", "'a b'"),
    ("import os\nX = int(os.environ.get('X', 5))", "5"),
    ("import os\nX = bool(os.environ.get('X'))", None),
    ("import os\nX = f\"redis://{os.environ.get('X')}\"", None),
    ("import os\nif 'X' in os.environ:\n    X = os.environ['X']", None),
    ("import os\nif os.environ.get('X'):\n    Y = os.environ['X'].split()", None),
    ("import os\nX = os.environ['X'] if 'X' in os.environ else 'c'", None),
    ("import os\ntry:\n    X = os.environ['X']\nexcept KeyError:\n    X = 'd'", None),
    ("import os\ntry:\n    X = int(os.environ.get('X'))\nexcept (TypeError, ValueError):\n    X = 5", None),
    ("import os\nfrom contextlib import suppress\nwith suppress(KeyError):\n    X = os.environ['X']", None),
    ("import os, sys\nif 'test' in sys.argv:\n    X = os.environ['X']", None),
    ("import os\ndef never():\n    return os.environ['X']\nY = os.environ.get('X')", None),
    ("import os\nos.environ.setdefault('X', 'e')\nX = os.environ['X']", "'e'"),
    ("import os\nos.environ.setdefault('X', str(os.getuid()))\nX = int(os.environ['X'])", "str(os.getuid())"),
    ("import os\nos.environ['X'] = 'f'\nX = os.environ['X']", None),
    ("import os\nos.environ['X'] = str(os.getuid())\nX = os.environ['X']", None),
    ("import os\ndef env(name, default=None):\n    return os.environ.get(name, default)\nX = env('X', 'g')", "'g'"),
    (
        "import os\ndef env(name, default=None):\n    try:\n        return os.environ[name]\n    except KeyError:\n"
        "        if default is not None:\n            return default\n        raise\nX = env('X', default='h')",
        "'h'",
    ),
    ("import environ\nenv = environ.Env(X=(bool, False))\nX = env('X')", "False"),
    ("import environ\nenv = environ.Env()\nX = env('X', default='i')", "'i'"),
    ("import environ as e\nenv = e.Env()\nenv.prefix = 'NO_'\nA = env('B', default=1)\nenv.prefix = ''\n"
     "A = env('X', default=1)",
     "1"),
    ("import os, sys\nif sys.argv[1:2] == ['test']:\n    A = os.environ['X']\nX = os.environ.get('X', 'i')", "'i'"),
    ("import environ\nenv = environ.Env()\nX = env.bool('X', True)", "True"),
    ("import environ\nenv = environ.Env()\nX = env.list('X', default=['a'])", "['a']"),
    ("from decouple import config\nX = config('X', default=5, cast=int)", "5"),
    ("from decouple import config\nX = config('X', 'j')", "'j'"),
    ("from environs import Env\nenv = Env()\nX = env.bool('X', False)", "False"),
    ("import dj_database_url\nDATABASES = {'default': dj_database_url.config(env='X', default='sqlite:///a')}",
     "'sqlite:///a'"),
    ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: int = 5", "5"),
    ("from pydantic import BaseSettings, Field\nclass S(BaseSettings):\n    a: str = Field('k', env='X')", "'k'"),
    ("from pydantic import BaseSettings\nclass S(BaseSettings):\n    x: str | None", "None"),
    (
        "from pydantic import BaseSettings\nclass S(BaseSettings):\n    h: int = 5\n    class Config:\n"
        "        env_prefix = 'SHOP_'\n        fields = {'h': {'env': 'X'}}",
        "5",
    ),
    (
        "from pydantic import BaseSettings, Field\nclass S(BaseSettings):\n    x: list = Field(default_factory=list)",
        "[]",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "default"), OPTIONAL, ids=[source for source, _ in OPTIONAL])
def test_a_variable_that_may_be_absent_is_not_required(
    source: str, default: str | None, tree: MakeTree
) -> None:
    found = variables(tree({"settings.py": source}))
    assert not found["X"].required
    assert found["X"].default == default


def test_a_variable_is_named_with_the_line_that_reads_it(tree: MakeTree) -> None:
    source = """
        import os

        def need(name):
            return os.environ[name]

        FIRST = need("FIRST")
        SECOND = os.environ["SECOND"]
        """
    found = variables(tree({"settings.py": source}))
    assert found["FIRST"].origin == Origin("settings.py", 6)
    assert found["SECOND"].origin == Origin("settings.py", 7)


def test_a_read_under_a_condition_is_required_only_where_the_condition_holds(tree: MakeTree) -> None:
    source = """
        import os
        DEBUG = os.environ.get("DEBUG", "1") == "1"
        if not DEBUG:
            SECRET_KEY = os.environ["SECRET_KEY"]
        if os.environ.get("USE_S3") == "1":
            AWS_KEY = os.environ["AWS_KEY"]
        if something():
            OTHER = os.environ["OTHER"]
        """
    files = tree({"settings.py": source})
    found = variables(files)
    assert found["SECRET_KEY"].required, "what is served is served with DEBUG off"
    assert found["SECRET_KEY"].condition == "not DEBUG"
    assert not found["AWS_KEY"].required
    assert found["AWS_KEY"].condition == "os.environ.get('USE_S3') == '1'"
    assert not found["OTHER"].required
    assert variables(files, {"USE_S3": "1"})["AWS_KEY"].required


def test_one_of_two_ways_to_name_the_database_is_enough(tree: MakeTree) -> None:
    source = """
        import os, environ
        env = environ.Env()
        if os.getenv("DATABASE_URL", default=None):
            DATABASES = {"default": env.db("DATABASE_URL")}
        else:
            DATABASES = {"default": {"NAME": env.str("POSTGRES_DB")}}
        """
    files = tree({"settings.py": source})
    assert variables(files)["POSTGRES_DB"].required
    assert not variables(files)["DATABASE_URL"].required
    assert not variables(files, {"DATABASE_URL": "postgres://a"})["POSTGRES_DB"].required


def test_modules_that_the_settings_import_from_the_project_are_read_too(tree: MakeTree) -> None:
    files = {
        "settings.py": "from config.base import *\nfrom config import env\nfrom config.tools import get\nX = get('X')",
        "config/__init__.py": "",
        "config/base.py": "import os\nA = os.environ['A']\nfrom .more import *",
        "config/more.py": "import os\nB = os.environ['B']",
        "config/env.py": "import os\nC = os.environ['C']",
        "config/tools.py": "import os\ndef get(name):\n    return os.environ[name]",
        "config/unused.py": "import os\nD = os.environ['D']",
    }
    found = variables(tree(files))
    assert sorted(found) == ["A", "B", "C", "X"]
    assert all(variable.required for variable in found.values())
    assert found["B"].origin == Origin("config/more.py", 2)


def test_split_settings_are_followed(tree: MakeTree) -> None:
    files = {
        "settings.py": "from split_settings.tools import include, optional\n"
        "include('parts/*.py', optional('local.py'))",
        "parts/one.py": "import os\nA = os.environ['A']",
        "parts/two.py": "B = A + 'b'\nINSTALLED_APPS = ['a']",
    }
    source = settings_source.read(tree(files), "settings.py", (".",), {"A": "a"})
    assert [variable.name for variable in source.variables] == ["A"]
    assert {one.name: one.value for one in source.assignments} == {
        "A": "a",
        "B": "ab",
        "INSTALLED_APPS": ["a"],
    }
    assert source.files == ("settings.py", "parts/one.py", "parts/two.py")


SPLIT = """\
from os import environ
from split_settings.tools import include, optional
{}
include("parts/common.py", f"stages/{{STAGE}}.py", optional("stages/local.py"))
"""


@pytest.mark.parametrize(
    ("stage", "off"),
    [
        ("environ.setdefault('STAGE', 'development')\nSTAGE = environ['STAGE']", "production"),
        ("STAGE = environ.get('STAGE') or 'development'", "production"),
        ("STAGE = environ.get('STAGE', 'production')", None),
    ],
)
def test_a_variable_that_chooses_a_file_of_split_settings_is_what_turns_debug_off(
    stage: str, off: str | None, tree: MakeTree
) -> None:
    files = {
        "settings.py": SPLIT.format(stage),
        "parts/common.py": "A = 1",
        "stages/development.py": "DEBUG = True",
        "stages/aws.py": "DEBUG = False",
        "stages/production.py": "DEBUG = False\nHOST = 'shop'",
    }
    source = settings_source.read(tree(files), "settings.py", (".",), {})
    assert source.debug is not None
    assert (source.debug.variable, source.debug.off) == ("STAGE", off)
    found = {one.name: (one.value, one.variables) for one in source.assignments}
    assert found["HOST"] == ("shop", ("STAGE",))
    assert found["A"] == (1, ())
    assert not any(variable.is_missing for variable in source.variables)


def test_a_prefix_is_part_of_the_name(tree: MakeTree) -> None:
    source = """
        from environs import Env
        env = Env()
        with env.prefixed("SHOP_"):
            A = env("A")
        B = env("B")
        """
    assert sorted(variables(tree({"settings.py": source}))) == ["B", "SHOP_A"]


def test_a_variable_of_a_dotenv_file_that_is_loaded_is_given(tree: MakeTree) -> None:
    files = {
        "settings.py": "import os\nfrom dotenv import load_dotenv\nload_dotenv()\n"
        "X = os.environ['X']\nY = os.environ['Y']",
        ".env": "# secrets\nexport X='a b' # said\n",
    }
    found = variables(tree(files))
    assert (found["X"].required, found["X"].given) == (False, Origin(".env", 2))
    assert (found["Y"].required, found["Y"].given) == (True, None)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        ("os.environ.get('SECRET_KEY')", VariableKind.SECRET),
        ("os.environ.get('STRIPE_API_KEY')", VariableKind.SECRET),
        ("os.environ.get('AZURE_ACCOUNT_KEY')", VariableKind.SECRET),
        ("os.environ.get('SHOP_DBPASS')", VariableKind.SECRET),
        ("env.list('SECRET_KEY_FALLBACKS', default=[])", VariableKind.SECRET),
        ("env.list('HEALTH_CHECK_TOKENS')", VariableKind.SECRET),
        # A secret's word, and no secret.
        ("os.environ.get('CORS_ALLOW_CREDENTIALS')", VariableKind.BOOL),
        ("os.environ.get('DB_PASSWORD_FILE')", VariableKind.PATH),
        ("os.environ.get('GOOGLE_APPLICATION_CREDENTIALS')", VariableKind.PATH),
        ("os.environ.get('OIDC_OP_TOKEN_ENDPOINT')", VariableKind.URL),
        ("os.environ.get('ENCRYPTION_KEY_TYPE', 'RSA')", VariableKind.TEXT),
        ("os.environ.get('RATE_LIMIT_CREDENTIALS', '100/5m')", VariableKind.TEXT),
        ("os.environ.get('TOKEN_THROTTLE_RATE', '5/min')", VariableKind.TEXT),
        ("env.list('TOKEN_AUTH_AUDIENCE')", VariableKind.LIST),
        ("os.environ.get('REDIS_URL')", VariableKind.URL),
        ("os.environ.get('ALLOWED_HOSTS', '').split(',')", VariableKind.HOSTS),
        ("os.environ.get('COLOURS', '').split(',')", VariableKind.LIST),
        ("os.environ.get('FLAG') == 'True'", VariableKind.BOOL),
        ("os.environ.get('FLAG', '').lower() in ('1', 'true')", VariableKind.BOOL),
        ("os.environ.get('DEBUG')", VariableKind.BOOL),
        ("int(os.environ.get('LIFE', 1))", VariableKind.INTEGER),
        ("os.environ.get('DB_PORT')", VariableKind.INTEGER),
        ("os.environ.get('MEDIA_ROOT')", VariableKind.PATH),
        ("os.environ.get('DB_HOST')", VariableKind.TEXT),
        ("env.bool('WHATEVER')", VariableKind.BOOL),
        ("env.list('WHATEVER')", VariableKind.LIST),
        ("env.db()", VariableKind.URL),
        ("env('WHATEVER')", VariableKind.TEXT),
    ],
)
def test_the_kind_is_told_by_the_reader_and_then_by_the_name(
    read: str, kind: VariableKind, tree: MakeTree
) -> None:
    source = f"import os, environ\nenv = environ.Env()\nVALUE = {read}\n"
    (found,) = variables(tree({"settings.py": source})).values()
    assert found.kind is kind


@pytest.mark.parametrize(
    ("debug", "variable", "off"),
    [
        ("os.environ.get('DEBUG') == 'True'", "DEBUG", None),
        ("os.environ.get('DEBUG', 'True') == 'True'", "DEBUG", "False"),
        ("bool(int(os.environ.get('DEBUG', 1)))", "DEBUG", "0"),
        ("os.environ.get('DEBUG', 'on').lower() in ('on', 'true')", "DEBUG", "False"),
        ("bool(os.environ.get('DEBUG', 'yes'))", "DEBUG", ""),
        ("env.bool('SHOP_DEBUG', default=True)", "SHOP_DEBUG", "False"),
        ("env.bool('SHOP_DEBUG')", "SHOP_DEBUG", "False"),
        ("os.getenv('DEBUG') != 'FALSE'", "DEBUG", "FALSE"),
        ("os.getenv('STAGE', 'test') not in ('live', 'staging')", "STAGE", "live"),
        ("(stage := os.getenv('STAGE')) != 'live'", "STAGE", "live"),
        ("os.environ.get('STAGE', 'dev') == 'dev'", "STAGE", "False"),
        ("not os.environ.get('PRODUCTION')", "PRODUCTION", "True"),
        ("config('DEBUG', default=True, cast=bool)", "DEBUG", "False"),
        (
            "(lambda a: a if isinstance(a, (bool, int)) else a == 'True')(os.getenv('DEBUG', True))",
            "DEBUG",
            "False",
        ),
        (
            "(lambda a: a == 'True' if isinstance(a, str) else a)(os.getenv('DEBUG', 'True'))",
            "DEBUG",
            "False",
        ),
    ],
)
def test_what_turns_debug_off_is_found_out(
    debug: str, variable: str, off: str | None, tree: MakeTree
) -> None:
    source = f"import os, environ\nfrom decouple import config\nenv = environ.Env()\nDEBUG = {debug}\n"
    found = settings_source.read(tree({"settings.py": source}), "settings.py", (".",), {})
    assert found.debug is not None
    assert (found.debug.variable, found.debug.off) == (variable, off)
    assert found.debug.origin == Origin("settings.py", 4)


@pytest.mark.parametrize(
    ("statements", "variable", "off"),
    [
        ("DEBUG = False\nif os.getenv('DEV'):\n    DEBUG = True", "DEV", None),
        ("DEBUG = True\nif os.getenv('PRODUCTION'):\n    DEBUG = False", "PRODUCTION", "True"),
        ("DEBUG = True\nif 'DYNO' in os.environ:\n    DEBUG = False", "DYNO", "False"),
        ("if os.getenv('STAGE') == 'live':\n    DEBUG = False\nelse:\n    DEBUG = True", "STAGE", "live"),
        ("if os.getenv('X') == 'a':\n    DEBUG = True\nelif os.getenv('X') == 'b':\n    DEBUG = False\n"
         "else:\n    DEBUG = True", "X", "b"),
        ("if os.getenv('STAGE', 'dev') in ('dev', 'test'):\n    if True:\n        DEBUG = True\n"
         "else:\n    DEBUG = False", "STAGE", "False"),
    ],
)  # fmt: skip
def test_a_condition_around_debug_turns_it_off(
    statements: str, variable: str, off: str | None, tree: MakeTree
) -> None:
    source = f"import os\nOTHER = os.getenv('OTHER')\n{statements}\nif OTHER:\n    X = 1\n"
    found = settings_source.read(tree({"settings.py": source}), "settings.py", (".",), {})
    assert found.debug is not None
    assert (found.debug.variable, found.debug.off) == (variable, off)


def test_a_variable_that_says_more_is_given_no_value_that_it_cannot_have(tree: MakeTree) -> None:
    source = "import os\nDEBUG = True\nif {test}:\n    DEBUG = False\nSITE_NAME = os.getenv('HOST')\n"
    for test, off in (("os.getenv('HOST')", None), ("os.getenv('HOST') == 'a.example'", "a.example")):
        found = settings_source.read(
            tree({"settings.py": source.format(test=test)}), "settings.py", (".",), {}
        )
        assert (found.debug.off if found.debug else None) == off


def test_what_production_settings_refuse_to_be_without_is_required_whatever_the_base_has(
    tree: MakeTree,
) -> None:
    files = {
        "base.py": "import os\nKEY = os.environ.get('KEY', 'for development')\n",
        "production.py": "import os\nfrom base import *\nKEY = os.environ.get('KEY', None)\n"
        "if KEY is None:\n    raise ValueError('give KEY')\n",
    }
    found = settings_source.read(tree(files), "production.py", (".",), {})
    assert [(each.name, each.required) for each in found.variables] == [("KEY", True)]


def test_a_field_of_a_settings_class_turns_debug_off_from_another_module(tree: MakeTree) -> None:
    fields = """
        from pydantic_settings import BaseSettings, SettingsConfigDict
        class Fields(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="SHOP_")
            DEBUG: bool = True
            HOSTS: list[str] = []
        fields = Fields()
    """
    files = {
        "fields.py": fields,
        "settings.py": "from fields import fields\nDEBUG = fields.DEBUG\nALLOWED_HOSTS = fields.HOSTS\n",
    }
    found = settings_source.read(tree(files), "settings.py", (".",), {})
    assert found.debug is not None
    assert (found.debug.variable, found.debug.off) == ("SHOP_DEBUG", "False")
    given = settings_source.read(
        tree(files), "settings.py", (".",), {"SHOP_HOSTS": '["a.example", "b.example"]'}
    )
    (hosts,) = [each for each in given.assignments if each.name == "ALLOWED_HOSTS"]
    assert (hosts.value, hosts.variables) == (["a.example", "b.example"], ("SHOP_HOSTS",))


@pytest.mark.parametrize("debug", ["True", "False", "bool(something())"])
def test_without_a_variable_nothing_turns_debug_off(debug: str, tree: MakeTree) -> None:
    assert (
        settings_source.read(tree({"settings.py": f"DEBUG = {debug}\n"}), "settings.py", (".",), {}).debug
        is None
    )


def test_settings_are_worked_out_as_far_as_reading_tells(tree: MakeTree) -> None:
    source = """
        import os
        from pathlib import Path
        BASE_DIR = Path(__file__).resolve().parent
        DEBUG = True
        STATIC_ROOT = BASE_DIR / "collected"
        MEDIA_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "media")
        INSTALLED_APPS = ["a"] + ["b"]
        INSTALLED_APPS += ["c"]
        INSTALLED_APPS.append("d")
        MIDDLEWARE = ["one", "three"]
        MIDDLEWARE.insert(1, "two")
        if DEBUG:
            MIDDLEWARE.append("debug")
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": unknown()}}
        DATABASES["default"]["HOST"] = "db"
        LIMIT = 2 * 1024 * 1024
        NAME: str = f"{LIMIT // 1024}k"
        """
    found = settings_source.read(tree({"settings.py": source}), "settings.py", (".",), {})
    values = {one.name: one.value for one in found.assignments}
    assert values == {
        "BASE_DIR": ".",
        "DEBUG": True,
        "STATIC_ROOT": "collected",
        "MEDIA_ROOT": "media",
        "INSTALLED_APPS": ["a", "b", "c", "d"],
        "MIDDLEWARE": ["one", "two", "three", "debug"],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": None, "HOST": "db"}},
        "LIMIT": 2097152,
        "NAME": "2048k",
    }
    known = {one.name for one in found.assignments if one.is_known}
    assert known == set(values) - {"DATABASES"}
    (debug,) = (one for one in found.assignments if one.name == "DEBUG")
    assert (debug.is_literal, debug.literal, debug.text) == (True, True, "True")
    assert debug.origin == Origin("settings.py", 4)


@pytest.mark.parametrize(
    "source",
    [
        "X = 'a' * 10 ** 9",
        "X = [0] * 10 ** 9",
        "X = 10 ** 10 ** 10",
        "X = '%0999999999d' % 1",
        "X = '{:999999999}'.format(1)",
        "X = 1\nwhile True:\n    X = X * X",
        "def f(n):\n    return f(n) + f(n)\nX = f(1)",
        "X = ['a']\nfor i in range(1000):\n    X = X + X",
        "X = []\nX.append(X)\nY = X + X",
        "X = " + "(" * 150 + "1" + ")" * 150,
        "X = " + "+".join("1" for _ in range(3000)),
        "from settings import *",
        "import settings\nsettings.X = settings",
        "class A(A): pass",
        "X = lambda: X()\nX()",
        "X = [y for y in 'abc' for z in y]",
        "match X:\n    case 1:\n        Y = 1",
        "\N{BYTE ORDER MARK}X = 1",
    ],
)
def test_hostile_source_ends_quickly_and_raises_nothing(source: str, tree: MakeTree) -> None:
    settings_source.read(tree({"settings.py": source}), "settings.py", (".",), {})


def test_a_loop_goes_on_as_python_does(tree: MakeTree) -> None:
    source = """
        import os
        hosts = "a"
        for name in ["FIRST", "SECOND"]:
            text = os.environ.get(name)
            if not text:
                continue
            hosts += text.lower()
        for name in ["THIRD", "FOURTH"]:
            X = os.environ[name]
            break
        """
    found = variables(tree({"settings.py": source}))
    assert {name for name, variable in found.items() if variable.required} == {"THIRD"}
    assert sorted(found) == ["FIRST", "SECOND", "THIRD"]


def test_a_variable_with_a_default_is_not_to_blame_for_what_fails(tree: MakeTree) -> None:
    source = "import os\nDEBUG = os.environ.get('DEBUG', '0') == '1'\nif not DEBUG:\n    raise RuntimeError('no')\n"
    assert not variables(tree({"settings.py": source}))["DEBUG"].required


GUARDS = [
    "if not DEBUG and HOST == 'example.com':\n    raise ValueError('set HOST')",
    "if not DEBUG:\n    if HOST == 'example.com':\n        sys.exit('set HOST')",
    "if not os.environ.get('DEBUG') and HOST.startswith('example'):\n    sys.exit('set HOST')",
]


@pytest.mark.parametrize("guard", GUARDS)
def test_what_production_must_have_is_required_and_not_that_debug_is_on(guard: str, tree: MakeTree) -> None:
    source = (
        "import os, sys\nDEBUG = bool(os.environ.get('DEBUG', False))\n"
        f"HOST = os.environ.get('HOST', 'example.com')\n{guard}\n"
    )
    found = variables(tree({"settings.py": source}))
    assert {name for name, variable in found.items() if variable.required} == {"HOST"}


def test_decouple_s_own_file_gives_its_variables(tree: MakeTree) -> None:
    files = {"settings.py": "from decouple import config\nX = config('X')\nY = config('Y')", ".env": "X=a\n"}
    found = variables(tree(files))
    assert (found["X"].required, found["Y"].required) == (False, True)


def test_a_default_of_a_function_is_read_where_the_function_is_defined(tree: MakeTree) -> None:
    source = "import os\ndef f(a=os.environ['X']):\n    return os.environ['Y']\n"
    assert list(variables(tree({"settings.py": source}))) == ["X"]


def test_secrets_of_the_environment_are_not_among_the_values(tree: MakeTree) -> None:
    source = """
        import os
        SECRET_KEY = os.environ["SECRET_KEY"]
        DATABASES = {"default": {"ENGINE": "django.db.backends.mysql", "PASSWORD": os.environ["DB_PASSWORD"]}}
        CACHE = f"redis://:{os.environ['REDIS_PASSWORD']}@cache"
        """
    environ = {"SECRET_KEY": "hush-hush", "DB_PASSWORD": "hush-db", "REDIS_PASSWORD": "hush-redis"}
    found = settings_source.read(tree({"settings.py": source}), "settings.py", (".",), environ)
    assert {one.name: one.value for one in found.assignments} == {
        "SECRET_KEY": None,
        "DATABASES": {"default": {"ENGINE": "django.db.backends.mysql", "PASSWORD": None}},
        "CACHE": None,
    }
    assert "hush" not in repr(found)


def test_variables_that_dynaconf_reads_for_the_settings(tree: MakeTree) -> None:
    source = """
        import dynaconf
        config = dynaconf.Dynaconf(envvar_prefix="SHOP", settings_files=["a.toml"])
        A = config.ONE
        B = int(config["two"])
        C = config.get("THREE", 3)
        D = config.FOUR.lower()
        config.reload()
        """
    found = variables(tree({"settings.py": source}))
    assert [(one.name, one.default, one.required) for one in found.values()] == [
        ("SHOP_ONE", None, False), ("SHOP_TWO", None, False), ("SHOP_THREE", "3", False), ("SHOP_FOUR", None, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prefix", "name"), [("", "DJANGO_"), (", ENVVAR_PREFIX_FOR_DYNACONF='SHOP'", "SHOP_")]
)
def test_variables_by_which_dynaconf_overrides_the_settings(prefix: str, name: str, tree: MakeTree) -> None:
    text = "from dynaconf import DjangoDynaconf\nDEBUG = True\nALLOWED_HOSTS = []\nSECRET_KEY = 'of-nobody'\n"
    files = tree({"settings.py": f"{text}settings = DjangoDynaconf(__name__{prefix})\n"})
    source = settings_source.read(files, "settings.py", (".",), {f"{name}ALLOWED_HOSTS": "['shop.example']"})
    assert [one.name for one in source.variables] == [
        f"{name}{one}" for one in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS")
    ]
    assert source.debug is not None
    assert (source.debug.variable, source.debug.off) == (f"{name}DEBUG", "False")
    values = {one.name: one.value for one in source.assignments}
    assert (values["DEBUG"], values["ALLOWED_HOSTS"]) == (False, ["shop.example"])
