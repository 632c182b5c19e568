# Makes the library's man pages out of its headers, which are the manual:
#
#	awk -v out=FOLDER -f pages.awk elluminate.h elluminate-ADAPTER.h...
#
# The comment that opens elluminate.h is libelluminate(3), each of its sections a page of its own, and
# the adapters belong to the page of loops; methods have pages from elsewhere. Each function
# gets a link to its page. A section that is not listed below is an error.
BEGIN {
	page_of["Handles"] = "elluminate-handles"
	page_of["Results"] = "elluminate-results"
	page_of["Tasks and their events"] = "elluminate-events"
	page_of["Any method"] = "elluminate-raw"
	page_of["Streams (blocking handles)"] = "elluminate-streams"
	page_of["Operations (event handles)"] = "elluminate-operations"
	page_of["Many at a time (event handles)"] = "elluminate-gather"
	page_of["Between blocking and event-driven code (event handles)"] = "elluminate-bridges"
	page_of["Tools"] = "elluminate-tools"
	page_of["An event loop's part (event handles)"] = "elluminate-loops"
	n_pages = 0
}

# ---- Text ----

function roff(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	while (match(text, /`[^`]*`/))
		text = substr(text, 1, RSTART - 1) "\\fI" substr(text, RSTART + 1, RLENGTH - 2) \
			"\\fP" substr(text, RSTART + RLENGTH)
	return text ~ /^[.']/ ? "\\&" text : text
}

# The same with the names of functions in bold.
function prose(text,    done)
{
	text = roff(text)
	done = ""
	while (match(text, /ellu_[a-z_]+\(\)/)) {
		done = done substr(text, 1, RSTART - 1) "\\fB" substr(text, RSTART, RLENGTH - 2) "\\fP()"
		text = substr(text, RSTART + RLENGTH)
	}
	return done text
}

function put(line)
{
	print line >(out "/" page ".3")
}

function put_code(lines, first, last,    i)
{
	put(".PP")
	put(".EX")
	for (i = first; i <= last; i++)
		put(roff(lines[i]))
	put(".EE")
}

# ---- Pages ----

function open_page(name, title)
{
	page = name
	pages[n_pages++] = name
	put(".\\\" Made from the library's headers.")
	put(".TH " toupper(name) " 3 \"\" \"elluminated\" \"libelluminate\"")
	put(".SH NAME")
	put(name " \\- " prose(title))
	put(".SH SYNOPSIS")
	put(".B #include <elluminate.h>")
	put(".SH DESCRIPTION")
}

function open_section(title)
{
	if (!(title in page_of)) {
		print "pages.awk: the section '" title "' has no page" >"/dev/stderr"
		failed = 1
		exit 1
	}
	name = page_of[title]
	sub(/ \(.*/, "", title)
	open_page(name, tolower(substr(title, 1, 1)) substr(title, 2) " (libelluminate)")
}

# ---- A file's opening comment ----

# Lines below a heading, without their first tab: text, and `term<TAB>explanation`.
function put_body(lines, first, last,    i, line, in_list)
{
	in_list = 0
	for (i = first; i <= last; i++) {
		line = substr(lines[i], 2)
		if (line ~ /^\t/) {
			gsub(/\t/, "", line)
			put(prose(line))
		} else if (line ~ /\t/ || (i < last && lines[i + 1] ~ /^\t\t/)) {
			in_list = 1
			put(".TP")
			put(".B " roff(substr(line, 1, match(line "\t", /\t/) - 1)))
			sub(/^[^\t]*\t*/, "", line)
			if (line != "")
				put(prose(line))
		} else {
			if (in_list)
				put(".PP")
			in_list = 0
			put(prose(line))
		}
	}
}

function end_of_run(lines, first, n,    i)
{
	for (i = first; i < n && lines[i + 1] ~ /^\t/; i++)
		;
	return i
}

function put_manual(lines, first, n,    i, last, headings)
{
	headings = 0
	for (i = first; i <= n; i++) {
		if (lines[i] == "") {
			put(".PP")
		} else if (lines[i] ~ /^\t/) {
			last = end_of_run(lines, i, n)
			if (lines[i - 1] == "")
				put_code(lines, i, last)
			else
				put_body(lines, i, last)
			i = last
		} else if (lines[i + 1] ~ /^\t/) {
			headings++
			put(".SH " toupper(lines[i]))
		} else {
			if (headings > 0 && lines[i - 1] == "")
				put(".SH NOTES")
			put(prose(lines[i]))
		}
	}
}

function open_file(lines, n)
{
	is_open = 1
	if (file == "elluminate.h") {
		sub(/^libelluminate: /, "", lines[1])
		sub(/\.$/, "", lines[1])
		open_page("libelluminate", lines[1])
		put_manual(lines, 2, n)
		page = ""
	} else {
		page = "elluminate-loops"
		put(".SH " toupper(file))
		put_manual(lines, 1, n)
	}
}

# ---- Declarations and what is said about them ----

function link_to_page(declaration,    name)
{
	if (!match(declaration, /ellu_[a-z_]+\(/))
		return
	name = substr(declaration, RSTART, RLENGTH - 1)
	print ".so man3/" page ".3" >(out "/" name ".3")
	close(out "/" name ".3")
}

function put_declarations(    i, text, parts, n)
{
	if (code[1] ~ /^(#define|struct [a-z_]+ [{])/) {
		put_code(code, 1, n_code)
		return
	}
	text = ""
	for (i = 1; i <= n_code; i++)
		text = text " " code[i]
	gsub(/[ \t]+/, " ", text)
	n = split(text, parts, /; ?/)
	put(".PP")
	put(".nh")
	put(".ad l")
	for (i = 1; i < n; i++) {
		sub(/^ /, "", parts[i])
		if (i > 1)
			put(".br")
		put("\\fB" roff(parts[i]) ";\\fP")
		link_to_page(parts[i])
	}
	put(".ad b")
	put(".hy")
}

function flush_item(    i)
{
	if (page != "" && n_code + n_text > 0) {
		if (n_code > 0)
			put_declarations()
		if (n_text > 0)
			put(n_code > 0 ? ".RS" : ".PP")
		for (i = 1; i <= n_text; i++)
			put(text_lines[i] == "" ? ".PP" : prose(text_lines[i]))
		if (n_text > 0 && n_code > 0)
			put(".RE")
	}
	n_code = 0
	n_text = 0
}

function take_comment(    i)
{
	for (i = 1; i <= n_comment && comment[i] == ""; i++)
		;
	n_text = 0
	for (; i <= n_comment; i++)
		text_lines[++n_text] = comment[i]
	while (n_text > 0 && text_lines[n_text] == "")
		n_text--
	if (!is_open) {
		open_file(text_lines, n_text)
		n_text = 0
	} else if (text_lines[1] ~ /^---- .* ----$/) {
		open_section(substr(text_lines[1], 6, length(text_lines[1]) - 10))
		n_text = 0
	}
}

# ---- Lines ----

FNR == 1 {
	flush_item()
	file = FILENAME
	sub(/.*\//, "", file)
	is_open = 0
	page = ""
}

skipping {
	skipping = $0 != "}"
	next
}

!in_comment && /^\/\*/ {
	flush_item()
	in_comment = 1
	n_comment = 0
}

in_comment {
	line = $0
	is_last = sub(/[ \t]*\*\/$/, "", line)
	sub(/^(\/\*| \*) ?/, "", line)
	comment[++n_comment] = line
	if (is_last) {
		in_comment = 0
		take_comment()
	}
	next
}

# The body of a function that a header brings itself: only those are documented that attach.
/^\{/ {
	skipping = 1
	if (code[1] ~ /_attach\(/) {
		code[n_code] = code[n_code] ";"
		sub(/^static inline /, "", code[1])
	} else {
		n_code = 0
	}
	flush_item()
	next
}

/^$/ {
	flush_item()
	next
}

/^(#define ELLU_[A-Z_]+ )|^[^#]/ && !/^extern "C"|^}$/ {
	sub(/^ELLU_API /, "")
	code[++n_code] = $0
}

END {
	if (failed)
		exit 1
	flush_item()
	for (i = 0; i < n_pages; i++) {
		page = pages[i]
		put(".SH SEE ALSO")
		for (k = 0; k < n_pages; k++)
			if (k != i)
				put(".BR " pages[k] " (3),")
		put(".BR elluminate\\-methods (3),")
		put(".BR elluminated (8)")
	}
}
