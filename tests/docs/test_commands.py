"""Every command on a page has options that exist; every block is run on phantoms, or says why not."""

import re
import shlex
from functools import cache

import pytest

from medkd.cli.prepare_options import prepare_options
from medkd.cli.verbs import VERBS
from medkd.configs.bundles import all_config_files
from medkd.configs.merge import top_ids
from medkd.configs.table import ID_OPTIONS
from medkd.methods.presets import load_preset, resolve_preset

from .pages import NOT_RUN, PAGES, blocks, page_name

LANGUAGES = {"bash", "python", "yaml", "json", "text", "bibtex"}


def commands(page):
    """The words of each command of medkd on a page; a line that stands for several has "..." or a shell variable."""
    text = [line for block in blocks(page) for line in block.text.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in text if re.match(r"\s*medkd [a-z]", line)]


@cache
def ids(verb):
    """The ids of the configurations of a verb."""
    return top_ids({file for name in verb.files_of or (verb.name,) for file in all_config_files(name)})


def known_options(words):
    verb = VERBS[words[1]]
    known = {option.name for option in verb.settings} | {"help"}
    if verb.options == "config":
        known |= set(ID_OPTIONS) | ids(verb)
    elif verb.options == "signature":
        known |= {option.name for option in prepare_options(words[2])}
    elif verb.options == "snakemake":
        known |= {"dry-run", "cores", "profile", "executor"}
    return known


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_options_of_commands_exist(page):
    for words in commands(page):
        assert words[1] in VERBS, words
        known = known_options(words)
        names = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
        for name in names:
            assert name.partition("::")[0] in known, (name, words)
        if "--method" in words:
            method = words[words.index("--method") + 1]
            arguments = resolve_preset(method)[1] if load_preset(method) else {}
            for name in names:
                assert not name.startswith("method_args::") or name.split("::")[1] in arguments, (name, words)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_blocks_have_a_language_and_marks_a_reason(page):
    for block in blocks(page):
        if block.language.startswith("{"):  # a directive of the site, no code
            continue
        assert block.language in LANGUAGES, (block.language, block.text[:60])
        assert not block.not_run or len(block.not_run.split()) >= 3, block.not_run


def test_pages_that_are_not_run_exist():
    assert NOT_RUN.keys() <= {page_name(page) for page in PAGES}


def test_commands_are_found():
    assert sum(len(commands(page)) for page in PAGES) > 80
