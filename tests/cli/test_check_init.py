"""The command `paraph check init`."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from paraph.checks.advice import FRAMEWORKS
from paraph.checks.target import load_target
from paraph.cli.main import app
from paraph.errors import ConfigurationError

APP = 'app = Flask(__name__)\n@app.route("/install")\n@app.route("/callback")\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an app of each framework."""
    (tmp_path / "server.py").write_text(APP + "api = FastAPI()\n", "utf-8")
    (tmp_path / "manage.py").write_text("", "utf-8")
    (tmp_path / "index.js").write_text("const app = express();", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*arguments: str) -> Result:
    """Run the command; errors are raised."""
    return CliRunner().invoke(app, ["check", "init", *arguments], catch_exceptions=False)


def test_the_file_and_the_next_command_are_named(project: Path) -> None:
    """The target file can be read, and the last line is the next command."""
    result = init("--framework", "flask")
    target = load_target(project / "app.toml")
    assert ("/install", "/callback", "") == (
        target.urls.start,
        target.urls.redirect,
        target.urls.webhook,
    )
    lines = result.output.splitlines()
    assert "Not found: webhook. Correct [urls] in the file." in lines
    assert "Next: paraph check app.toml --severity critical" == lines[-1]


def test_variables_without_a_value_are_named(project: Path) -> None:
    """The person learns which variables the app reads besides those of Zoom."""
    (project / "keys.py").write_text('os.environ["SESSION_KEY"]', "utf-8")
    result = init("--framework", "flask")
    assert "No value is known for SESSION_KEY." in result.output
    assert '# SESSION_KEY = ""' in (project / "app.toml").read_text("utf-8")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_hooks_are_written_with_the_key_of_the_target_file(project: Path, framework: str) -> None:
    """The hooks of the file and of the code have the same URLs, and a random key."""
    init("--framework", framework, "--hooks")
    target = load_target(project / "app.toml")
    links, use, expire = target.hooks.links, target.hooks.use, target.hooks.expire
    assert links is not None
    assert use is not None
    assert expire is not None
    key = target.start.environment["CHECK_HOOK_KEY"]
    assert [32, 32] == [len(key), len(use.headers["x-check-key"])]
    assert "{url}/_check/expire" == expire.url
    more = (project / "app.toml").read_text("utf-8").replace("# events", "events")
    (project / "more.toml").write_text(more.replace("# sign_", "sign_"), "utf-8")
    sign_in = load_target(project / "more.toml").hooks.sign_in
    assert sign_in is not None
    assert {"user": "{subject}"} == sign_in.form
    code = project / ("check_hooks.mjs" if framework == "express" else "check_hooks.py")
    text = code.read_text("utf-8")
    assert key not in text
    if framework != "express":
        ast.parse(text)
    elif node := shutil.which("node"):
        subprocess.run([node, "--check", str(code)], check=True)


@pytest.mark.parametrize("name", ["app.toml", "check_hooks.py"])
def test_no_file_is_overwritten(project: Path, name: str) -> None:
    """An existing file is left as it is, and nothing else is written."""
    (project / name).write_text("mine", "utf-8")
    before = sorted(project.iterdir())
    with pytest.raises(ConfigurationError, match=f"{name} exists already"):
        init("--framework", "flask", "--hooks")
    assert ("mine", before) == ((project / name).read_text("utf-8"), sorted(project.iterdir()))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hooks"], "--hooks needs --framework"),
        (["--url", "http://127.0.0.1:9"], "does not respond"),
        (["--framework", "flask", "--output", "missing/app.toml"], "cannot be written"),
    ],
)
def test_a_wrong_option_writes_nothing(project: Path, arguments: list[str], said: str) -> None:
    """A wrong option raises a configuration error that names it."""
    before = sorted(project.iterdir())
    with pytest.raises(ConfigurationError) as caught:
        init(*arguments)
    assert said in caught.value.problems[0]
    assert before == sorted(project.iterdir())


def test_the_help_belongs_to_init() -> None:
    """`paraph check init --help` shows the options of init."""
    assert "--framework" in init("--help").output
