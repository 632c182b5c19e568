"""markdown.py REPORT: renders a report as Markdown is on pages that show comments, and says what is in it. What
an answer says is text: a tag or an attribute that is none of the report's own is an error."""
import html.parser
import sys

import markdown_it

OWN = {"h2", "p", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "code"}


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.rows, self.titles, self.summaries, self.within = [], [], [], []

    def handle_starttag(self, tag, attributes):
        assert tag in OWN, tag
        assert not attributes or tag in ("th", "td"), attributes
        if tag == "tr":
            self.rows.append(0)
        if tag in ("th", "td"):
            self.rows[-1] += 1
        self.within.append(tag)

    def handle_endtag(self, tag):
        assert self.within.pop() == tag, tag

    def handle_data(self, data):
        if "h2" in self.within:
            self.titles.append(data)
        if "summary" in self.within:
            self.summaries.append(data)


reader = Reader()
with open(sys.argv[1], encoding="utf-8") as file:
    page = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(file.read())
reader.feed(page)
wrong = sum(int(text.split()[0]) for text in reader.summaries)
assert "&lt;b&gt;" in page
print(reader.titles, "cases:", reader.rows.count(5) - wrong, "rows of", sorted(set(reader.rows)))
