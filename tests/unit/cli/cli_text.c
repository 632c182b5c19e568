/* What the command prints, and how it reads its arguments. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/options.h"
#include "client/cli/progress_bar.h"
#include "client/cli/table.h"
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

static void print_table(FILE *out)
{
	static const char *const titles[] = { ">ID", "NAME", NULL };
	struct table *table = table_new(titles);

	table_printf(table, "%d", 7);
	table_text(table, "a\nb");
	table_text(table, "1234");
	table_text(table, NULL);
	table_print(table, out, false);
	table_free(table);
}

START_TEST(nothing_commands_the_terminal)
{
	char *text = printed(print_hostile);

	ck_assert_str_eq(text, "a?[31mb\tc\nd???");
	free(text);
	text = printed(print_table);
	ck_assert_str_eq(text, "  ID  NAME\n   7  a b\n1234  \n");
	free(text);
}
END_TEST

START_TEST(the_bar_fits_its_terminal)
{
	struct ellu_progress progress = ELLU_RECORD(struct ellu_progress);
	struct progress_bar bar = { .live = true };
	const double eta = 75;
	char text[1024];

	progress.percent_complete = 53;
	progress.responses_generated = 1060;
	progress.total_responses = 2000;
	progress.eta_seconds = &eta;
	progress_bar_format(&bar, &progress, "STARTED", NULL, 60, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, " 53 %  1,060/2,000 answered  1:15 left"));
	ck_assert_ptr_nonnull(strstr(text, "###"));
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
	return options_parse(n, words, arguments, command);
}

#define PARSE(text) parse(&arguments, &command, text)

START_TEST(right_arguments)
{
	struct arguments arguments;
	const struct command *command;

	ck_assert_int_eq(PARSE("--json run f.json --limit 5 --epochs=2 --fail-under 80% --new"), 0);
	ck_assert_str_eq(command->name, "run");
	ck_assert(arguments.json && arguments.run_afresh && !arguments.detach);
	ck_assert_int_eq(arguments.limit, 5);
	ck_assert_int_eq(arguments.epochs, 2);
	ck_assert_double_eq_tol(arguments.fail_under, 0.8, 1e-9);
	ck_assert_str_eq(arguments.operands[0], "f.json");
	ck_assert_int_eq(PARSE("task show -- 7"), 0);
	ck_assert_str_eq(command->name, "task show");
	ck_assert_int_eq(PARSE("api X -"), 0);
	ck_assert_str_eq(arguments.operands[1], "-");
	ck_assert_int_eq(PARSE("run --help"), 0);
	ck_assert(arguments.help);
	ck_assert_int_eq(PARSE("status"), 0);
	ck_assert_int_eq(arguments.cost_limit, -1);
	ck_assert_ptr_null(cli_given(&arguments.cost_limit));
	ck_assert_int_eq(PARSE("rate E --criteria a --criteria b --cost-limit 0.25 --time-limit 10m"), 0);
	ck_assert_uint_eq(arguments.criteria.n, 2);
	ck_assert_str_eq(arguments.criteria.items[1], "b");
	ck_assert_int_eq(*cli_given(&arguments.cost_limit), 250000000);
	ck_assert_double_eq(*cli_given_seconds(&arguments.time_limit), 600);
	ck_assert_int_eq(PARSE("task prune --older-than 1.5h"), 0);
	ck_assert_double_eq(arguments.older_than, 5400);
	ck_assert_int_eq(PARSE("task list --since 1970-01-01T00:00:02Z"), 0);
	ck_assert_int_eq(arguments.since, 2000000);
	ck_assert_int_eq(PARSE("task list --since 100000d"), 0);
	ck_assert_int_eq(arguments.since, 0);
	ck_assert_int_eq(PARSE("task watch"), 0);
}
END_TEST

START_TEST(wrong_arguments)
{
	static const char *const lines[] = {
		"run",
		"run a b",
		"task",
		"task fly 7",
		"fly",
		"run a --limit",
		"run a --limit 0",
		"run a --limit 5x",
		"run a --json=1",
		"run a --more",
		"status --limit 5",
		"run a --fail-under 1.5",
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
	};
	struct arguments arguments;
	const struct command *command;

	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(PARSE(lines[i]) == EXIT_USAGE, "%s", lines[i]);
}
END_TEST

static void print_help(FILE *out)
{
	for (size_t i = 0; i < n_commands; i++)
		options_print_help(out, &commands[i]);
	options_print_help(out, NULL);
}

START_TEST(help_knows_every_option)
{
	char *text = printed(print_help);

	for (size_t i = 0; i < n_commands; i++) {
		ck_assert_ptr_nonnull(strstr(text, commands[i].name));
		for (const struct option *const *option = commands[i].options; option && *option;
		     option++)
			ck_assert_ptr_nonnull(strstr(text, (*option)->help));
	}
	free(text);
}
END_TEST

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	return RUN_TESTS(numbers_and_durations, nothing_commands_the_terminal,
			 the_bar_fits_its_terminal, right_arguments, wrong_arguments,
			 help_knows_every_option);
}
