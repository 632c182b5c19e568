/* What the command reads: experiment files, CSV, JSONL. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/files/experiment_file.h"
#include "client/cli/files/json_file.h"
#include "client/cli/files/rows.h"
#include "client/cli/files/yaml_text.h"
#include "proto/record/record.h"
#include "tests/unit/suite.h"

static char folder[] = "/tmp/cli-files-XXXXXX";

/* A file with that content; its path lives until the next. */
static const char *make_file(const char *name, const char *content, size_t size)
{
	static char path[64];
	FILE *out;

	if (strstr(folder, "XXXXXX"))
		ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	ck_assert_uint_eq(fwrite(content, 1, size, out), size);
	fclose(out);
	return path;
}

START_TEST(comments_leave_offsets_alone)
{
	char text[] = "{ // one\n \"a//b\\\"\": /* two\nthree */ 1, \"c\": \"/* no */\" }";
	char good[] = "{       \n \"a//b\\\"\":       \n         1, \"c\": \"/* no */\" }";
	char open[] = "{ } /* ";
	size_t offset;

	ck_assert_int_eq(json_text_strip_comments(text, strlen(text), &offset), 0);
	ck_assert_str_eq(text, good);
	ck_assert_int_eq(json_text_strip_comments(open, strlen(open), &offset), -EINVAL);
	ck_assert_uint_eq(offset, 4);
}
END_TEST

START_TEST(fields_are_found_again)
{
	const char *text = "{\n \"a\": {\"b\": [1, {\"c\": \"x\\\"]\"}, [2]],\n  \"d\": 2}, \"aa\": 3 }";
	static const struct {
		const char *path;
		int line, column;
	} cases[] = { { "a", 2, 2 },	     { "a.b", 2, 8 },	    { "a.b[1].c", 2, 18 },
		      { "a.b[2][0]", 2, 33 }, { "a.d", 3, 3 },	    { "a.d.nope", 3, 3 },
		      { "aa", 3, 12 },	     { "a.b[7]", 2, 8 } };
	size_t offset;
	int line, column;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert(json_text_locate(text, strlen(text), cases[i].path, &offset));
		text_position(text, offset, &line, &column);
		ck_assert_msg(line == cases[i].line && column == cases[i].column, "%s: %d:%d",
			      cases[i].path, line, column);
	}
	ck_assert(!json_text_locate(text, strlen(text), "b", &offset));
}
END_TEST

/* All rows, each as JSON, with blanks between; a complaint ends it. */
static const char *read_rows(const char *name, const char *content, size_t size)
{
	static char out[4096];
	struct complaint complaint;
	struct rows *rows;
	json_object *row;
	int r = rows_open(make_file(name, content, size), NULL, false, &rows, &complaint);

	*out = '\0';
	for (int pass = 0; r >= 0 && pass < 2; pass++) {
		*out = '\0';
		while ((r = rows_next(rows, &row, &complaint)) > 0) {
			strcat(strcat(out, json_text(row, NULL)), " ");
			json_object_put(row);
		}
		if (r < 0)
			rows_free(rows);
		else if (pass == 0)
			r = rows_rewind(rows, &complaint);
		else
			rows_free(rows);
	}
	if (r < 0)
		strcat(out, strrchr(complaint.text, '/') + 1);
	return out;
}

#define ROWS(name, text) read_rows(name, text, sizeof(text) - 1)

START_TEST(csv)
{
	ck_assert_str_eq(ROWS("a.csv", "a,b\n1,2\n"), "{\"a\":\"1\",\"b\":\"2\"} ");
	ck_assert_str_eq(ROWS("a.csv", "\xef\xbb\xbf" "a,b\r\n\r\n\"x,\"\"y\"\"\nz\",\r\n7"),
			 "{\"a\":\"x,\\\"y\\\"\\nz\",\"b\":\"\"} {\"a\":\"7\"} ");
	ck_assert_str_eq(ROWS("a.csv", "a,b\n\n1,2,3\n"), "a.csv:3: 3 cells where the header has 2");
	ck_assert_str_eq(ROWS("a.csv", "a\n\"x\ny"), "a.csv:2: a quoted cell that does not end");
	ck_assert_str_eq(ROWS("a.csv", "a\nx\"y\n"), "a.csv:2: a stray quotation mark: a quoted cell begins and ends with one, without "
			 "blanks around, and doubles those inside");
	ck_assert_str_eq(ROWS("a.csv", "a,\n1,2\n"), "a.csv:1: column 2 has no name");
	ck_assert_str_eq(ROWS("a.csv", "a,a\n"), "a.csv:1: two columns named a");
	ck_assert_str_eq(ROWS("a.csv", "a;b\n1;2\n"),
			 "a.csv:1: expected commas between the cells, not semicolons");
	ck_assert_str_eq(ROWS("a.csv", "\na\tb\n"), "a.csv:2: expected commas between the cells, not tabs");
	ck_assert_str_eq(ROWS("a.csv", "a\n1;2\n"), "{\"a\":\"1;2\"} ");
	ck_assert_str_eq(ROWS("a.csv", "a\n1\n\xff\n"),
			 "{\"a\":\"1\"} a.csv:3: not valid UTF-8 text");
	ck_assert_str_eq(ROWS("a.csv", "a\nx\0y\n"), "a.csv:2: not valid UTF-8 text");
	ck_assert_str_eq(ROWS("a.csv", ""), "a.csv: no header line");
	ck_assert_str_eq(ROWS("a.csv", "a\n"), "");
}
END_TEST

