"""Words that slow a native reader down stay out of every text of the repository; each stands beside a better one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests import ROOT

GAP = r"[\s#*_-]{1,20}"
"""What may stand between two words: a line may end there, in a comment too, and test names have underscores."""

BETTER = {
    "at hand": "available, or name what is there",
    "(?:is|was|were|are) asked for": "requested, or turn the sentence round: who requests it?",
    "(?:is|are) gone to": "went to, or deleted",
    "to the letter": "exactly",
    "(?:come|comes|came) to nothing": "failed",
    "has none of": "has no",
    "thereby": "so, or a sentence of its own",
    "of ours": "our, or: that hfstack created",
    "is no place for": "cannot hold, or say what is not set",
    "told apart": "distinguished, or detected",
    "(?:give|gives|given|gave|giving) back": "return, returned",
    "(?:tidy|tidies|tidied|tidying) up": "clean up, cleans up",
    r"(?:by|for|from|good|in|loaded|of|on|to|under|with) (?:[a-z0-9`']+ ){1,3}(?<!left[ _])alone": "only",
    # IBM's plug-in for LSF has files of that name
    "osprov(?!_(?:config|templates|machines)[.`])": "osinst",
}
"""By a pattern of words, in which a blank is a gap: what to write instead."""

SKIPPED = re.compile(
    r"LICENSE\Z|packaging/licences/|.*requirements\.txt\Z|tests/tools/openstack/constraints\.txt\Z|tests/docs/test_prose\.py\Z"
)
"""Texts of others, lock files, and this list."""


def pattern(words: str) -> re.Pattern[str]:
    # a blank in brackets stays one
    spaced = re.sub(r" (?![_\]])", lambda _: GAP, words)
    return re.compile(rf"(?<![a-z]){spaced}(?![a-z])", re.IGNORECASE)


PATTERNS = {pattern(words): better for words, better in BETTER.items()}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file that git knows."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone of the repository")
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and not SKIPPED.match(name):
            yield name, path.read_text("utf-8")


def slow_words() -> list[str]:
    """Return where such words stand, with what to write instead."""
    found = []
    for name, text in texts():
        for words, better in PATTERNS.items():
            for match in words.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: “{' '.join(match[0].split())}”: write {better}")
    return found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no token is at\nhand", "at hand"),
        ("# a machine was asked\n# for", "was asked # for"),
        ("def test_each_is_told_apart()", "told_apart"),
        ("it needs the standard library alone.", ""),
        ("with the standard library alone", "with the standard library alone"),
        ("for the account alone", "for the account alone"),
        ("those of others left alone", ""),
        ("LSF leaves the template alone for a while", ""),
        ("what it returned, asked for by Nova", ""),
        ("of course; beforehand", ""),
    ],
)
def test_the_patterns_find_what_they_are_for(text: str, words: str) -> None:
    found = [" ".join(match[0].split()) for one in PATTERNS for match in one.finditer(text)]
    assert found == ([words] if words else [])


def test_slow_words_have_better_ones_in_their_place() -> None:
    found = slow_words()
    assert found == [], "\n".join(found)
