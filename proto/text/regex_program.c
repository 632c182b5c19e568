#include "proto/text/regex_program.h"

#include <errno.h>

#define CODE_POINT_MAX 0x10ffffu
#define UNBOUNDED (-1)

static uint32_t other_case(uint32_t code)
{
	return is_letter(code) ? code ^ 0x20 : code;
}

struct parser {
	const char *at;
	struct regex_program *program;
	bool any_case;
	int depth;
	const char *expected;
};

static bool refuse(struct parser *parser, const char *expected)
{
	parser->expected = expected;
	return false;
}

static bool emit(struct parser *parser, enum op op, int32_t a, int32_t b)
{
	struct regex_program *program = parser->program;

	if (program->n >= REGEX_CODE_MAX - 1) // the last one is OP_MATCH
		return refuse(parser, "a pattern that is smaller when its repetitions are written out");
	program->code[program->n++] = (struct instruction){ op, a, b };
	return true;
}

static bool insert(struct parser *parser, int before, enum op op, int32_t a, int32_t b)
{
	struct instruction *at = &parser->program->code[before];

	if (!emit(parser, op, a, b))
		return false;
	memmove(at + 1, at, (size_t)(parser->program->n - 1 - before) * sizeof(*at));
	*at = (struct instruction){ op, a, b };
	return true;
}

static bool emit_char(struct parser *parser, uint32_t code)
{
	return emit(parser, OP_CHAR, (int32_t)code,
		    (int32_t)(parser->any_case ? other_case(code) : code));
}

/* ---- Classes ---- */

static void class_add(struct regex_program *program, uint32_t low, uint32_t high)
{
	struct class *class = &program->classes[program->n_classes];

	for (uint32_t code = low; code <= high && code < 0x80; code++)
		class->ascii[code / 32] |= 1u << (code % 32);
	if (high < 0x80)
		return;
	program->ranges[program->n_ranges++] = (struct range){ low < 0x80 ? 0x80 : low, high };
	class->n_ranges++;
}

/* The d, w or s of an escape; a capital is all but that. */
static void class_add_named(struct regex_program *program, char name)
{
	char small = (char)(name | 0x20);

	for (uint32_t code = 0; code < 0x80; code++) {
		bool in = small == 'd'	 ? code >= '0' && code <= '9'
			  : small == 'w' ? is_word(code)
					 : code == ' ' || (code >= '\t' && code <= '\r');

		if (in == (name == small))
			class_add(program, code, code);
	}
	if (name != small)
		class_add(program, 0x80, CODE_POINT_MAX);
}

static void class_begin(struct regex_program *program)
{
	program->classes[program->n_classes] = (struct class){ .first_range = program->n_ranges };
}

static bool class_end(struct parser *parser, bool negated)
{
	struct regex_program *program = parser->program;
	struct class *class = &program->classes[program->n_classes];

	for (uint32_t code = 'a'; parser->any_case && code <= 'z'; code++)
		if (ascii_has(class->ascii, code) || ascii_has(class->ascii, other_case(code))) {
			class_add(program, code, code);
			class_add(program, other_case(code), other_case(code));
		}
	for (int i = 0; negated && i < 4; i++)
		class->ascii[i] = ~class->ascii[i];
	class->negated = negated;
	return emit(parser, OP_CLASS, program->n_classes++, 0);
}

static bool is_class_name(char c)
{
	return c && strchr("dwsDWS", c);
}

/* A character, or an escape that is one. */
static bool read_char(struct parser *parser, uint32_t *ret_code)
{
	static const char names[] = "ntrfv", codes[] = "\n\t\r\f\v";
	const char *name;

	if (*parser->at == '\\') {
		char c = *++parser->at;

		if (c == '\0')
			return refuse(parser, "a pattern with something behind its last backslash");
		if (c >= '0' && c <= '9')
			return refuse(parser, "a pattern without backreferences, which are not known");
		name = strchr(names, c);
		if (!name && is_letter((unsigned char)c))
			return refuse(parser, "a pattern with no other escapes than \\d \\w \\s \\b, \\D \\W "
					      "\\S \\B, \\n \\t \\r \\f \\v and those of signs");
		if (name) {
			*ret_code = (unsigned char)codes[name - names];
			parser->at++;
			return true;
		}
	}
	*ret_code = next_code(&parser->at);
	return true;
}

