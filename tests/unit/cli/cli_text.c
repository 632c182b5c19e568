/* What the command prints, and how it reads its arguments. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/commands/offered.h"
#include "client/cli/help.h"
#include "client/cli/view/progress_bar.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "tests/unit/suite.h"

START_TEST(numbers_and_durations)
{
	char text[32];

	ck_assert_str_eq(number_text(text, 0), "0");
	ck_assert_str_eq(number_text(text, -1234), "-1,234");
	ck_assert_str_eq(number_text(text, -123), "-123");
	ck_assert_str_eq(number_text(text, 1234567), "1,234,567");
	ck_assert_str_eq(duration_text(text, 0.5), "0.50 s");
	ck_assert_str_eq(duration_text(text, 9.94), "9.9 s");
	ck_assert_str_eq(duration_text(text, 59.4), "59 s");
	ck_assert_str_eq(duration_text(text, 125), "2:05");
	ck_assert_str_eq(duration_text(text, 3725), "1:02:05");
}
END_TEST

static char *printed(void (*print)(FILE *out))
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out);
	fclose(out);
	return text;
}

static void print_hostile(FILE *out)
{
	text_print(out, "a\033[31mb\tc\nd\x7f\xff\xc2\x9b");
}

static struct output as; // how tables are printed

static void print_table(FILE *out)
{
	struct table *table = table_new_as(&as);

	table_column(table, ">ID");
	table_column(table, "NAME");
	table_printf(table, "%d", 7);
	table_text(table, "a\nb");
	table_text(table, "1234");
	table_text(table, NULL);
	table_print(table, out);
	table_free(table);
}

static void print_narrow(FILE *out)
{
	struct table *table = table_new_as(&as);

	table_column(table, ">CALLS");
	table_column(table, "MODEL");
	table_column(table, "ENDPOINT");
	table_text(table, "12345678");
	table_text(table, "a");
	table_text(table, "http://localhost:8080");
	table_print(table, out);
	table_free(table);
}

/* What a terminal has no room for stands below; only the last column is cut. */
START_TEST(narrow_tables)
{
	const struct {
		int width;
		const char *says;
	} rows[] = {
		{ 40, "   CALLS  MODEL  ENDPOINT\n12345678  a      http://localhost:8080\n" },
		{ 25, "   CALLS  MODEL  ENDPOINT\n12345678  a      http:...\n" },
		{ 24, "   CALLS  MODEL\n  ENDPOINT\n12345678  a\n  http://localhost:8080\n" },
		{ 14, "   CALLS\n  MODEL  ENDPOINT\n12345678\n  a      http:...\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text;

		as = (struct output){ .header = true, .width = rows[i].width };
		text = printed(print_narrow);
		ck_assert_str_eq(text, rows[i].says);
		free(text);
	}
}
END_TEST

static void print_wide(FILE *out)
{
	struct table *table = table_new_as(&as);

	table_column(table, ">ID");
	table_column(table, "VARIABLES");
	table_column(table, "RESPONSE");
	table_text(table, "7");
	table_printf(table, "%0300d", 0);
	table_text(table, "It depends on who asks, and when.");
	table_text(table, "8");
	table_text(table, "a");
	table_text(table, "No.");
	table_print(table, out);
	table_free(table);
}

/* A long text leaves the last one its room, on a terminal by a cut; elsewhere it is whole, and moves nothing. */
START_TEST(long_texts_in_tables)
{
	char *text;

	as = (struct output){ .header = true, .width = 80 };
	text = printed(print_wide);
	ck_assert_str_eq(text, "ID  VARIABLES             RESPONSE\n"
			       " 7  00000000000000000...  It depends on who asks, and when.\n"
			       " 8  a                     No.\n");
	free(text);
	as = (struct output){ .header = true };
	text = printed(print_wide);
	ck_assert_ptr_nonnull(strstr(text, "0000  It depends on who asks, and when.\n"
					   " 8  a          No.\n"));
	ck_assert_uint_eq(strlen(text), strlen("ID  VARIABLES  RESPONSE\n") + 4 + 300 + 2 +
					strlen("It depends on who asks, and when.\n") +
					strlen(" 8  a          No.\n"));
	free(text);
}
END_TEST

static int columns; // of what is wrapped

static void print_wrapped(FILE *out)
{
	text_wrap(out, "some words that go on", 3, columns);
}

START_TEST(wrapping)
{
	const struct {
		int width;
		const char *says;
	} rows[] = {
		{ 0, "some words that go on" },		 { 24, "some words that go on" },
		{ 23, "some words that go\n   on" },	 { 13, "some words\n   that go on" },
		{ 12, "some\n   words\n   that go\n   on" }, { 6, "some words that go on" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text;

		columns = rows[i].width;
		text = printed(print_wrapped);
		ck_assert_str_eq(text, rows[i].says);
		free(text);
	}
}
END_TEST

START_TEST(nothing_commands_the_terminal)
{
	char *text = printed(print_hostile);

	ck_assert_str_eq(text, "a?[31mb\tc\nd???");
	free(text);
	as = (struct output){ .header = true };
	text = printed(print_table);
	ck_assert_str_eq(text, "  ID  NAME\n   7  a b\n1234  \n");
	free(text);
}
END_TEST

/* Two times two rows under one header. */
static void print_cells(FILE *out)
{
	static const char *const cells[] = {
		"plain",  "1",	   "a \"b\",\r\n c", "=1+1",
		" blank", "<b>|\\|", "\033[31m`*_[]~$",  "\xc2\x9b&",
	};
	struct table *table = table_new_as(&as);

	table_column(table, "NAME");
	table_column(table, ">IN FLIGHT");
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		table_text(table, cells[i]);
		table_mark(table, i == 0 ? MEANING_BAD : MEANING_NONE);
		if (i % 4 == 3)
			table_print(table, out);
	}
	table_free(table);
}

START_TEST(every_format_takes_any_text)
{
	static const struct {
		struct output as;
		const char *wanted;
	} rows[] = {
		{ { .format = FORMAT_CSV, .header = true },
		  "name,in_flight\nplain,1\n\"a \"\"b\"\",\r\n c\",=1+1\n\" blank\",<b>|\\|\n"
		  "\033[31m`*_[]~$,\xc2\x9b&\n" },
		{ { .format = FORMAT_CSV, .terminal = true },
		  "plain,1\n\"a \"\"b\"\",?\n c\",=1+1\n\" blank\",<b>|\\|\n?[31m`*_[]~$,?&\n" },
		{ { .format = FORMAT_MD, .header = true },
		  "| NAME | IN FLIGHT |\n| --- | ---: |\n| plain | 1 |\n| a \"b\",<br> c | =1+1 |\n"
		  "|  blank | &lt;b&gt;\\|\\\\\\| |\n| ?\\[31m\\`\\*\\_\\[\\]\\~\\$ | ?&amp; |\n" },
		{ { .format = FORMAT_TABLE, .color = true, .header = true },
		  "\033[1mNAME\033[0m        \033[1mIN FLIGHT\033[0m\n"
		  "\033[31mplain\033[0m               1\na \"b\",   c       =1+1\n"
		  " blank           <b>|\\|\n [31m`*_[]~$         ?&\n" },
		{ { .format = FORMAT_TABLE, .width = 16 },
		  "plain          1\na \"b\",   c  =1+1\n blank        <b>|\\|\n [31m`*_[]~$      ?&\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text;

		as = rows[i].as;
		text = printed(print_cells);
		ck_assert_str_eq(text, rows[i].wanted);
		free(text);
	}
}
END_TEST

START_TEST(the_bar_fits_its_terminal)
{
	int64_t decided = 200, yes = 160;
	struct ellu_progress progress = ELLU_RECORD(struct ellu_progress);
	struct progress_bar bar = { .live = true, .n_rows = 1 };
	const double eta = 75;
	char text[1024];

	progress.percent_complete = 53;
	progress.responses_generated = 1060;
	progress.total_responses = 2000;
	progress.eta_seconds = &eta;
	progress_bar_format(&bar, &progress, "STARTED", NULL, 60, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, " 53 %  1,060/2,000 answered  1:15 left"));
	ck_assert_ptr_nonnull(strstr(text, "###"));
	progress.decided = &decided;
	progress.yes = &yes;
	progress.responses_rated = 100;
	progress_text(text, sizeof(text), &progress, "STARTED", NULL);
	ck_assert_ptr_nonnull(strstr(text, "80 % YES (71 to 87)"));
	for (int width = 0; width < 200; width++) {
		progress_bar_format(&bar, &progress, "STARTED", "budget", width, text, sizeof(text));
		ck_assert_msg(text_width(text) < width || width == 0, "%d: %s", width, text);
	}
	progress_bar_format(&bar, NULL, "PENDING", NULL, 80, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "PENDING"));
}
END_TEST

