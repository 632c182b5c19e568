/*
 * The built-in evaluators: that the catalogue is whole, that no prompt changes unnoticed, that what takes
 * no model tells a good example from a bad one, and that a file which is not in order is refused.
 */
#include "daemon/base/catalogue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/sha256.h"
#include "daemon/work/judging/metrics/metric.h"
#include "proto/content/template.h"
#include "tests/unit/suite.h"

static struct catalogue *catalogue;
static struct arena arena;

static void setup(void)
{
	struct fault fault = { 0 };
	int r = catalogue_new(NULL, "evaluators.txt", &catalogue, &fault);

	ck_assert_msg(r == 0, "%s", fault.message);
	arena_init(&arena);
}

static void teardown(void)
{
	catalogue = catalogue_free(catalogue);
	arena_done(&arena);
}

/* ---- What is in it ---- */

static bool has_input(const struct catalogue_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->n_inputs; i++)
		if (strcmp(entry->inputs[i], name) == 0)
			return true;
	return false;
}

START_TEST(whole)
{
	const struct catalogue_entry *entry;
	size_t n_models = 0, n_functions = 0;

	for (size_t i = 0; (entry = catalogue_at(catalogue, i)); i++) {
		ck_assert_ptr_eq(catalogue_find(catalogue, entry->name), entry);
		ck_assert_uint_gt(strlen(entry->intent), 20);
		if (entry->function) {
			n_functions++;
			ck_assert_msg(metric_is_known(entry->function), "%s", entry->function);
			ck_assert_ptr_null(entry->prompt);
		} else {
			n_models++;
			ck_assert_msg(strlen(entry->prompt) > 700, "%s", entry->name);
		}
	}
	ck_assert_uint_eq(n_models, 39);
	ck_assert_uint_eq(n_functions, 21);
	ck_assert_int_ge(catalogue_version(catalogue), 1);
	ck_assert_ptr_null(catalogue_find(catalogue, "faithfulness"));
}
END_TEST

/* Its inputs are the placeholders of its prompt, in their order. */
START_TEST(inputs_are_placeholders)
{
	const struct catalogue_entry *entry;

	for (size_t i = 0; (entry = catalogue_at(catalogue, i)); i++) {
		struct ellu_message message = ELLU_RECORD(struct ellu_message);
		const struct ellu_message *messages[] = { &message };
		const char *const *names;
		size_t n;

		if (!entry->prompt)
			continue;
		message.content = entry->prompt;
		ck_assert_int_eq(template_placeholders(messages, 1, &arena, &names, &n), 0);
		ck_assert_uint_eq(n, entry->n_inputs);
		for (size_t k = 0; k < n; k++)
			ck_assert_str_eq(names[k], entry->inputs[k]);
	}
}
END_TEST

/* ---- Prompts ---- */

