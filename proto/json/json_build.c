#include "proto/json/json_build.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_keys.h"

struct build {
	const char *at; // the text ends with a NUL or what no value goes on with
	const char *end;
};

static int build_value(struct build *build, json_object **ret_json);

static void skip_blanks(struct build *build)
{
	while (build->at < build->end && strchr(" \t\r\n", *build->at) && *build->at)
		build->at++;
}

/* ---- Strings ---- */

/* A piece of the text, of its own: most are short. */
struct piece {
	char few[64];
	char *text; // `few`, or from malloc()
	size_t size;
};

static int piece_init(struct piece *piece, size_t size_max)
{
	piece->text = size_max < sizeof(piece->few) ? piece->few : malloc(size_max + 1);
	return piece->text ? 0 : -ENOMEM;
}

static void piece_done(struct piece *piece)
{
	if (piece->text != piece->few)
		free(piece->text);
}

/* From behind the opening quote to behind the closing one. */
static int read_string(struct build *build, struct piece *piece)
{
	const char *close = build->at;
	char *out;

	while (*close != '"')
		close += *close == '\\' ? 2 : 1;
	if (piece_init(piece, (size_t) (close - build->at)) < 0)
		return -ENOMEM;
	out = piece->text;
	while (build->at < close) {
		if (*build->at == '\\')
			out += json_unescape(&build->at, out);
		else
			*out++ = *build->at++;
	}
	build->at++;
	*out = '\0';
	piece->size = (size_t) (out - piece->text);
	return 0;
}

static int build_string(struct build *build, json_object **ret_json)
{
	struct piece piece;
	int r;

	build->at++;
	r = read_string(build, &piece);
	if (r < 0)
		return r;
	*ret_json = json_object_new_string_len(piece.text, (int) piece.size);
	piece_done(&piece);
	return *ret_json ? 0 : -ENOMEM;
}

/* ---- Numbers and words ---- */

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_locale(void)
{
	c_locale = newlocale(LC_NUMERIC_MASK, "C", NULL);
}

__attribute__((destructor)) static void free_locale(void)
{
	if (c_locale)
		freelocale(c_locale);
}

/* JSON's decimal point is a dot, whatever the program's locale has; NULL without memory. */
static locale_t number_locale(void)
{
	pthread_once(&locale_once, make_locale);
	return c_locale;
}

static int build_number(struct build *build, json_object **ret_json)
{
	size_t length = 0, left = (size_t) (build->end - build->at);
	struct piece piece;
	bool whole = true;

	for (; length < left && build->at[length]; length++) {
		if (!strchr("+-.0123456789eE", build->at[length]))
			break;
		whole = whole && !strchr(".eE", build->at[length]);
	}
	if (piece_init(&piece, length) < 0)
		return -ENOMEM;
	memcpy(piece.text, build->at, length);
	piece.text[length] = '\0';
	build->at += length;
	*ret_json = NULL;
	if (whole)
		*ret_json = json_object_new_int64(strtoll(piece.text, NULL, 10));
	else if (number_locale())
		*ret_json = json_object_new_double_s(strtod_l(piece.text, NULL, number_locale()),
						     piece.text);
	piece_done(&piece);
	return *ret_json ? 0 : -ENOMEM;
}

static int build_word(struct build *build, json_object **ret_json)
{
	char first = *build->at;

	build->at += first == 'f' ? 5 : 4;
	*ret_json = first == 'n' ? NULL : json_object_new_boolean(first == 't');
	return *ret_json || first == 'n' ? 0 : -ENOMEM;
}

/* ---- Containers ---- */

int json_add_member(json_object *object, const char *name, json_object *value)
{
	struct lh_table *table = json_object_get_object(object);

	/* Grown here, because json-c loses the name when that fails inside. */
	if ((2 * (table->count + 1) > table->size && lh_table_resize(table, 2 * table->size) < 0) ||
	    json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static int build_member(struct build *build, json_object *object)
{
	struct piece name;
	json_object *value;
	int r;

	build->at++;
	r = read_string(build, &name);
	if (r < 0)
		return r;
	skip_blanks(build);
	build->at++;
	skip_blanks(build);
	r = build_value(build, &value);
	if (r == 0)
		r = json_add_member(object, name.text, value);
	piece_done(&name);
	return r;
}

static int build_element(struct build *build, json_object *array)
{
	json_object *value;
	int r = build_value(build, &value);

	if (r == 0 && json_object_array_add(array, value) < 0) {
		json_object_put(value);
		r = -ENOMEM;
	}
	return r;
}

static int build_container(struct build *build, json_object **ret_json)
{
	bool is_object = *build->at++ == '{';
	json_object *json = is_object ? json_object_new_object() : json_object_new_array();
	int r = json ? 0 : -ENOMEM;

	skip_blanks(build);
	while (r == 0 && *build->at != '}' && *build->at != ']') {
		r = is_object ? build_member(build, json) : build_element(build, json);
		if (r < 0)
			break;
		skip_blanks(build);
		if (*build->at == ',')
			build->at++;
		skip_blanks(build);
	}
	if (r < 0) {
		json_object_put(json);
		return r;
	}
	build->at++;
	*ret_json = json;
	return 0;
}

static int build_value(struct build *build, json_object **ret_json)
{
	switch (*build->at) {
	case '{':
	case '[':
		return build_container(build, ret_json);
	case '"':
		return build_string(build, ret_json);
	case 't':
	case 'f':
	case 'n':
		return build_word(build, ret_json);
	default:
		return build_number(build, ret_json);
	}
}

int json_build(const char *text, size_t size, json_object **ret_json)
{
	struct build build = { .at = text, .end = text + size };

	skip_blanks(&build);
	return build_value(&build, ret_json);
}