static int parse(struct arguments *arguments, const struct command **command,
		 const char *text)
{
	static char line[128]; // the arguments point into it
	char *words[16] = { "elluminate" };
	int n = 1;

	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	return options_parse(commands_all(), n, words, arguments, command);
}

#define PARSE(text) parse(&arguments, &command, text)

/* What the options of that line make of a request, in JSON. */
static const char *request_of(const char *line)
{
	static char text[512];
	struct arguments arguments;
	const struct command *command;
	json_object *request = json_object_new_object();

	ck_assert_int_eq(parse(&arguments, &command, line), 0);
	ck_assert_int_eq(options_apply(&arguments, request), 0);
	snprintf(text, sizeof(text), "%s", json_text(request, NULL));
	json_object_put(request);
	options_done(&arguments);
	return text;
}

START_TEST(right_arguments)
{
	struct arguments arguments;
	const struct command *command;

	ck_assert_int_eq(PARSE("--json run f.json --limit 5 --epochs=2 --fail-under 80% --new"), 0);
	ck_assert_str_eq(command->name, "run");
	ck_assert(arguments.json && options_given(&arguments, "new") &&
		  !options_given(&arguments, "detach"));
	ck_assert_uint_eq(arguments.n_gates, 1);
	ck_assert_double_eq_tol(arguments.gates[0].share, 0.8, 1e-9);
	ck_assert_str_eq(arguments.operands[0], "f.json");
	options_done(&arguments);
	ck_assert_str_eq(request_of("--json run f.json --limit 5 --epochs=2 --fail-under 80% --new"),
			 "{\"row_limit\":5,\"n_epochs\":2,\"run_afresh\":true}");
	ck_assert_str_eq(request_of("run f.json g.json -n5"), "{\"row_limit\":5}");
	ck_assert_str_eq(request_of("run f.json --max-connections 3 --llm 7 --judge it"),
			 "{\"generation_params\":{\"max_connections\":3},\"llm_config\":{\"ref\":{\"id\":7}},"
			 "\"rating_llm_config\":{\"ref\":{\"name\":\"it\"}}}");
	ck_assert_int_eq(PARSE("task show -- 7"), 0);
	ck_assert_str_eq(command->name, "task show");
	ck_assert_int_eq(PARSE("api X -"), 0);
	ck_assert_str_eq(arguments.operands[1], "-");
	ck_assert_int_eq(PARSE("run --help"), 0);
	ck_assert(arguments.help);
	ck_assert_str_eq(request_of("status"), "{}");
	ck_assert_str_eq(request_of("rate E --criteria a --criteria b --cost-limit 0.250 --time-limit 10m"),
			 "{\"criteria\":[\"a\",\"b\"],\"cost_limit\":\"0.25\",\"time_limit_seconds\":600.0}");
	ck_assert_str_eq(request_of("rate --responses 3,1 --where 12=NO"),
			 "{\"response_ids\":[3,1],\"criterion_id\":12,\"rating\":\"NO\"}");
	ck_assert_str_eq(request_of("task prune --older-than 1.5h"), "{\"older_than_seconds\":5400.0}");
	ck_assert_str_eq(request_of("task list --since 1970-01-01T00:00:02Z"),
			 "{\"since\":\"1970-01-01T00:00:02.000Z\"}");
	ck_assert_str_eq(request_of("task list --since 100000d"),
			 "{\"since\":\"1970-01-01T00:00:00.000Z\"}");
	ck_assert_int_eq(PARSE("task list --limit 5"), 0);
	ck_assert_int_eq(arguments.limit, 5);
	ck_assert_int_eq(PARSE("task watch"), 0);
	ck_assert_int_eq(PARSE("task list -qwn5 -ofile"), 0);
	ck_assert(arguments.quiet && arguments.watch && arguments.limit == 5);
	ck_assert_str_eq(arguments.output, "file");
	ck_assert_int_eq(PARSE("call -f text -n 3 -v --format=jsonl"), EXIT_USAGE); // no list
	ck_assert_int_eq(PARSE("call -f text -v --format=jsonl --color always"), 0);
	ck_assert_str_eq(arguments.file, "text");
	ck_assert(arguments.verbose);
	ck_assert_int_eq(PARSE("task cancel 3 4 5"), 0);
	ck_assert_uint_eq(arguments.n_operands, 3);
	ck_assert(command->many);
}
END_TEST

