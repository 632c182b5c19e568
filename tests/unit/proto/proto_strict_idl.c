/*
 * The printed texts by the strictest grammar that reads them: that of systemd's sd-varlink (257).
 * Unlike others it takes a comment only where a name may follow: before a member, and before a
 * field, but not between the last field and its `)`. Nor does it take `type T ()`, of which it can't
 * tell whether it is a struct or an enumeration.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "proto/wire/method.h"
#include "tests/unit/suite.h"

#define BLANKS " \t\n\r"
#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define ALPHANUMERIC SMALL "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define DEPTH_MAX 64

struct reader {
	const char *text;
	const char *at;
	char said[160]; // what is wrong; "" while nothing is
};

static bool refuse(struct reader *reader, const char *what)
{
	int line = 1;

	for (const char *c = reader->text; c < reader->at; c++)
		line += *c == '\n';
	if (!reader->said[0])
		snprintf(reader->said, sizeof(reader->said), "%d: %s", line, what);
	return false;
}

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, BLANKS);
}

static bool take(struct reader *reader, const char *sign)
{
	skip_blanks(reader);
	if (strncmp(reader->at, sign, strlen(sign)) != 0)
		return false;
	reader->at += strlen(sign);
	return true;
}

/* Comments may stand here. */
static void skip_comments(struct reader *reader)
{
	while (take(reader, "#"))
		reader->at += strcspn(reader->at, "\n");
}

/* The length of a word of these characters, which is taken; 0: there is none. */
static size_t take_word(struct reader *reader, const char *characters)
{
	size_t length;

	skip_blanks(reader);
	length = strspn(reader->at, characters);
	reader->at += length;
	return length;
}

/* Letters and digits, single underscores between them. */
static bool is_field_name(const char *name, size_t length)
{
	if (!isalpha((unsigned char)name[0]) || name[length - 1] == '_')
		return false;
	for (size_t i = 1; i < length; i++)
		if (name[i] == '_' && name[i - 1] == '_')
			return false;
	return true;
}

/* The type must be one of the interface's, by its line. */
static bool is_defined(const struct reader *reader, const char *name, size_t length)
{
	char line[256];

	snprintf(line, sizeof(line), "\ntype %.*s ", (int)length, name);
	return strstr(reader->text, line) != NULL;
}

static bool read_fields(struct reader *reader, bool may_be_empty, int depth);

static bool read_type(struct reader *reader, int depth)
{
	static const char *const basic[] = { "bool", "int", "float", "string", "object" };
	const char *name;
	size_t length;

	(void)take(reader, "?");
	/* From here on no blank is taken. */
	if (strncmp(reader->at, "[]", 2) == 0)
		reader->at += 2;
	else if (strncmp(reader->at, "[string]", 8) == 0)
		reader->at += 8;
	if (*reader->at == '(')
		return read_fields(reader, /* may_be_empty= */ false, depth + 1);
	name = reader->at;
	for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++)
		if (strncmp(name, basic[i], strlen(basic[i])) == 0) {
			reader->at += strlen(basic[i]);
			return true;
		}
	length = strspn(name, ALPHANUMERIC "_");
	reader->at += length;
	return (length && is_defined(reader, name, length)) || refuse(reader, "no such type");
}

static bool read_fields(struct reader *reader, bool may_be_empty, int depth)
{
	if (depth > DEPTH_MAX)
		return refuse(reader, "too deep");
	if (!take(reader, "("))
		return refuse(reader, "'(' is missing");
	skip_comments(reader);
	if (take(reader, ")"))
		return may_be_empty || refuse(reader, "neither struct nor enumeration");
	do {
		size_t length;

		skip_comments(reader);
		length = take_word(reader, ALPHANUMERIC "_");
		if (!length || !is_field_name(reader->at - length, length))
			return refuse(reader, "no name of a field");
		if (!take(reader, ":"))
			return refuse(reader, "':' is missing");
		if (!read_type(reader, depth))
			return false;
	} while (take(reader, ","));
	return take(reader, ")") || refuse(reader, "',' or ')' is missing");
}

static bool read_member(struct reader *reader)
{
	const char *word;
	size_t length;

	skip_blanks(reader);
	word = reader->at;
	length = take_word(reader, SMALL);
	if (length == 0)
		return refuse(reader, "no member");
	if (!take_word(reader, ALPHANUMERIC) ||
	    !isupper((unsigned char)word[length + strspn(word + length, BLANKS)]))
		return refuse(reader, "no name of a member");
	if (strncmp(word, "type", length) == 0)
		return read_fields(reader, /* may_be_empty= */ false, 0);
	if (strncmp(word, "error", length) == 0)
		return read_fields(reader, /* may_be_empty= */ true, 0);
	if (strncmp(word, "method", length) != 0)
		return refuse(reader, "no member");
	return read_fields(reader, true, 0) &&
	       (take(reader, "->") || refuse(reader, "'->' is missing")) &&
	       read_fields(reader, true, 0);
}

static bool read_interface(struct reader *reader)
{
	skip_comments(reader);
	if (!take(reader, "interface ") || !take_word(reader, ALPHANUMERIC ".-"))
		return refuse(reader, "no interface");
	for (skip_comments(reader); *reader->at; skip_comments(reader))
		if (!read_member(reader))
			return false;
	return true;
}

START_TEST(printed_texts)
{
	for (size_t i = 0; i < n_interfaces; i++) {
		struct reader reader = { interfaces[i]->text, interfaces[i]->text, "" };

		ck_assert_msg(read_interface(&reader), "%s:%s", interfaces[i]->name, reader.said);
	}
}
END_TEST

/* The grammar is as strict as it says. */
START_TEST(refused_texts)
{
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{ "interface a.b\ntype T (\n  # fine\n  a: int, # fine\n  b: int\n)\n", "" },
		{ "interface a.b\ntype T (\n  a: int,\n  b: int # not here\n)\n",
		  "4: ',' or ')' is missing" },
		{ "interface a.b\ntype T (a: int,)\n", "2: no name of a field" },
		{ "interface a.b\ntype T ()\n", "2: neither struct nor enumeration" },
		{ "interface a.b\nerror E ()\nmethod M() -> ()\n", "" },
		{ "interface a.b\ntype T (a: ?Other)\n", "2: no such type" },
		{ "interface a.b\ntype T (a__b: int)\n", "2: no name of a field" },
		{ "interface a.b\nmethod M() ()\n", "2: '->' is missing" },
		{ "interface a.b\nconst C ()\n", "2: no member" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reader reader = { cases[i].text, cases[i].text, "" };

		ck_assert_int_eq(read_interface(&reader), !cases[i].said[0]);
		ck_assert_str_eq(reader.said, cases[i].said);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(printed_texts, refused_texts);
}