/* What stands in a cell is what the model gets, blanks included; a name of a column is not. */
START_TEST(csv_cells_are_kept)
{
	ck_assert_str_eq(ROWS("a.csv", " a ,\tb\n  x , y\t\n\" z \",\n"),
			 "{\"a\":\"  x \",\"b\":\" y\\t\"} {\"a\":\" z \",\"b\":\"\"} ");
	ck_assert_str_eq(ROWS("a.csv", "a\n  \n x\n\t\n\"  \"\n"), "{\"a\":\" x\"} {\"a\":\"  \"} ");
	ck_assert_str_eq(ROWS("a.csv", "a\n\"x\n\n  \ny\"\nz\n1,2\n"),
			 "{\"a\":\"x\\n\\n  \\ny\"} {\"a\":\"z\"} "
			 "a.csv:7: 2 cells where the header has 1");
	ck_assert(strstr(ROWS("a.csv", "a,b\nx, \"y\"\n"), "a.csv:2: a stray quotation mark"));
}
END_TEST

/* The three ways to end a line, also in one file. */
START_TEST(line_ends)
{
	ck_assert_str_eq(ROWS("a.csv", "a,b\r1,2\r3,4"), "{\"a\":\"1\",\"b\":\"2\"} {\"a\":\"3\",\"b\":\"4\"} ");
	ck_assert_str_eq(ROWS("a.csv", "a\r\r1\r\n2\n\r3\r"), "{\"a\":\"1\"} {\"a\":\"2\"} {\"a\":\"3\"} ");
	ck_assert_str_eq(ROWS("a.csv", "a\r\"x\ry\r\nz\"\rw\r1,2"),
			 "{\"a\":\"x\\ry\\r\\nz\"} {\"a\":\"w\"} a.csv:6: 2 cells where the header has 1");
	ck_assert_str_eq(ROWS("a.jsonl", "\xef\xbb\xbf{\"a\":1}\r\r{\"a\":2}\r\n{\"a\":\r"),
			 "{\"a\":1} {\"a\":2} a.jsonl:4:7: the text ends too early");
	ck_assert_str_eq(ROWS("a.jsonl", "\xef\xbb\xbf\n{\"a\":\"x\\ny\"}\n"), "{\"a\":\"x\\ny\"} ");
}
END_TEST

START_TEST(jsonl)
{
	ck_assert_str_eq(ROWS("a.jsonl", "{\"a\":1.50}\n\n  \n{\"b\":[null]}"),
			 "{\"a\":1.50} {\"b\":[null]} ");
	ck_assert_str_eq(ROWS("a.ndjson", "{\"a\":1}\n[1]\n"),
			 "{\"a\":1} a.ndjson:2: expected a JSON object");
	ck_assert(strstr(ROWS("a.jsonl", "{\"a\":1,}\n"), "a.jsonl:1:7: trailing comma"));
	ck_assert(strstr(ROWS("a.jsonl", "{\"a\":NaN}\n"), "a.jsonl:1:6: "));
	ck_assert(strstr(ROWS("a.jsonl", "{\"a\":1,\"a\":2}\n"), "duplicate"));
	ck_assert(strstr(ROWS("a.txt", "x"), "expected a name that ends in .csv, .jsonl or .json"));
}
END_TEST

/* The request that a file becomes, or the complaint. */
static const char *load(const char *content)
{
	static char out[4096];
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct complaint complaint;
	struct experiment_file file;
	struct fault fault;
	struct arena arena;
	const char *path = make_file("e.json", content, strlen(content));

	if (experiment_file_load(path, &file, &complaint) < 0)
		return strcpy(out, strrchr(complaint.text, '/') + 1);
	arena_init(&arena);
	if (experiment_file_request(&file, &arena, &request, &collection, &fault) < 0) {
		experiment_file_complain(&file, fault.field, fault.message, &complaint);
		strcpy(out, strrchr(complaint.text, '/') + 1);
	} else {
		strcpy(out, json_text(file.request, NULL));
	}
	arena_done(&arena);
	experiment_file_done(&file);
	return out;
}