static bool parse_range(struct parser *parser)
{
	uint32_t low, high;

	if (strncmp(parser->at, "[:", 2) == 0)
		return refuse(parser, "a pattern without [:names:] in its classes");
	if (*parser->at == '\\' && is_class_name(parser->at[1])) {
		class_add_named(parser->program, parser->at[1]);
		parser->at += 2;
		return true;
	}
	if (!read_char(parser, &low))
		return false;
	high = low;
	if (*parser->at == '-' && parser->at[1] && parser->at[1] != ']') {
		parser->at++;
		if (!read_char(parser, &high))
			return false;
	}
	if (high < low)
		return refuse(parser, "a pattern whose ranges begin with the lower end");
	class_add(parser->program, low, high);
	return true;
}

/* Behind the bracket. */
static bool parse_class(struct parser *parser)
{
	bool negated = *parser->at == '^';

	parser->at += negated;
	class_begin(parser->program);
	do {
		if (*parser->at == '\0')
			return refuse(parser, "a pattern whose classes are closed");
		if (!parse_range(parser))
			return false;
	} while (*parser->at != ']');
	parser->at++;
	return class_end(parser, negated);
}

/* ---- Repetitions ---- */

static const char *read_number(const char *at, int *ret_number)
{
	if (*at >= '0' && *at <= '9')
		*ret_number = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		if (*ret_number <= REGEX_REPEAT_MAX)
			*ret_number = *ret_number * 10 + (*at - '0');
	return at;
}

/* What is behind it, or NULL: there is none. */
static const char *read_bounds(const char *at, int *ret_min, int *ret_max)
{
	*ret_min = *at == '+';
	*ret_max = *at == '?' ? 1 : UNBOUNDED;
	if (*at == '*' || *at == '+' || *at == '?')
		return at + 1;
	if (*at != '{' || at[1] == '}')
		return NULL;
	at = read_number(at + 1, ret_min);
	if (*at == ',')
		at = read_number(at + 1, ret_max);
	else
		*ret_max = *ret_min;
	return *at == '}' ? at + 1 : NULL;
}

static bool copy(struct parser *parser, int from, int length)
{
	const struct instruction *code = parser->program->code;

	for (int i = from; i < from + length; i++)
		if (!emit(parser, code[i].op, code[i].a, code[i].b))
			return false;
	return true;
}

/* What begins there and is the last there is, as often as that. */
static bool repeat(struct parser *parser, int start, int min, int max)
{
	int length = parser->program->n - start, optional = max - min, i = 0;

	if (length == 0 || max == 0) {
		parser->program->n = start;
		return true;
	}
	if (min == 0) {
		int behind = max == UNBOUNDED ? length + 2 : optional * (length + 1);

		if (!insert(parser, start++, OP_SPLIT, 1, behind))
			return false;
		i = 1;
	}
	for (int k = 1; k < min; k++)
		if (!copy(parser, start, length))
			return false;
	if (max == UNBOUNDED)
		return min == 0 ? emit(parser, OP_JUMP, -(length + 1), 0)
				: emit(parser, OP_SPLIT, -length, 1);
	for (; i < optional; i++)
		if (!emit(parser, OP_SPLIT, 1, (optional - i) * (length + 1)) ||
		    !copy(parser, start, length))
			return false;
	return true;
}

static bool parse_repeat(struct parser *parser, int start, bool repeatable)
{
	int min, max;
	const char *behind = read_bounds(parser->at, &min, &max);

	if (!behind)
		return true;
	if (!repeatable)
		return refuse(parser, "a pattern with something to repeat before each * + ? {m,n}");
	if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX)
		return refuse(parser, "a pattern that repeats nothing more than 1000 times");
	if (max != UNBOUNDED && max < min)
		return refuse(parser, "a pattern whose {m,n} begin with the lower number");
	parser->at = behind + (*behind == '?'); // as few as possible: found all the same
	if (read_bounds(parser->at, &(int){ 0 }, &(int){ 0 }))
		return refuse(parser, "a pattern with something to repeat before each * + ? {m,n}");
	return repeat(parser, start, min, max);
}

