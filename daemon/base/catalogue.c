#include "daemon/base/catalogue.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/evaluators_text.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define INPUTS_MAX 8
#define ANCHORS 5
#define AGAINST_MAX 12

/* What makes a section, as its lines are read. */
struct section {
	const char *name, *intent, *function, *embeddings;
	const char *inputs[INPUTS_MAX];
	size_t n_inputs;
	const char *criteria; // paragraphs
	const char *anchors[ANCHORS];
	size_t n_anchors;
	const char *against[AGAINST_MAX];
	size_t n_against;
	const char **last; // what a line that begins with a blank continues
};

struct catalogue {
	struct arena arena;
	struct catalogue_entry *entries;
	size_t n_entries;
	size_t capacity;
	int64_t version;
};

struct reader {
	struct catalogue *catalogue;
	struct section section;
};

static const char *const anchor_marks[ANCHORS] = { "1: ", "0.75: ", "0.5: ", "0.25: ", "0: " };

/* Inputs that have a heading of their own in a prompt, in this order; others follow the contexts. */
static const struct {
	const char *name, *heading;
	int rank;
} headings[] = {
	{ "request", "Request", 0 },
	{ "contexts", "Contexts", 1 },
	{ "tools", "Tools", 2 },
	{ "expected_output", "Expected output", 4 },
	{ "response", "Response", 5 },
};
#define RANK_OTHER 3

/* ---- Prompts ---- */

static int rank_of(const char *input, const char **ret_heading)
{
	for (size_t i = 0; i < sizeof(headings) / sizeof(*headings); i++)
		if (strcmp(headings[i].name, input) == 0) {
			*ret_heading = headings[i].heading;
			return headings[i].rank;
		}
	*ret_heading = NULL;
	return RANK_OTHER;
}

static void sort_inputs(struct section *section)
{
	const char *heading;

	for (size_t i = 1; i < section->n_inputs; i++)
		for (size_t k = i; k > 0; k--) {
			const char *before = section->inputs[k - 1], *input = section->inputs[k];

			if (rank_of(before, &heading) <= rank_of(input, &heading))
				break;
			section->inputs[k - 1] = input;
			section->inputs[k] = before;
		}
}

/* Each adds to `text`, NULL without memory. */
static char *add_anchors(struct arena *arena, const struct section *section, char *text)
{
	for (size_t i = 0; i < ANCHORS && text; i++)
		text = arena_printf(arena, "%s%s%s\n", text, anchor_marks[i], section->anchors[i]);
	return text;
}

static char *add_against(struct arena *arena, const struct section *section, char *text)
{
	for (size_t i = 0; i < section->n_against && text; i++)
		text = arena_printf(arena, "%s- %s\n", text, section->against[i]);
	return text;
}

static char *add_inputs(struct arena *arena, const struct section *section, char *text)
{
	for (size_t i = 0; i < section->n_inputs && text; i++) {
		const char *heading, *name = section->inputs[i];

		rank_of(name, &heading);
		text = heading ? arena_printf(arena, "%s\n%s:\n{{%s}}\n", text, heading, name)
			       : arena_printf(arena, "%s\n%c%s:\n{{%s}}\n", text,
					      toupper((unsigned char)name[0]), name + 1, name);
	}
	return text;
}

static const char *make_prompt(struct arena *arena, const struct section *section)
{
	char *text = arena_printf(arena, "%s. %s\n\n%s\n\nScale, of which any value in between may be "
				  "taken:\n", section->name, section->intent, section->criteria);

	text = text ? add_anchors(arena, section, text) : NULL;
	text = text ? arena_printf(arena, "%s\nWhat counts against it:\n", text) : NULL;
	text = text ? add_against(arena, section, text) : NULL;
	return text ? add_inputs(arena, section, text) : NULL;
}

/* ---- Sections ---- */

static struct catalogue_entry *add_entry(struct catalogue *catalogue)
{
	size_t capacity = catalogue->capacity ? 2 * catalogue->capacity : 64;
	struct catalogue_entry *entries;

	if (catalogue->n_entries == catalogue->capacity) {
		entries = realloc(catalogue->entries, capacity * sizeof(*entries));
		if (!entries)
			return NULL;
		catalogue->entries = entries;
		catalogue->capacity = capacity;
	}
	return &catalogue->entries[catalogue->n_entries++];
}