START_TEST(files_become_requests)
{
	ck_assert_str_eq(load("{\"name\":\"n\",\"prompt_template\":{\"name\":\"p\",\"messages\":\"m\"},"
			      "\"collection\":{\"name\":\"c\",\"variables\":[{\"a\":1}]},"
			      "\"criterion_set\":\"s\",\"llm_config\":\"l\"}"),
			 "{\"name\":\"n\",\"prompt_template\":{\"content\":{\"name\":\"p\",\"messages\":"
			 "[{\"role\":\"user\",\"content\":\"m\"}]}},"
			 "\"collection\":{\"ref\":{\"name\":\"c\"}},"
			 "\"criterion_set\":{\"name\":\"s\"},\"llm_config\":{\"ref\":{\"name\":\"l\"}}}");
	ck_assert_str_eq(load("{\"prompt_template\":{\"name\":\"p\",\"version\":2},"
			      "\"collection\":\"c\"}"),
			 "{\"prompt_template\":{\"ref\":{\"name\":\"p\",\"version\":2}},"
			 "\"collection\":{\"ref\":{\"name\":\"c\"}}}");
}
END_TEST

START_TEST(mistakes_are_told_with_their_place)
{
	ck_assert(strstr(load("{\n  \"colour\": 1 }"), "e.json:2:3: colour: expected"));
	ck_assert(strstr(load("{\"llm_config\": {\"name\": \"l\", \"provider\": \"x\"}}"),
			 "e.json:1:30: llm_config.provider: expected one of"));
	ck_assert(strstr(load("{\"prompt_template\": 7}"), "e.json:1:2: prompt_template: "));
	ck_assert(strstr(load("{\"collection\": {\"name\":\"c\",\"columns\":[{\"name\":\"\"}],"
			      "\"variables\":[]}}"),
			 "e.json:1:40: collection.columns[0].name: "));
	ck_assert(strstr(load("{\"collection\": {\"name\":\"c\",\"read_only\":true}}"),
			 "e.json:1:2: collection: expected `variables`"));
	ck_assert(strstr(load("{\"detach\": true}"), "e.json:1:2: detach: does not belong"));
	ck_assert_str_eq(load("{\n \"llm_config\": {\"name\": \"l\", \"provider\": \"openai\",\n"
			      "  \"model\": \"m\"}}"),
			 "e.json:3:3: llm_config.model: expected no field of this name; did you mean "
			 "llm_model_name?");
	ck_assert_str_eq(load("{\"llm_config\": {\"name\": \"l\", \"temprature\": 1, \"provider\": "
			      "\"openai\"}}"),
			 "e.json:1:30: llm_config.temprature: expected no field of this name; did you "
			 "mean temperature?");
	ck_assert_str_eq(load("{\"colour\": 1}"), "e.json:1:2: colour: expected no field of this name");
	ck_assert_str_eq(load("{\"a\": 1,\n}"), "e.json:1:8: trailing comma");
	ck_assert_str_eq(load("{\"a\": [1,\n  2, ]}"), "e.json:2:4: trailing comma");
	ck_assert_str_eq(load("{\"a\": 'x'}"),
			 "e.json:1:7: a value expected: null, true, false, a number, [, {, or a string "
			 "in double quotes");
	ck_assert(strstr(load("7"), "e.json:1:1: expected an object"));
}
END_TEST

START_TEST(keys_come_from_the_environment)
{
	const char *file = "{\"llm_config\":{\"name\":\"l\",\"provider\":\"openai\",\"api_key\":\"$K\"}}";
	const char *own = "{\"llm_config\":{\"name\":\"l\",\"provider\":\"openai\","
			  "\"llm_base_url\":\"https://api.openai.com/v1\"}}";
	const char *other = "{\"llm_config\":{\"name\":\"l\",\"provider\":\"openai\","
			    "\"llm_base_url\":\"https://api.openai.com.evil.example/v1\"}}";

	const char *anthropic = "{\"llm_config\":{\"name\":\"l\",\"provider\":\"anthropic\","
				"\"llm_base_url\":\"https://api.anthropic.com\"}}";
	const char *none = "{\"llm_config\":{\"name\":\"l\",\"provider\":\"openai\"}}";

	unsetenv("K");
	setenv("OPENAI_API_KEY", "usual", 1);
	ck_assert(strstr(load(file), "e.json:1:47: llm_config.api_key: the environment has no"));
	setenv("K", "secret", 1);
	ck_assert(strstr(load(file), "\"api_key\":\"secret\""));
	ck_assert(strstr(load(own), "\"api_key\":\"usual\""));
	ck_assert(strstr(load(none), "\"api_key\":\"usual\""));
	ck_assert(!strstr(load(other), "usual"));
	setenv("ANTHROPIC_API_KEY", "another", 1);
	ck_assert(strstr(load(anthropic), "\"api_key\":\"another\""));
	ck_assert(strstr(load(own), "\"api_key\":\"usual\""));
}
END_TEST