START_TEST(wrong_arguments)
{
	static const char *const lines[] = {
		"run",
		"task",
		"task fly 7",
		"fly",
		"run a --limit",
		"run a --limit 0",
		"run a --limit 5x",
		"run a --json=1",
		"run a --more",
		"status --limit 5",
		"status --format xml",
		"status --format table\037json",
		"status --json --format csv",
		"status --color sometimes",
		"status --bus tram",
		"task list -n",
		"task list -n0",
		"task list -qx",
		"collection rows a b",
		"run a --fail-under 1.5",
		"run a --fail-under criterion=it",
		"run a --fail-under criterion=it:much",
		"run a --fail-under-low -1",
		"--user --system status",
		"-x status",
		"--limit 5 run a",
		"run a --cost-limit -1",
		"run a --cost-limit much",
		"run a --time-limit 5y",
		"run a --time-limit nan",
		"run a --time-limit -5",
		"task list --since tomorrow",
		"task retry",
		"task tune",
		"rate --responses 1,x",
		"rate --responses 1,",
		"rate a --where NO",
		"llm create --max-tokens many",
		"llm create --custom {",
	};
	struct arguments arguments;
	const struct command *command;

	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(PARSE(lines[i]) == EXIT_USAGE, "%s", lines[i]);
}
END_TEST

