"""A page of the documentation: its blocks with what stands before them, its headings and its links."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]


FENCE = re.compile(r"^```(.*)$")
DIRECTIVE = re.compile(r"^<!-- (run|file):\s*(.*?)\s*-->$")
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
LINK = re.compile(r"\]\(([^)\s]*)\)")
CODE = re.compile(r"``.*?``|`[^`]*`")


def pages():
    """Every page that a reader may open, by its name in the repository."""
    found = sorted(ROOT.glob("*.md")) + sorted((ROOT / "deploy").glob("*.md"))
    found += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "deploy/envoy").glob("*.md"))
    return {str(path.relative_to(ROOT)): Page(path) for path in found}


class Block:
    """The text between two fences, its language, where it stands and what the comment before it says."""

    def __init__(self, language, line, directive):
        self.language = language
        self.line = line
        self.directive = directive
        self.lines = []

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    @property
    def words(self):
        """The words of its directive without the attributes: `background`, the name of a file."""
        return ATTRIBUTE.sub("", self.directive[1]).split() if self.directive else []

    @property
    def attributes(self):
        """The attributes of its directive: `skip`, `until`, `expect`, `exit`."""
        return dict(ATTRIBUTE.findall(self.directive[1])) if self.directive else {}

    @property
    def file(self):
        """The name of the file that the block is, or None."""
        return self.words[0] if self.directive and self.directive[0] == "file" else None


class Page:
    """A file of Markdown, read once."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        self.source = path.read_text()
        self.blocks = []
        self.prose = []
        self._read()

    def _read(self):
        block, directive = None, None
        for number, line in enumerate(self.source.splitlines(), 1):
            fence = FENCE.match(line)
            if block is not None:
                if fence and not fence.group(1):
                    self.blocks.append(block)
                    block = None
                else:
                    block.lines.append(line)
                continue
            if fence:
                block, directive = Block(fence.group(1), number, directive), None
                continue
            self.prose.append((number, line))
            found = DIRECTIVE.match(line)
            # A blank line may stand between a directive and its block, and nothing else.
            if found or line.strip():
                directive = found.groups() if found else None
        assert block is None, f"{self.name}:{block.line}: a fence that does not end"

    def anchors(self):
        """What a link to a heading of this page may say behind `#`."""
        headings = [match.group(1) for _, line in self.prose if (match := re.match(r"#+ (.*)$", line))]
        return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}

    def links(self):
        """Line, file and anchor of each link that leads into the repository; a file of "" is this page."""
        for number, line in self.prose:
            for target in LINK.findall(CODE.sub("", line)):
                if not re.match(r"[a-z]+:", target):
                    file, _, anchor = target.partition("#")
                    yield number, file, anchor