/* What a YAML text is in JSON, or what is wrong with it and where. */
static const char *yaml(const char *text)
{
	static char out[4096];
	struct complaint complaint;
	struct yaml_place at;
	json_object *value;
	int r = yaml_text_parse(text, strlen(text), &value, &at, &complaint);

	if (r < 0)
		snprintf(out, sizeof(out), "%d:%d: %s", at.line, at.column, complaint.text);
	else
		snprintf(out, sizeof(out), "%s", value ? json_text(value, NULL) : "null");
	json_object_put(r < 0 ? NULL : value);
	return out;
}

START_TEST(yaml_is_json)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "a: 1\nb: [x, -2.5, 1e3, true, ~, no, '7', \"\\u00e4\"]\n",
		  "{\"a\":1,\"b\":[\"x\",-2.5,1000.0,true,null,\"no\",\"7\",\"\xc3\xa4\"]}" },
		{ "a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}" },
		{ "a: &x {n: 1.5, m: 2}\nb: *x\nc: {<<: *x, m: 3}\n",
		  "{\"a\":{\"n\":1.5,\"m\":2},\"b\":{\"n\":1.5,\"m\":2},\"c\":{\"m\":3,\"n\":1.5}}" },
		{ "1: !!str 2\n? b\n: # nothing\n", "{\"1\":\"2\",\"b\":null}" },
		{ "{\"json\": [1, {\"is\": \"yaml\"}]}", "{\"json\":[1,{\"is\":\"yaml\"}]}" },
		{ "a: 1\na: 2\n", "2:1: the same name again" },
		{ "a: *b\n", "1:4: an alias of what has no anchor before" },
		{ "a: &a [*a]\n", "1:8: an alias of what has no anchor before" },
		{ "a: !!int 5\n", "1:4: tags have no meaning here" },
		{ "a: .nan\n", "1:4: a number that is not finite" },
		{ "a: 9007199254740993\n", "1:4: a number that is too large" },
		{ "a: -9007199254740992\n", "{\"a\":-9007199254740992}" },
		{ "a: 99999999999999999999\n", "1:4: a number that is too large" },
		{ "a: \"\\0\"\n", "1:4: a NUL within a text" },
		{ "[a]: 1\n", "1:1: expected a name before the colon" },
		{ "a: 1\n---\nb: 2\n", "2:1: a second document" },
		{ "<<: 5\n", "2:1: expected a mapping behind <<" },
		{ "", "1:1: nothing in it" },
		{ "a: [1\nb: 2\n", "2:2: while parsing a flow sequence: did not find expected ',' or ']'" },
		{ "a: \xff\n", "1:4: invalid leading UTF-8 octet" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(yaml(rows[i].yaml), rows[i].json);
}
END_TEST

START_TEST(yaml_is_bounded)
{
	char text[8192], *at = text;

	/* Each anchor ten times the one before. */
	at += sprintf(at, "a0: &a0 lol\n");
	for (int i = 1; i < 12; i++) {
		at += sprintf(at, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			at += sprintf(at, "%s*a%d", k > 0 ? "," : "", i - 1);
		at += sprintf(at, "]\n");
	}
	ck_assert_ptr_nonnull(strstr(yaml(text), "larger than 16 MiB"));
	memset(text, '[', 100);
	text[100] = '\0';
	ck_assert_str_eq(yaml(text), "1:65: nested too deeply");
}
END_TEST

START_TEST(yaml_fields_are_found_again)
{
	static const char text[] = "a:\n  b:\n  - 1\n  - {c: x}\naa: 3\n";
	static const struct {
		const char *path;
		int line, column;
	} rows[] = { { "a", 1, 1 },	{ "a.b", 2, 3 },     { "a.b[1].c", 4, 6 },
		     { "a.b[9]", 2, 3 }, { "a.nope", 1, 1 }, { "aa", 5, 1 } };
	struct yaml_place at;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert(yaml_text_locate(text, strlen(text), rows[i].path, &at));
		ck_assert_msg(at.line == rows[i].line && at.column == rows[i].column, "%s: %d:%d", rows[i].path,
			      at.line, at.column);
	}
	ck_assert(!yaml_text_locate(text, strlen(text), "b", &at));
}
END_TEST

int main(void)
{
	return RUN_TESTS(comments_leave_offsets_alone, fields_are_found_again, csv, csv_cells_are_kept,
			 line_ends, jsonl,
			 files_become_requests, mistakes_are_told_with_their_place,
			 keys_come_from_the_environment,
			 yaml_is_json, yaml_is_bounded, yaml_fields_are_found_again);
}