/* What the interface offers of a resource is a command, with its fields for options. */
START_TEST(commands_of_the_interface)
{
	const struct method *method;
	const struct commands *commands = commands_all();

	ck_assert_str_eq(request_of("llm create --name x --top-k 3 --timeout 2m --stop a --stop b --shared"),
			 "{\"llm_config\":{\"name\":\"x\",\"top_k\":3,\"timeout_seconds\":120.0,"
			 "\"stop\":[\"a\",\"b\"],\"shared\":true}}");
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		static const struct {
			const char *method, *word;
		} verbs[] = { { "List", "list" }, { "Get", "show" }, { "Create", "create" },
			      { "Update", "update" }, { "Delete", "delete" } };
		static const struct {
			const char *name, *group;
		} resources[] = { { "Task", "task" }, { "Experiment", "experiment" },
				  { "LLMConfig", "llm" }, { "Collection", "collection" },
				  { "PromptTemplate", "template" }, { "CriterionSet", "criteria" },
				  { "Project", "project" } };

		method = &elluminate_interface.methods[i];
		for (size_t v = 0; v < sizeof(verbs) / sizeof(*verbs); v++)
			for (size_t k = 0; k < sizeof(resources) / sizeof(*resources); k++) {
				char name[64];

				snprintf(name, sizeof(name), "%s%s%s", verbs[v].method, resources[k].name,
					 v == 0 ? "s" : "");
				if (strcmp(name, method->name) == 0)
					ck_assert_ptr_nonnull(options_find_command(commands, resources[k].group,
										   verbs[v].word));
			}
	}
}
END_TEST