/* ---- Groups ---- */

static bool parse_alternatives(struct parser *parser);

/* Behind the parenthesis. */
static bool parse_group(struct parser *parser)
{
	const char *at = parser->at;

	if (*at == '?') {
		at += at[1] == '<';
		if (at[1] == '=' || at[1] == '!')
			return refuse(parser, "a pattern without lookaround, which is not known");
		if (at[1] != ':')
			return refuse(parser, "a pattern without other (?...) than (?:...), and (?i) at its "
					      "start");
		parser->at += 2;
	}
	if (++parser->depth > REGEX_DEPTH_MAX)
		return refuse(parser, "a pattern with at most 64 groups inside each other");
	if (!parse_alternatives(parser))
		return false;
	if (*parser->at != ')')
		return refuse(parser, "a pattern whose groups are closed");
	parser->at++;
	parser->depth--;
	return true;
}

static bool parse_named(struct parser *parser, char name)
{
	parser->at += 2;
	if (name == 'b' || name == 'B')
		return emit(parser, name == 'b' ? OP_WORD_EDGE : OP_NO_WORD_EDGE, 0, 0);
	class_begin(parser->program);
	class_add_named(parser->program, name);
	return class_end(parser, false);
}

static bool parse_any(struct parser *parser)
{
	class_begin(parser->program);
	class_add(parser->program, '\n', '\n');
	return class_end(parser, true);
}

static bool parse_atom(struct parser *parser, bool *ret_repeatable)
{
	uint32_t code;
	char c = *parser->at, name = c == '\\' ? parser->at[1] : '\0';

	*ret_repeatable = c != '^' && c != '$' && name != 'b' && name != 'B';
	if (is_class_name(name) || name == 'b' || name == 'B')
		return parse_named(parser, name);
	if (read_bounds(parser->at, &(int){ 0 }, &(int){ 0 }))
		return refuse(parser, "a pattern with something to repeat before each * + ? {m,n}");
	if (c != '\\')
		parser->at++;
	switch (c) {
	case '(':
		return parse_group(parser);
	case '[':
		return parse_class(parser);
	case '.':
		return parse_any(parser);
	case '^':
		return emit(parser, OP_BEGIN, 0, 0);
	case '$':
		return emit(parser, OP_END, 0, 0);
	default:
		if (c != '\\')
			parser->at--;
		return read_char(parser, &code) && emit_char(parser, code);
	}
}

/* The jumps at their ends are a chain until it is known where the last one ends. */
static bool parse_alternatives(struct parser *parser)
{
	struct regex_program *program = parser->program;
	int start = program->n, jumps = -1;
	bool repeatable;

	while (*parser->at && *parser->at != ')') {
		int atom = program->n;

		if (*parser->at != '|') {
			if (!parse_atom(parser, &repeatable) || !parse_repeat(parser, atom, repeatable))
				return false;
			continue;
		}
		parser->at++;
		if (!insert(parser, start, OP_SPLIT, 1, program->n - start + 2) ||
		    !emit(parser, OP_JUMP, jumps, 0))
			return false;
		jumps = program->n - 1;
		start = program->n;
	}
	while (jumps >= 0) {
		int before = program->code[jumps].a;

		program->code[jumps].a = program->n - jumps;
		jumps = before;
	}
	return true;
}

int regex_parse(const char *pattern, struct regex_program *program, const char **ret_expected)
{
	struct parser parser = { .at = pattern, .program = program };
	bool fits = utf8_length(pattern, strlen(pattern)) <= REGEX_CHARS_MAX;

	program->n = program->n_classes = program->n_ranges = 0;
	parser.any_case = strncmp(pattern, "(?i)", 4) == 0;
	parser.at += parser.any_case ? 4 : 0;
	if (!fits)
		refuse(&parser, "a pattern of at most 1000 characters");
	else if (parse_alternatives(&parser) && *parser.at)
		refuse(&parser, "a pattern whose groups are opened");
	*ret_expected = parser.expected;
	program->code[program->n++] = (struct instruction){ .op = OP_MATCH };
	return parser.expected ? -EINVAL : 0;
}
