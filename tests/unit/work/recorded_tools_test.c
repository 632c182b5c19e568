/* What a cell says that calls of tools brought: by the tool's name, and by what it was called with. */
#include "daemon/work/conversation/tool_results.h"

#include <string.h>

#include "tests/unit/suite.h"

static struct tool_results results;
static struct arena arena;

static void begin(const char *cell)
{
	struct fault fault = { 0 };
	json_object *json = json_tokener_parse(cell);

	arena_init(&arena);
	ck_assert_int_eq(tool_results_init(&results, json, "column", &arena, &fault), 0);
	json_object_put(json);
}

static const char *take(const char *arguments)
{
	struct ellu_tool_call call = ELLU_RECORD(struct ellu_tool_call);
	const char *content = NULL;

	call.id = "1";
	call.name = "look";
	call.arguments = arguments;
	return tool_results_take(&results, &call, &arena, &content) ? content : "none";
}

static void end(void)
{
	tool_results_done(&results);
	arena_done(&arena);
}

START_TEST(arguments)
{
	begin("[{\"name\": \"look\", \"arguments\": {\"a\": 1, \"b\": [2]}, \"result\": \"one\"},"
	      " {\"name\": \"look\", \"arguments\": \"{\\\"a\\\": 2}\", \"result\": \"two\"},"
	      " {\"name\": \"look\", \"arguments\": {}, \"result\": \"three\"}]");
	ck_assert_str_eq(take("{\"b\":[2],\"a\":1}"), "one");
	ck_assert_str_eq(take("{\"a\":2}"), "two");
	ck_assert_str_eq(take(""), "three");
	ck_assert_str_eq(take("{\"a\":3}"), "none");
	end();
}
END_TEST

/* A text may say what a cell would, if it is JSON. */
START_TEST(cells_of_text)
{
	struct fault fault = { 0 };
	json_object *odd = json_object_new_string("{'look': 'one'} or so");

	begin("\"{\\\"look\\\": \\\"one\\\"}\"");
	ck_assert_str_eq(take("{}"), "one");
	end();
	ck_assert_int_eq(tool_results_init(&results, odd, "column", &arena, &fault), ELLU_E_INVALID_PARAMETER);
	tool_results_done(&results);
	json_object_put(odd);
}
END_TEST

/* A model may call with what is no JSON. */
START_TEST(other_texts)
{
	begin("[{\"name\": \"look\", \"arguments\": \"up there\", \"result\": \"one\"},"
	      " {\"name\": \"look\", \"arguments\": \"{\\\"a\\\": 1} or so\", \"result\": \"two\"}]");
	ck_assert_str_eq(take("down there"), "none");
	ck_assert_str_eq(take("{\"a\": 1}"), "none");
	ck_assert_str_eq(take("{\"a\": 1} or so"), "two");
	ck_assert_str_eq(take("up there"), "one");
	end();
}
END_TEST

/* What was compared counts, and what has to be read of the cell is read once. */
START_TEST(steps)
{
	begin("[{\"name\": \"look\", \"arguments\": \"[1, 2, 3, 4, 5, 6, 7, 8]\", \"result\": \"one\"},"
	      " {\"name\": \"other\", \"arguments\": \"[1, 2, 3, 4, 5, 6, 7, 8]\", \"result\": \"two\"}]");
	ck_assert_str_eq(take("[1]"), "none");
	ck_assert_uint_ge(results.steps, strlen("[1]") + strlen("[1,2,3,4,5,6,7,8]"));
	ck_assert_uint_lt(results.steps, 2 * strlen("[1, 2, 3, 4, 5, 6, 7, 8]"));
	end();
}
END_TEST

int main(void)
{
	return RUN_TESTS(cells_of_text, arguments, other_texts, steps);
}