/* The field of a request at `path`; NULL: there is none. */
static const struct record_field *field_at(const struct record_type *type, const char *path)
{
	const char *dot = strchr(path, '.');
	const struct record_field *field;
	char first[64];

	snprintf(first, sizeof(first), "%.*s", (int)(dot ? dot - path : (long)strlen(path)), path);
	field = record_field_find(type, first);
	return field && dot ? field_at(field->type, dot + 1) : field;
}

/* A value that is good for the option's field; NULL for a list that may not be empty. */
static const char *good_value(const struct option *option, const struct record_field *field)
{
	static const char *const samples[_OPTION_KIND_MAX] = {
		[OPTION_FLAG] = "", [OPTION_TEXT] = "x", [OPTION_TEXTS] = "x", [OPTION_INTEGER] = "1",
		[OPTION_COUNT] = "1", [OPTION_POSITION] = "1", [OPTION_NUMBER] = "1",
		[OPTION_MONEY] = "1", [OPTION_DURATION] = "1", [OPTION_SINCE] = "1h", [OPTION_REF] = "1",
		[OPTION_EXISTING] = "1", [OPTION_IDS] = "1", [OPTION_VERDICT] = "1=YES",
	};

	if (option->kind != OPTION_JSON)
		return field->one_of ? field->one_of[0] : samples[option->kind];
	if (field->container == FIELD_ARRAY)
		return field->flags & FIELD_LENGTH && field->length_low > 0 ? NULL : "[]";
	return "{}";
}

/* Whatever --help promises of a request is a field of it, which takes such a value. */
static void check_option(const struct command *command, const struct option *option)
{
	const struct method *method = method_named(command->method);
	const struct record_field *field = field_at(method->request, option->field);
	struct given given = { .option = option };
	struct arguments arguments = { .n_given = 1 };
	json_object *request = json_object_new_object();
	struct fault fault = { 0 };
	struct arena arena;
	void *record;

	ck_assert_msg(field, "%s --%s: no field %s", command->name, option->name, option->field);
	given.text = good_value(option, field);
	if (given.text) {
		ck_assert_int_eq(option_value(option->kind, given.text, &given.value), 0);
		arguments.given[0] = given;
		ck_assert_int_eq(options_apply(&arguments, request), 0);
		arena_init(&arena);
		if (record_decode(method->request, request, FROM_CLIENT, "", &arena, &record, &fault) < 0)
			ck_assert_msg(strstr(fault.message, "missing") ||
				      strstr(fault.message, "exactly one"), "%s --%s: %s", command->name,
				      option->name, fault.message);
		arena_done(&arena);
		json_object_put(given.value);
	}
	json_object_put(request);
}

START_TEST(options_become_fields)
{
	const struct commands *commands = commands_all();
	size_t n = 0;

	for (size_t i = 0; i < commands->n; i++)
		for (const struct option *const *own = commands->items[i].options; own && *own; own++)
			if ((*own)->field) {
				check_option(&commands->items[i], *own);
				n++;
			}
	ck_assert_uint_gt(n, 80);
}
END_TEST

static void print_help(FILE *out)
{
	const struct commands *commands = commands_all();

	for (size_t i = 0; i < commands->n; i++)
		help_print(out, commands, &commands->items[i], NULL);
	help_print(out, commands, NULL, NULL);
}

/* As one line: what is long is wrapped where a terminal ends. */
static void unwrap(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool blank = *from == ' ' || *from == '\n';

		if (!blank)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
}

START_TEST(help_knows_every_option)
{
	char *text = printed(print_help);
	const struct commands *commands = commands_all();

	unwrap(text);
	for (size_t i = 0; i < commands->n; i++) {
		ck_assert_ptr_nonnull(strstr(text, commands->items[i].name));
		for (const struct option *const *option = commands->items[i].options; option && *option;
		     option++)
			ck_assert_ptr_nonnull(strstr(text, (*option)->help));
	}
	free(text);
}
END_TEST

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	return RUN_TESTS(numbers_and_durations, narrow_tables, long_texts_in_tables, wrapping, nothing_commands_the_terminal,
			 the_bar_fits_its_terminal, every_format_takes_any_text, right_arguments, wrong_arguments,
			 commands_of_the_interface, options_become_fields, help_knows_every_option);
}
