"""Swift files as the checks see them: the code without comments and strings, and the comments by line."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

_STRING_START = re.compile(r'(#*)("""|")')


class SwiftSource:
    """One file.

    `code` has the length and the line breaks of the file, with every character of a comment, a string literal or a
    back-quoted name replaced by a space; so a position in it is a position in the file. `comments` maps a line number
    to the comment text on it.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.text = self.path.read_text()
        self.lines = self.text.splitlines()
        self.comments = {}
        self.code = self._mask()
        self.code_lines = self.code.splitlines()
        self._line_starts = [0] + [match.end() for match in re.finditer("\n", self.text)]

    @property
    def name(self):
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)

    def line_of(self, position):
        """Line number, from 1, of a position in the text."""
        low, high = 0, len(self._line_starts)
        while high - low > 1:
            middle = (low + high) // 2
            if self._line_starts[middle] <= position:
                low = middle
            else:
                high = middle
        return low + 1

    def comment_above(self, line):
        """The comment lines that stand directly above a line, attributes between them and it passed over."""
        found = []
        number = line - 1
        while number >= 1:
            code = self.code_lines[number - 1].strip() if number <= len(self.code_lines) else ""
            if number in self.comments and not code:
                found.append(self.comments[number])
            elif not (code.startswith(("@", "#if", ")")) and number not in self.comments):
                break
            number -= 1
        return "\n".join(reversed(found))

    def comment_near(self, line):
        """The comment on a line or directly above it."""
        return self.comments.get(line, "") + "\n" + self.comment_above(line)

    def _mask(self):
        text, out, position, line = self.text, [], 0, 1
        while position < len(text):
            end = self._token_end(position)
            if end is None:
                character = text[position]
                out.append(character)
                line += character == "\n"
                position += 1
                continue
            piece = text[position:end]
            if piece.startswith(("//", "/*")):
                for offset, comment in enumerate(piece.splitlines()):
                    self.comments[line + offset] = self.comments.get(line + offset, "") + comment
            out.append(re.sub(r"[^\n]", " ", piece))
            line += piece.count("\n")
            position = end
        return "".join(out)

    def _token_end(self, start):
        """Where the comment, string or back-quoted name that begins at `start` ends; None if none does."""
        text = self.text
        if text.startswith("//", start):
            end = text.find("\n", start)
            return len(text) if end < 0 else end
        if text.startswith("/*", start):
            return self._block_comment_end(start)
        if text[start] == "`":
            end = text.find("`", start + 1)
            return len(text) if end < 0 else end + 1
        match = _STRING_START.match(text, start)
        return self._string_end(match) if match else None

    def _block_comment_end(self, start):
        depth, position = 1, start + 2
        for match in re.compile(r"/\*|\*/").finditer(self.text, position):
            depth += 1 if match.group() == "/*" else -1
            if depth == 0:
                return match.end()
        return len(self.text)

    def _string_end(self, opening):
        hashes, quote = opening.groups()
        closing, escape = quote + hashes, "\\" + hashes
        position = opening.end()
        while position < len(self.text):
            if self.text.startswith(escape, position):
                position += len(escape)
                if self.text.startswith("(", position):
                    position = self._interpolation_end(position)
                else:
                    position += 1
            elif self.text.startswith(closing, position):
                return position + len(closing)
            elif quote == '"' and self.text[position] == "\n":
                return position
            else:
                position += 1
        return len(self.text)

    def _interpolation_end(self, start):
        depth, position = 0, start
        while position < len(self.text):
            inner = self._token_end(position)
            if inner is not None:
                position = inner
                continue
            depth += {"(": 1, ")": -1}.get(self.text[position], 0)
            position += 1
            if depth == 0:
                return position
        return len(self.text)


def swift_files(*folders):
    """The Swift files below folders of the repository, build products left out, in a fixed order."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.swift")):
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
                yield path