/* What it lacks, or NULL. */
static const char *lacking(const struct section *section)
{
	if (!section->intent)
		return "an intent in the section before";
	if (section->n_inputs == 0)
		return "inputs in the section before";
	if (section->function)
		return section->criteria || section->n_anchors || section->n_against
			       ? "either a function or a prompt in the section before" : NULL;
	if (section->embeddings && (strcmp(section->embeddings, "yes") != 0 || section->n_inputs != 2))
		return "embeddings: yes, of two inputs, in the section before";
	if (!section->criteria)
		return "what to look at in the section before";
	if (section->n_anchors < ANCHORS)
		return "anchors for 1, 0.75, 0.5, 0.25 and 0 in the section before";
	return section->n_against == 0 ? "what counts against it in the section before" : NULL;
}

/* All of these answer what is expected in the place of what is there, or NULL: it is in order. */
static const char *close_section(struct reader *reader)
{
	struct catalogue *catalogue = reader->catalogue;
	struct section *section = &reader->section;
	struct catalogue_entry *entry;
	const char *wrong;

	if (!section->name)
		return NULL;
	wrong = lacking(section);
	if (wrong)
		return wrong;
	sort_inputs(section);
	entry = add_entry(catalogue);
	if (!entry)
		return "more memory";
	*entry = (struct catalogue_entry){
		.name = section->name,
		.intent = section->intent,
		.function = section->function,
		.inputs = arena_array(&catalogue->arena, section->n_inputs, sizeof(*entry->inputs)),
		.n_inputs = section->n_inputs,
		.embeddings = section->embeddings != NULL,
	};
	if (!section->function)
		entry->prompt = make_prompt(&catalogue->arena, section);
	if (!entry->inputs || (!section->function && !entry->prompt))
		return "more memory";
	memcpy(entry->inputs, section->inputs, section->n_inputs * sizeof(*entry->inputs));
	return NULL;
}

static const char *open_section(struct reader *reader, char *line)
{
	size_t size = strlen(line), chars = utf8_length(line + 1, size - 2);
	const char *wrong = close_section(reader);

	if (wrong)
		return wrong;
	if (line[size - 1] != ']' || chars == 0 || chars > NAME_MAX_CHARS)
		return "[NAME]";
	line[size - 1] = '\0';
	if (catalogue_find(reader->catalogue, line + 1))
		return "another name: there is one of this";
	reader->section = (struct section){ .name = line + 1 };
	return NULL;
}

static bool is_input_name(const char *name)
{
	size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

	return size > 0 && name[size] == '\0';
}

static const char *take_inputs(struct section *section, char *list)
{
	char *rest = list, *name;

	if (section->n_inputs > 0)
		return "inputs once";
	while ((name = strsep(&rest, ","))) {
		name += strspn(name, " ");
		if (!is_input_name(name))
			return "names of inputs, with commas between them";
		for (size_t i = 0; i < section->n_inputs; i++)
			if (strcmp(section->inputs[i], name) == 0)
				return "each input once";
		if (section->n_inputs == INPUTS_MAX)
			return "fewer inputs";
		section->inputs[section->n_inputs++] = name;
	}
	return NULL;
}

static char *behind(char *line, const char *mark)
{
	size_t size = strlen(mark);

	return strncmp(line, mark, size) == 0 ? line + size : NULL;
}

static const char *take_once(struct section *section, const char **text, char *line)
{
	if (*text)
		return "an intent, a function or the like once";
	*text = line;
	section->last = text;
	return NULL;
}

static const char *take_against(struct section *section, char *line)
{
	if (section->n_against == AGAINST_MAX)
		return "fewer lines against it";
	return take_once(section, &section->against[section->n_against++], line);
}

static const char *take_anchor(struct section *section, size_t i, char *line)
{
	if (i != section->n_anchors)
		return "anchors for 1, 0.75, 0.5, 0.25 and 0, in this order";
	return take_once(section, &section->anchors[section->n_anchors++], line);
}

