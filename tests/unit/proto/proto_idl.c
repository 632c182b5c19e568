/* The generator names the place of what it does not understand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static const struct {
	const char *text;
	const char *message; // behind the file's name; NULL: it is fine
} cases[] = {
	{ "interface a.b\ntype T (x: int)\n", NULL },
	{ "interface a.b\ntype T (u: ?U, # read-only\n  v: []U)\ntype U ()\n", NULL },
	{ "type T ()\n", ":1: unexpected 'type'" },
	{ "interface a.b\ntype T (x: int;)\n", ":2: unexpected character ';'" },
	{ "interface a.b\ntype T (x int)\n", ":2: ':' expected before 'int'" },
	{ "interface a.b\ntype T (x: any)\n", ":2: unknown type 'any'" },
	{ "interface a.b\ntype T (x: Other)\n", ":2: unknown type 'Other'" },
	{ "interface a.b\ntype T (\n  x: int # rnge: 1..2\n)\n", ":3: unknown annotation 'rnge'" },
	{ "interface a.b\ntype T (\n  x: int # positive\n)\n",
	  ":3: 'positive' does not fit the field 'x'" },
	{ "interface a.b\ntype T (\n  x: int # range: 1\n)\n",
	  ":3: 'range' wants LOW..HIGH, not '1'" },
	{ "interface a.b\ntype T (\n  x: int # range: 2..1\n)\n",
	  ":3: 'range' wants LOW..HIGH, not '2..1'" },
	{ "interface a.b\ntype T (\n  x: string # range: 1..2\n)\n",
	  ":3: 'range' does not fit the field 'x'" },
	{ "interface a.b\ntype T (\n  x: int # read-only\n)\n",
	  ":3: 'read-only or write-only' does not fit the field 'x'" },
	{ "interface a.b\ntype T (\n  x: ?int # range: 1..2; default: 3\n)\n",
	  ":3: 'default' does not fit the field 'x'" },
	{ "interface a.b\ntype T (\n  x: ?string # one of: a b; default: c\n)\n",
	  ":3: 'default' does not fit the field 'x'" },
	{ "interface a.b\ntype T (x: int, x: int)\n", ":2: the field 'x' stands here twice" },
	{ "interface a.b\ntype T (class: int)\n", ":2: 'class' is a keyword in C or C++" },
	{ "interface a.b\n# exactly one of: y z\ntype T (x: ?int, y: ?int)\n",
	  ":3: 'exactly one of' names 'z', no nullable field here" },
	{ "interface a.b\n# at most one of: x y\n# at least one of: x y\ntype T (x: ?int, y: ?int)\n", NULL },
	{ "interface a.b\n# at most one of: x y\ntype T (x: ?int, y: int)\n",
	  ":3: 'at most one of' names 'y', no nullable field here" },
	{ "interface a.b\n# at least one of: x\nerror E (x: ?int)\n",
	  ":2: the annotation does not belong here" },
	{ "interface a.b\ntype Ref (id: int)\n\ntype Big (old_big: Ref, bigs: []Ref)\n", NULL },
	{ "interface a.b\ntype Ref (id: int)\n\ntype Big (\n  small: Ref\n)\n",
	  ":5: 'small' is a Ref, and no type is called so" },
	{ "interface a.b\n# access: own; replies: one\ntype T ()\n",
	  ":2: the annotation does not belong here" },
	{ "interface a.b\n# access: own\nmethod M() -> ()\n", ":3: 'replies:' is missing above" },
	{ "interface a.b\n# access: all; replies: one\nmethod M() -> ()\n",
	  ":2: 'access: all' is not known" },
	{ "interface a.b\nmethod M() -> ()\n", ":2: 'access:' is missing above" },
	{ "interface a.b\n# number: 27\nerror E ()\n", ":3: 'http:' is missing above" },
	{ "interface a.b\n# access: own; replies: pages\nmethod L(cursor: ?string, count: ?bool, "
	  "limit: ?int) -> (items: []int, next_cursor: ?string, count: ?int)\n",
	  ":3: 'L' replies pages: it takes cursor, limit, count, in this order, and answers items, "
	  "next_cursor, count first" },
	{ "interface a.b\n# number: 7; http: 404\nerror E ()\n", ":2: 'number' wants 20..125" },
	{ "interface a.b\n# enum E: x\n# enum E: y\n\ntype T (x: ?string) # one of: E; default: y\n", NULL },
	{ "interface a.b\n# enum E:\n\ntype T ()\n", ":2: an enumeration is 'enum NAME: VALUE...'" },
	{ "interface a.b\ntype T ()\ntype T ()\n", ":3: 'struct ellu_t' is a name of 'T' already" },
	{ "interface a.b\n# access: own; replies: events\nmethod M() -> ()\n\n"
	  "# access: own; replies: one\nmethod MStream() -> ()\n",
	  ":6: 'ellu_m_stream' is a name of 'M' already" },
	{ "interface a.b\n# access: own; replies: one\nmethod M() -> ()\ntype MReply ()\n",
	  ":4: 'struct ellu_m_reply' is a name of 'M' already" },
	{ "interface a.b\n# access: own; replies: one\nmethod CallMethod() -> ()\n",
	  ":3: 'ellu_call_method' is a name of 'a header' already" },
	{ "interface a.b\n# access: own; replies: one; http: GET\nmethod M() -> ()\n",
	  ":2: 'http:' wants VERB /PATH" },
	{ "interface a.b\n# access: own; replies: one; http: HEAD /m\nmethod M() -> ()\n",
	  ":3: 'http:' wants VERB /PATH" },
	{ "interface a.b\n# access: own; replies: one; http: GET /m\nmethod M() -> ()\n",
	  ":3: 'M' is not safe: no GET" },
	{ "interface a.b\n# access: own; replies: one; http: POST /m/{x}/M\nmethod M(x: int) -> ()\n",
	  ":3: 'M' is no word, and no field that stands for one" },
	{ "interface a.b\n# access: own; replies: one; http: POST /m/{x}\nmethod M(x: []int) -> ()\n",
	  ":3: '{x}' is no word, and no field that stands for one" },
	{ "interface a.b\n# access: own; replies: one; http: POST /m/{x}\nmethod M(x: int) -> ()\n\n"
	  "# access: own; replies: one; http: POST /m/end\nmethod N() -> ()\n",
	  ":6: 'POST /m/end' may mean 'M' already" },
	{ "interface a.b\n# access: own; replies: one; safe; http: GET /m/{x}\nmethod M(x: int) -> ()\n\n"
	  "# access: own; replies: one; http: POST /m/{y}\nmethod N(y: ?string) -> ()\n", NULL },
	{ "interface a.b\n# enum E: x y=z\n\ntype T ()\n", ":2: 'z' is no exit status, and not 'ephemeral'" },
	{ "interface a.b\n# enum E: x=3 y=ephemeral z\n\ntype T ()\n", NULL },
	{ "interface a.b\n# enum E: x\n\ntype T (\n  x: string # one of: E\n)\n\n# enum E: y\n\ntype U ()\n",
	  ":8: a field above is one of 'E' already" },
	{ "interface a.b\n# enum E: x=3 y=3\n\ntype T ()\n", ":2: the number 3 is taken" },
	{ "interface a.b\n# since: 0.2\ntype T (\n  x: ?int # since: 0.3\n)\n", NULL },
};

START_TEST(places)
{
	char folder[] = "/tmp/elluminate-idl-XXXXXX", path[64], out[64], command[512], line[512];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x.varlink", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	snprintf(command, sizeof(command), "%s --types %s %s %s 2>&1", ELLU_IDL, out, path,
		 ELLU_HEADER);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *file = fopen(path, "we");
		int status;

		fputs(cases[i].text, file);
		fclose(file);
		file = popen(command, "re");
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		status = pclose(file);
		if (!cases[i].message) {
			ck_assert_msg(status == 0, "%s: %s", cases[i].text, line);
			continue;
		}
		ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
		line[strcspn(line, "\n")] = '\0';
		ck_assert(strncmp(line, path, strlen(path)) == 0);
		ck_assert_str_eq(line + strlen(path), cases[i].message);
	}
	unlink(path);
	unlink(out);
	rmdir(folder);
}
END_TEST

int main(void)
{
	return RUN_TESTS(places);
}
