"""A setting's old name works and names the new one; `maskcam config migrate` rewrites a file and loses nothing."""

import logging
import os
import re
import sys

import pytest

from edge import cli, config
from edge.config import renamed
from edge.config.schema import field
from edge.core.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OLD = """# the door
[sight]   # at dusk
# darker than usual
dark = 12.5

[detector]
overlap = 0.35 # IoU
min_face = 24.0

[sinks]
log = false
# for the shop
[sinks.journal]
path = "events.jsonl"  # kept

[camera]
source = "synthetic"
"""


@pytest.fixture(autouse=True)
def _not_told_yet(monkeypatch):
    monkeypatch.setattr(renamed, "_told", set())


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "maskcam.toml"
    path.write_text(OLD)
    return path


def test_every_new_name_exists_and_no_old_one_does():
    for key, last in renamed.RENAMED.items():
        assert field((*key[:-1], last)), last
        assert field(key) is None, key


def test_old_names_load_and_each_says_the_new_one_once(old, caplog):
    for _ in range(2):
        settings = config.load(old)
    assert (settings.visibility.dark, settings.detector.nms_iou) == (12.5, 0.35)
    assert settings.sinks.jsonl.path == str(old.parent / "events.jsonl")
    assert [re.search(r"'([a-z.]+)' is now '([a-z_.]+)'", line).groups() for line in caplog.messages] == [
        ("sight", "visibility"),
        ("detector.overlap", "detector.nms_iou"),
        ("sinks.journal", "sinks.jsonl"),
    ]
    assert all(f"maskcam config migrate {old}" in line for line in caplog.messages)


def test_variables_and_overrides_take_old_names_too(caplog):
    loaded = config.read([], ["detector.overlap=0.3"], {"MASKCAM_SIGHT__DARK": "7.0"})
    assert (loaded.settings.visibility.dark, loaded.settings.detector.nms_iou) == (7.0, 0.3)
    assert "MASKCAM_SIGHT__DARK: 'sight' is now 'visibility'" in caplog.text


def test_a_mistake_under_an_old_name_names_its_line_and_the_new_key(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("[sight]\ndark = 'very'\n")
    with pytest.raises(ConfigError, match=r"a\.toml:2: visibility\.dark = \"very\": expected a number"):
        config.load(path)


def test_migrate_renames_keeps_comments_and_the_old_file(old, capsys, caplog):
    old.chmod(0o640)
    if os.getuid() == 0:
        os.chown(old, 12, 34)
    owner = old.stat().st_uid, old.stat().st_gid
    before = config.load(old)
    assert cli.main(["config", "migrate", str(old)]) == 0
    expected = OLD.replace("[sight]", "[visibility]").replace("overlap =", "nms_iou =").replace("journal", "jsonl")
    assert old.read_text() == expected
    assert (old.parent / "maskcam.toml.before-migration").read_text() == OLD
    facts = [path.stat() for path in old.parent.iterdir()]
    assert [(fact.st_mode & 0o777, fact.st_uid, fact.st_gid) for fact in facts] == [(0o640, *owner)] * 2
    assert "sinks.journal -> sinks.jsonl" in capsys.readouterr().out
    caplog.clear()
    assert config.load(old) == before
    assert not caplog.messages
    assert cli.main(["config", "migrate", str(old)]) == 0
    assert "nothing to rename" in capsys.readouterr().out


def test_each_migration_keeps_what_it_found(tmp_path):
    path, texts = tmp_path / "a.toml", [f"[sight]\ndark = {dark}.0 # mine\n" for dark in (1, 2, 2, 3)]
    kept = []
    for text in texts:
        path.write_text(text)
        kept.append(renamed.migrate(path)[1])
    assert [old.name.partition(".before-migration")[2] for old in kept] == ["", "2", "2", "3"]
    assert [old.read_text() for old in kept] == texts


@pytest.mark.parametrize(
    "text",
    [
        'sinks = {journal = {path = "a"}, log=true}\n',
        "sight.dark = 3.0\nsight.flat = 2.0 # sight\n",
        '[sinks]\njournal.path = "a"\n',
        '["sight"]\r\ndark=1.0\r\n',
        '[ sinks . journal ] # c\npath="sight"\n[sinks.gpio]\npin=4\n',
        "sinks.journal={}\n\n\n# end",
        "[sinks.gpio]\npin = 3\n[camera]\nwidth = 320\n[sinks.journal]\npath = 'x'\n",
    ],
)
def test_every_way_to_write_a_key_is_migrated(tmp_path, text):
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode())
    before = config.load(path)
    assert renamed.migrate(path)
    assert config.load(path) == before
    new = path.read_bytes().decode()
    assert renamed.migrate(path) == ([], None)
    assert tomllib.loads(new) != tomllib.loads(text)
    assert re.findall("#.*", new) == re.findall("#.*", text)
    assert new.count("\n") == text.count("\n")
    assert new.count("\r") == text.count("\r")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[sight\n", "not TOML"),
        (b"\xff", "not TOML"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (b"[sight]\nname = front door\n", "expected a text in quotes"),
        (None, "cannot be"),
    ],
)
def test_what_cannot_be_migrated_is_left_alone(tmp_path, capsys, content, message):
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["config", "migrate", str(path)]) == 2
    assert message in capsys.readouterr().err
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if content is None else [content])


def test_defaults_say_nothing(caplog):
    caplog.set_level(logging.DEBUG)
    config.load(None)
    assert not caplog.messages