/* A line that is none of these is of the paragraphs. */
static const char *take_marked(struct section *section, char *line, bool *ret_marked)
{
	char *rest;

	*ret_marked = true;
	if ((rest = behind(line, "inputs: ")))
		return take_inputs(section, rest);
	if ((rest = behind(line, "intent: ")))
		return take_once(section, &section->intent, rest);
	if ((rest = behind(line, "function: ")))
		return take_once(section, &section->function, rest);
	if ((rest = behind(line, "embeddings: ")))
		return take_once(section, &section->embeddings, rest);
	if ((rest = behind(line, "- ")))
		return take_against(section, rest);
	for (size_t i = 0; i < ANCHORS; i++)
		if ((rest = behind(line, anchor_marks[i])))
			return take_anchor(section, i, rest);
	*ret_marked = false;
	return NULL;
}

static const char *join(struct arena *arena, const char **text, const char *between, const char *line)
{
	*text = arena_printf(arena, "%s%s%s", *text, between, line);
	return *text ? NULL : "more memory";
}

static const char *read_line(struct reader *reader, char *line, bool after_empty)
{
	struct arena *arena = &reader->catalogue->arena;
	struct section *section = &reader->section;
	const char *wrong;
	bool marked;

	if (line[0] == '[')
		return open_section(reader, line);
	if (!section->name) {
		char *end;

		if (strncmp(line, "version ", 8) != 0 || reader->catalogue->version)
			return "version NUMBER, and then sections";
		reader->catalogue->version = strtoll(line + 8, &end, 10);
		return *end || reader->catalogue->version < 1 ? "version NUMBER" : NULL;
	}
	if (line[0] == ' ')
		return section->last ? join(arena, section->last, " ", line + strspn(line, " "))
				     : "something that this line continues";
	wrong = take_marked(section, line, &marked);
	if (wrong || marked)
		return wrong;
	if (section->n_anchors > 0 || section->n_against > 0)
		return "what to look at before the scale";
	section->last = NULL;
	if (section->criteria)
		return join(arena, &section->criteria, after_empty ? "\n\n" : " ", line);
	section->criteria = line;
	return NULL;
}

/* Spoils the text, which the entries point into. */
static int read_all(struct catalogue *catalogue, char *text, const char *where, struct fault *fault)
{
	struct reader reader = { .catalogue = catalogue };
	const char *wrong = NULL;
	char *next = text, *line;
	bool after_empty = false;
	int number = 0;

	while (!wrong && (line = strsep(&next, "\n"))) {
		number++;
		if (line[0] == '#')
			continue;
		if (line[0])
			wrong = read_line(&reader, line, after_empty);
		after_empty = !line[0];
	}
	if (!wrong)
		wrong = close_section(&reader);
	if (!wrong && catalogue->n_entries == 0)
		wrong = "a section";
	return wrong ? fault_set(fault, -EINVAL, "%s:%d: expected %s", where, number, wrong) : 0;
}

int catalogue_new(const char *text, const char *where, struct catalogue **ret_catalogue,
		  struct fault *fault)
{
	struct catalogue *catalogue = calloc(1, sizeof(*catalogue));
	char *copy;
	int r;

	if (!catalogue)
		return fault_oom(fault);
	arena_init(&catalogue->arena);
	copy = arena_strdup(&catalogue->arena, text ? text : evaluators_text);
	r = copy ? read_all(catalogue, copy, where, fault) : fault_oom(fault);
	if (r < 0) {
		catalogue_free(catalogue);
		return r;
	}
	*ret_catalogue = catalogue;
	return 0;
}

struct catalogue *catalogue_free(struct catalogue *catalogue)
{
	if (!catalogue)
		return NULL;
	arena_done(&catalogue->arena);
	free(catalogue->entries);
	free(catalogue);
	return NULL;
}

int64_t catalogue_version(const struct catalogue *catalogue)
{
	return catalogue->version;
}

const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue, size_t index)
{
	return index < catalogue->n_entries ? &catalogue->entries[index] : NULL;
}

const struct catalogue_entry *catalogue_find(const struct catalogue *catalogue, const char *name)
{
	for (size_t i = 0; i < catalogue->n_entries; i++)
		if (strcmp(catalogue->entries[i].name, name) == 0)
			return &catalogue->entries[i];
	return NULL;
}
