"""Shell as guides write it, taken apart into simple commands without running anything.

Knows quotes, comments, continuation, assignments, `$NAME`, `${NAME…}`, `$(…)`, pipes, lists, redirections,
here-documents, `for … do … done`, `name() { …; }`. Anything cleverer does not belong into a guide.
"""

import re
from dataclasses import dataclass, field

KEYWORDS = {"do", "done", "{", "}", "then", "fi", "if", "else", "!"}
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
FUNCTION = re.compile(r"(?m)^\s*(\w+)\(\) ")
HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?(.*)\n(?s:.*?)\n\1[ \t]*$", re.MULTILINE)
VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+)|[@*#?!])")


@dataclass
class Script:
    """What a block does: its simple commands, in order of their text; what it sets and what it uses."""

    variables: dict[str, str]
    commands: list[list[str]] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    unset: set[str] = field(default_factory=set)

    def read(self, text):
        self.functions |= set(FUNCTION.findall(text))
        text = FUNCTION.sub("", HEREDOC.sub(r"\2", text.replace("\\\n", " ")))
        _Reader(text, self).read()
        return self

    def expand(self, text):
        return VARIABLE.sub(self._value, text)

    def _value(self, match):
        name = match[1] or match[2]
        if name is None:
            return ""
        if name not in self.variables:
            self.unset.add(name)
        return self.variables.get(name, name)


class _Reader:
    def __init__(self, text, script):
        self.text = text
        self.at = 0
        self.script = script

    def read(self):
        words = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t":
                self.at += 1
            elif char == "#":
                self.at = self._end_of_line()
            elif char in "\n;|&()":
                self.at += 1
                self._done(words)
                words = []
            elif redirection := re.compile(r"\d?(>>?|<)(&\d)?\s*").match(self.text, self.at):
                self.at = redirection.end()
                if not redirection[2]:
                    self._word()
            else:
                words.append(self._word())
        self._done(words)

    def _end_of_line(self):
        found = self.text.find("\n", self.at)
        return len(self.text) if found < 0 else found

    def _done(self, words):
        while words and words[0] in KEYWORDS:
            words = words[1:]
        if words and words[0] == "for":
            self.script.variables[words[1]] = words[1]
            return
        assigning = words[:1] == ["export"] or all(ASSIGNMENT.fullmatch(word) for word in words)
        while words and (words[0] == "export" or ASSIGNMENT.fullmatch(words[0])):
            if found := ASSIGNMENT.fullmatch(words[0]):
                self.script.variables[found[1]] = found[2]
            words = words[1:]
        if words and not assigning:
            self.script.commands.append(words)

    def _word(self):
        made = ""
        while self.at < len(self.text) and self.text[self.at] not in " \t\n;|&()<>":
            char = self.text[self.at]
            if char == "'":
                end = self.text.index("'", self.at + 1)
                made += self.text[self.at + 1 : end]
                self.at = end + 1
            elif char == '"':
                self.at += 1
                made += self._quoted()
            elif self.text.startswith("$(", self.at):
                made += self._substitution()
            elif match := VARIABLE.match(self.text, self.at):
                made += self.script.expand(match[0])
                self.at = match.end()
            else:
                made += char
                self.at += 1
        if made and self.text[self.at : self.at + 1] == "(" and ASSIGNMENT.fullmatch(made) is None:
            raise ValueError(f"not understood: {self.text[self.at - 10 : self.at + 10]!r}")
        # `export A=$B C=…` sees what stands before it on the line
        if found := ASSIGNMENT.fullmatch(made):
            self.script.variables.setdefault(found[1], found[2])
        return made

    def _quoted(self):
        made = ""
        while self.text[self.at] != '"':
            if self.text.startswith("$(", self.at):
                made += self._substitution()
            elif match := VARIABLE.match(self.text, self.at):
                made += self.script.expand(match[0])
                self.at = match.end()
            else:
                made += self.text[self.at]
                self.at += 1
        self.at += 1
        return made

    def _substitution(self):
        depth, start = 1, self.at + 2
        self.at = start
        while depth:
            char = self.text[self.at]
            if char == "'":
                self.at = self.text.index("'", self.at + 1)
            depth += {"(": 1, ")": -1}.get(char, 0)
            self.at += 1
        _Reader(self.text[start : self.at - 1], self.script).read()
        return "VALUE"
