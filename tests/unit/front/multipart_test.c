#include "daemon/front/sdk/multipart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/unit/suite.h"

#define TYPE "multipart/form-data; boundary=xyz"
#define FILE_PART(content) \
	"--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n" \
	"Content-Type: application/jsonl\r\n\r\n" content "\r\n"

START_TEST(finds_a_field)
{
	static const struct {
		const char *type;
		const char *body;
		int result;
		const char *data;
	} cases[] = {
		{ TYPE, FILE_PART("{\"a\":1}\n{\"a\":2}") "--xyz--\r\n", 0, "{\"a\":1}\n{\"a\":2}" },
		{ TYPE, FILE_PART("") "--xyz--\r\n", 0, "" },
		{ "Multipart/Form-Data; charset=utf-8; boundary=\"xyz\"", FILE_PART("1") "--xyz--", 0, "1" },
		{ TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nno\r\n" FILE_PART("yes")
			"--xyz--\r\n", 0, "yes" },
		/* What looks like a boundary inside a line is none. */
		{ TYPE, FILE_PART("a--xyz--b") "--xyz--\r\n", 0, "a--xyz--b" },
		{ TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nno\r\n--xyz--\r\n",
		  -ENOENT, NULL },
		{ TYPE, "--xyz--\r\n", -ENOENT, NULL },
		{ TYPE, FILE_PART("never ends"), -EBADMSG, NULL },
		{ TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"file\"", -EBADMSG, NULL },
		{ TYPE, "", -EBADMSG, NULL },
		{ TYPE, "no form at all", -EBADMSG, NULL },
		{ "multipart/form-data", FILE_PART("1") "--xyz--", -EBADMSG, NULL },
		{ "multipart/form-data; boundary=", FILE_PART("1") "--xyz--", -EBADMSG, NULL },
		{ "multipart/form-data; boundary=\"xyz", FILE_PART("1") "--xyz--", 0, "1" },
		{ "application/json", FILE_PART("1") "--xyz--", -EBADMSG, NULL },
		{ NULL, "", -EBADMSG, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *data = NULL;
		size_t size = 0;

		ck_assert_int_eq(multipart_find(cases[i].type, cases[i].body, strlen(cases[i].body), "file",
						&data, &size), cases[i].result);
		if (!cases[i].data)
			continue;
		ck_assert_uint_eq(size, strlen(cases[i].data));
		ck_assert_mem_eq(data, cases[i].data, size);
	}
}
END_TEST

/* A boundary of any length, and one that is too long. */
START_TEST(boundaries)
{
	char type[200], body[400];
	const char *data;
	size_t size;

	for (int n = 1; n <= 72; n++) {
		snprintf(type, sizeof(type), "multipart/form-data; boundary=%.*s", n,
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
		snprintf(body, sizeof(body), "--%s\r\nX: form-data; name=\"file\"\r\n\r\n1\r\n--%s--",
			 type + 30, type + 30);
		ck_assert_int_eq(multipart_find(type, body, strlen(body), "file", &data, &size),
				 n <= 70 ? 0 : -EBADMSG);
	}
}
END_TEST

START_TEST(reads_lines)
{
	static const struct {
		const char *text;
		size_t n;
		const char *field; // of what is wrong
	} cases[] = {
		{ "", 0, NULL },
		{ "{\"a\":1}", 1, NULL },
		{ "{\"a\":1}\r\n\r\n  \n{\"b\":\"\\n\"}\n", 2, NULL },
		{ "{\"a\":1}\n[1]", 0, "file: line 2" },
		{ "\n{\"a\":1", 0, "file: line 2" },
		{ "null", 0, "file: line 1" },
		{ "{\"a\":1,\"a\":2}", 0, "file: line 1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_object *list = NULL;
		struct fault fault = { 0 };
		int r = json_lines_read(cases[i].text, strlen(cases[i].text), &list, &fault);

		if (cases[i].field) {
			ck_assert_int_eq(r, ELLU_E_INVALID_PARAMETER);
			ck_assert_str_eq(fault.field, cases[i].field);
			continue;
		}
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(json_object_array_length(list), cases[i].n);
		json_object_put(list);
	}
}
END_TEST

/* A value takes many times the bytes of its text. */
START_TEST(too_many_values)
{
	size_t n = JSON_VALUES_MAX + 1;
	json_object *list = NULL;
	struct fault fault = { 0 };
	char *text = malloc(3 * n);

	for (size_t i = 0; i < n; i++)
		memcpy(text + 3 * i, "{}\n", 3);
	ck_assert_int_eq(json_lines_read(text, 3 * n, &list, &fault), ELLU_E_TOO_LARGE);
	free(text);
}
END_TEST

int main(void)
{
	return RUN_TESTS(finds_a_field, boundaries, reads_lines, too_many_values);
}
