#include "proto/text/regex.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/text/regex_program.h"

int regex_check(const char *pattern, const char **ret_expected)
{
	struct regex_program *program = malloc(sizeof(*program));

	if (!program)
		return -ENOMEM;
	(void)regex_parse(pattern, program, ret_expected);
	free(program);
	return 0;
}

/* ---- Finding ---- */

static bool class_has(const struct regex_program *program, const struct class *class, uint32_t code,
		      size_t *steps)
{
	const struct range *range = &program->ranges[class->first_range];

	if (code < 0x80)
		return ascii_has(class->ascii, code);
	for (int i = 0; i < class->n_ranges; i++, range++) {
		++*steps;
		if (code >= range->low && code <= range->high)
			return !class->negated;
	}
	return class->negated;
}

struct finder {
	struct regex_program program;
	const char *text, *at;
	size_t steps;
	bool found;
	bool edges_hold; // all of them, wherever it is
	uint32_t first[4]; // of ASCII, what can begin: anything else is passed over
	uint32_t turn; // one a character
	uint32_t seen[REGEX_CODE_MAX]; // the turn when
	int threads[2][REGEX_CODE_MAX], n_threads[2]; // before a character; by turn, odd or even
	int stack[2 * REGEX_CODE_MAX + 1];
};

static bool edge_holds(const struct finder *finder, enum op op)
{
	const char *at = finder->at;
	bool behind_word = at > finder->text && is_word((unsigned char)at[-1]);

	if (finder->edges_hold)
		return true;
	if (op == OP_BEGIN)
		return at == finder->text;
	if (op == OP_END)
		return *at == '\0' || (*at == '\n' && at[1] == '\0');
	return (behind_word != is_word((unsigned char)*at)) == (op == OP_WORD_EDGE);
}

/* A thread there, and those that it splits into, up to where each wants a character. */
static void start_thread(struct finder *finder, int where)
{
	int *stack = finder->stack, n = 0, side = finder->turn % 2;

	stack[n++] = where;
	while (n > 0) {
		int i = stack[--n];
		const struct instruction *instruction = &finder->program.code[i];

		finder->steps++;
		if (finder->seen[i] == finder->turn)
			continue;
		finder->seen[i] = finder->turn;
		switch (instruction->op) {
		case OP_CHAR:
		case OP_CLASS:
			finder->threads[side][finder->n_threads[side]++] = i;
			break;
		case OP_SPLIT:
			stack[n++] = i + instruction->b;
			stack[n++] = i + instruction->a;
			break;
		case OP_JUMP:
			stack[n++] = i + instruction->a;
			break;
		case OP_MATCH:
			finder->found = true;
			return;
		default:
			if (edge_holds(finder, instruction->op))
				stack[n++] = i + 1;
		}
	}
}

static void next_turn(struct finder *finder)
{
	finder->turn++;
	finder->n_threads[finder->turn % 2] = 0;
}

/* What could be found without a character may be found anywhere. */
static void find_first(struct finder *finder)
{
	next_turn(finder);
	finder->edges_hold = true;
	start_thread(finder, 0);
	finder->edges_hold = false;
	for (int i = 0; i < finder->n_threads[1]; i++) {
		const struct instruction *instruction = &finder->program.code[finder->threads[1][i]];
		uint32_t a = (uint32_t)instruction->a, b = (uint32_t)instruction->b;

		if (instruction->op == OP_CLASS)
			for (int k = 0; k < 4; k++)
				finder->first[k] |= finder->program.classes[a].ascii[k];
		else if (a < 0x80)
			finder->first[a / 32] |= 1u << (a % 32);
		if (instruction->op == OP_CHAR && b < 0x80)
			finder->first[b / 32] |= 1u << (b % 32);
	}
	if (finder->found)
		memset(finder->first, 0xff, sizeof(finder->first));
	finder->found = false;
}

static void take_character(struct finder *finder)
{
	const struct regex_program *program = &finder->program;
	int side = finder->turn % 2;
	uint32_t code = next_code(&finder->at);

	next_turn(finder);
	for (int i = 0; i < finder->n_threads[side] && !finder->found; i++) {
		int where = finder->threads[side][i];
		const struct instruction *instruction = &program->code[where];
		bool goes_on;

		finder->steps++;
		if (instruction->op == OP_CLASS)
			goes_on = class_has(program, &program->classes[instruction->a], code,
					    &finder->steps);
		else
			goes_on = code == (uint32_t)instruction->a || code == (uint32_t)instruction->b;
		if (goes_on)
			start_thread(finder, where + 1);
	}
}

static void pass_over(struct finder *finder)
{
	unsigned char c;

	while ((c = (unsigned char)*finder->at) && c < 0x80 && !ascii_has(finder->first, c))
		finder->at++;
}

static int find(struct finder *finder)
{
	bool anchored = finder->program.code[0].op == OP_BEGIN;

	find_first(finder);
	next_turn(finder);
	for (;;) {
		if (!anchored && finder->n_threads[finder->turn % 2] == 0)
			pass_over(finder);
		if (!anchored || finder->at == finder->text)
			start_thread(finder, 0);
		if (finder->found || !*finder->at || (anchored && !finder->n_threads[finder->turn % 2]))
			return 0;
		if (finder->steps > REGEX_STEPS_MAX)
			return -E2BIG;
		take_character(finder);
	}
}

int regex_find(const char *pattern, const char *text, bool *ret_found, size_t *ret_steps,
	       const char **ret_expected)
{
	struct finder *finder = calloc(1, sizeof(*finder));
	int r;

	*ret_steps = 0;
	if (!finder)
		return -ENOMEM;
	r = regex_parse(pattern, &finder->program, ret_expected);
	*ret_steps = (size_t)finder->program.n;
	if (r >= 0) {
		finder->text = finder->at = text;
		finder->steps = (size_t)finder->program.n;
		r = find(finder);
		*ret_found = finder->found;
		*ret_steps = finder->steps;
	}
	free(finder);
	return r;
}