static void hash(const char *text, char ret_hex[static SHA256_TEXT_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	sha256_add(&hash, text, strlen(text));
	sha256_done(&hash, digest);
	sha256_text(digest, ret_hex);
}

static const char *hashes(void)
{
	const struct catalogue_entry *entry;
	char hex[SHA256_TEXT_SIZE];
	const char *text = arena_printf(&arena, "version %d\n", (int)catalogue_version(catalogue));

	for (size_t i = 0; (entry = catalogue_at(catalogue, i)); i++)
		if (entry->prompt) {
			hash(entry->prompt, hex);
			text = arena_printf(&arena, "%s%s %s\n", text, hex, entry->name);
		}
	return text;
}

/* A prompt that is not what it was needs another version, since scores by both say different things. */
START_TEST(golden_prompts)
{
	static char expected[16384];
	FILE *file = fopen(SAMPLES_FOLDER "/evaluators/prompts.txt", "r");
	const char *found = hashes();

	ck_assert_ptr_nonnull(file);
	expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
	fclose(file);
	ck_assert_msg(strcmp(expected, found) == 0, "prompts changed: raise the version in evaluators.txt, and "
		      "have this in evaluators/prompts.txt:\n%s", found);
}
END_TEST

START_TEST(a_prompt)
{
	static const char expected[] =
		"Context Completeness. Whether the contexts hold all that is needed to answer the request.\n"
		"\n"
		"List what somebody who knows nothing else would need in order to answer the request in full, and "
		"look for each in the contexts. What is not needed does not count against them.\n"
		"\n"
		"Scale, of which any value in between may be taken:\n"
		"1: The request can be answered in full from the contexts alone.\n"
		"0.75: It can be answered, but for a lesser part.\n"
		"0.5: About half of what is needed is there.\n"
		"0.25: A hint at the answer, from which it could only be guessed.\n"
		"0: Nothing that is needed is there.\n"
		"\n"
		"What counts against it:\n"
		"- parts of the request on which the contexts say nothing\n"
		"- facts that are alluded to and not given\n"
		"- contexts that contradict each other on what is needed\n"
		"\n"
		"Request:\n"
		"{{request}}\n"
		"\n"
		"Contexts:\n"
		"{{contexts}}\n";

	ck_assert_str_eq(catalogue_find(catalogue, "Context Completeness")->prompt, expected);
}
END_TEST

/* ---- Examples ---- */

static json_object *member(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

static void add_members(json_object *inputs, json_object *more)
{
	if (!more)
		return;
	json_object_object_foreach(more, name, value)
		json_object_object_add(inputs, name, json_object_get(value));
}

/* What both examples have, and what this one has. */
static json_object *make_inputs(json_object *example, const char *which)
{
	json_object *inputs = json_object_new_object(), *shared = member(example, "inputs");
	json_object *own = member(example, which);

	ck_assert(json_object_is_type(own, json_type_object));
	add_members(inputs, shared);
	add_members(inputs, own);
	return inputs;
}

static double decide(const struct catalogue_entry *entry, json_object *inputs)
{
	struct metric_score score;
	struct fault fault = { 0 };
	size_t steps;
	int r = metric_decide(entry->function, inputs, &arena, &score, &steps, &fault);

	ck_assert_msg(r == 0, "%s: %s", entry->name, fault.message);
	return score.score;
}

/* Each has one of both that gives all its inputs and no more. What a function decides is told apart. */
START_TEST(good_and_bad)
{
	json_object *examples = json_object_from_file(SAMPLES_FOLDER "/evaluators/examples.json");
	static const char *const which[] = { "good", "bad" };
	const struct catalogue_entry *entry;
	double scores[2];

	ck_assert_msg(examples != NULL, "%s", json_util_get_last_err());
	for (size_t i = 0; (entry = catalogue_at(catalogue, i)); i++) {
		for (size_t k = 0; k < 2; k++) {
			json_object *inputs = make_inputs(member(examples, entry->name), which[k]);

			ck_assert_uint_eq(json_object_object_length(inputs), entry->n_inputs);
			json_object_object_foreach(inputs, name, value) {
				ck_assert_ptr_nonnull(value);
				ck_assert_msg(has_input(entry, name), "%s: %s", entry->name, name);
			}
			if (entry->function)
				scores[k] = decide(entry, inputs);
			json_object_put(inputs);
		}
		if (entry->function) {
			ck_assert_msg(scores[0] >= 0.7 && scores[1] <= 0.5, "%s: %f and %f", entry->name, scores[0],
				      scores[1]);
		}
	}
	ck_assert_uint_eq(json_object_object_length(examples), 60);
	json_object_put(examples);
}
END_TEST

/* Whoever leaves one out gets its name. */
START_TEST(a_missing_input)
{
	json_object *examples = json_object_from_file(SAMPLES_FOLDER "/evaluators/examples.json");
	const struct catalogue_entry *entry;

	for (size_t i = 0; (entry = catalogue_at(catalogue, i)); i++)
		for (size_t k = 0; entry->function && k < entry->n_inputs; k++) {
			json_object *inputs = make_inputs(member(examples, entry->name), "good");
			struct metric_score score;
			struct fault fault = { 0 };
			size_t steps;

			json_object_object_del(inputs, entry->inputs[k]);
			ck_assert_int_eq(metric_decide(entry->function, inputs, &arena, &score, &steps, &fault),
					 ELLU_E_INVALID_PARAMETER);
			ck_assert_str_eq(fault.field, entry->inputs[k]);
			json_object_put(inputs);
		}
	json_object_put(examples);
}
END_TEST

/* ---- Other files ---- */

#define HEAD "version 1\n\n[A]\nintent: What it is.\ninputs: response\n\n"
#define SCALE "1: a\n0.75: b\n0.5: c\n0.25: d\n0: e\n\n"

START_TEST(refused)
{
	static const struct {
		const char *text, *wrong;
	} table[] = {
		{ "", "x:1: expected a section" },
		{ "version 1\n", "x:2: expected a section" },
		{ "version none\n", "x:1: expected version NUMBER" },
		{ "version 1\nversion 2\n", "x:2: expected version NUMBER, and then sections" },
		{ "What is this?\n", "x:1: expected version NUMBER, and then sections" },
		{ "version 1\n[A\n", "x:2: expected [NAME]" },
		{ "version 1\n[]\n", "x:2: expected [NAME]" },
		{ "version 1\n[A]\n", "x:3: expected an intent in the section before" },
		{ "version 1\n[A]\nintent: a\n", "x:4: expected inputs in the section before" },
		{ "version 1\n[A]\nintent: a\nintent: b\n", "x:4: expected an intent, a function or the like once" },
		{ "version 1\n[A]\ninputs: a,\n", "x:3: expected names of inputs, with commas between them" },
		{ "version 1\n[A]\ninputs: a, A\n", "x:3: expected names of inputs, with commas between them" },
		{ "version 1\n[A]\ninputs: a, a\n", "x:3: expected each input once" },
		{ "version 1\n[A]\ninputs: a,b,c,d,e,f,g,h,i\n", "x:3: expected fewer inputs" },
		{ "version 1\n[A]\n more\n", "x:3: expected something that this line continues" },
		{ HEAD, "x:7: expected what to look at in the section before" },
		{ HEAD "Look.\n", "x:8: expected anchors for 1, 0.75, 0.5, 0.25 and 0 in the section before" },
		{ HEAD "Look.\n" SCALE, "x:14: expected what counts against it in the section before" },
		{ HEAD "Look.\n1: a\n0.5: b\n", "x:9: expected anchors for 1, 0.75, 0.5, 0.25 and 0, in this order" },
		{ HEAD "Look.\n" SCALE "Look there, too.\n", "x:14: expected what to look at before the scale" },
		{ HEAD "Look.\nfunction: equals\n", "x:9: expected either a function or a prompt in the section before" },
		{ HEAD "embeddings: yes\nLook.\n", "x:9: expected embeddings: yes, of two inputs, in the section before" },
		{ HEAD "function: equals\n\n[A]\n", "x:9: expected another name: there is one of this" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct catalogue *made = NULL;
		struct fault fault = { 0 };

		ck_assert_int_eq(catalogue_new(table[i].text, "x", &made, &fault), -EINVAL);
		ck_assert_str_eq(fault.message, table[i].wrong);
		ck_assert_ptr_null(made);
	}
}
END_TEST

START_TEST(continued)
{
	static const char text[] = "# said of it\n" HEAD "One\ntwo.\n\nThree.\n1: a\n  and b\n0.75: b\n0.5: c\n"
				   "0.25: d\n0: e\n- this\n  or that\n[B]\nintent: b\ninputs: response, policy, request\n"
				   "function: equals";
	struct catalogue *made;
	struct fault fault = { 0 };

	ck_assert_int_eq(catalogue_new(text, "x", &made, &fault), 0);
	ck_assert_str_eq(catalogue_at(made, 0)->prompt,
			 "A. What it is.\n\nOne two.\n\nThree.\n\nScale, of which any value in between may be taken:\n"
			 "1: a and b\n0.75: b\n0.5: c\n0.25: d\n0: e\n\nWhat counts against it:\n- this or that\n"
			 "\nResponse:\n{{response}}\n");
	ck_assert_str_eq(catalogue_at(made, 1)->inputs[0], "request");
	ck_assert_str_eq(catalogue_at(made, 1)->inputs[1], "policy");
	ck_assert_str_eq(catalogue_at(made, 1)->inputs[2], "response");
	ck_assert_ptr_null(catalogue_at(made, 2));
	catalogue_free(made);
}
END_TEST

int main(void)
{
	return RUN_TESTS_WITH(setup, teardown, whole, inputs_are_placeholders, golden_prompts, a_prompt, good_and_bad,
			      a_missing_input, refused, continued);
}
