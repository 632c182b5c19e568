#include "client/cli/view/show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/text/money.h"
#include "proto/text/plural.h"

#define NAME_COLUMNS 12 // at least

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), n = strlen(end);

	return length >= n && strcmp(name + length - n, end) == 0;
}

/* ---- Values ---- */

static const void *at(const struct record_field *field, const void *record)
{
	return (const char *) record + field->offset;
}

static const void *scalar(const struct record_field *field, const void *record)
{
	return field_is_boxed(field) ? *(const void *const *) at(field, record) : at(field, record);
}

static void print_integer(FILE *out, const struct record_field *field, int64_t value)
{
	bool names = strcmp(field->name, "id") == 0 || ends_with(field->name, "_id") ||
		     ends_with(field->name, "_of") || ends_with(field->name, "_templates") || strcmp(field->name, "epoch") == 0;
	char text[32];

	if (names)
		fprintf(out, "%" PRId64, value);
	else
		fputs(number_text(text, value), out);
}

static void print_float(FILE *out, const struct record_field *field, double value)
{
	char text[32];

	if (ends_with(field->name, "_seconds"))
		fputs(duration_text(text, value), out);
	else if (strncmp(field->name, "percent", 7) == 0)
		fprintf(out, "%.0f %%", value);
	else
		fprintf(out, "%.10g", value);
}

static void print_progress(FILE *out, const struct ellu_progress *progress)
{
	char a[32], b[32], c[32], d[32];

	fprintf(out, "%.1f %%: %s of %s answered, %s rated, %s failed", progress->percent_complete,
		number_text(a, progress->responses_generated), number_text(b, progress->total_responses),
		number_text(c, progress->responses_rated), number_text(d, progress->failed));
	fprintf(out, "; %s tokens in, %s out", number_text(a, progress->input_tokens),
		number_text(b, progress->output_tokens));
	if (progress->cost) {
		money_format(*progress->cost, a);
		fprintf(out, "; $%s", a);
	}
}

static void print_task_result(FILE *out, const struct ellu_task_result *result)
{
	char text[32];

	if (result->call && result->call->text)
		fputs(result->call->text, out);
	else if (result->embedding)
		fprintf(out, "%zu vector%s of %lld number%s", result->embedding->n_embeddings,
			plural_s((int64_t) result->embedding->n_embeddings), (long long) result->embedding->dimensions,
			plural_s(result->embedding->dimensions));
	else if (result->test)
		fprintf(out, "%s, in %s", result->test->model, duration_text(text, result->test->latency_seconds));
}

static void print_struct(FILE *out, const struct record_type *type, const void *record)
{
	char text[600], *json;

	if (type == &ellu_error_type) {
		fputs(((const struct ellu_error *) record)->message, out);
	} else if (type == &ellu_model_type) {
		fputs(model_text(record, text, sizeof(text)), out);
	} else if (type == &ellu_proportion_type) {
		const struct ellu_proportion *share = record;

		if (share->value)
			fputs(proportion_brief(text, share), out);
	} else if (type == &ellu_progress_type) {
		print_progress(out, record);
	} else if (type == &ellu_ref_type) {
		const struct ellu_ref *ref = record;

		if (ref->name)
			fputs(ref->name, out);
		else if (ref->id)
			fprintf(out, "%" PRId64, *ref->id);
	} else if (type == &ellu_task_result_type) {
		print_task_result(out, record);
	} else if (type == &ellu_criterion_type) {
		const struct ellu_criterion *criterion = record;

		fprintf(out, "%" PRId64 "  %s%s%s", criterion->id ? *criterion->id : 0,
			criterion->label ? criterion->label : "", criterion->label ? ": " : "",
			criterion->criterion_str);
		if (criterion->check)
			fprintf(out, "  (%s%s%s)", criterion->check->kind, criterion->check->value ? " " : "",
				criterion->check->value ? criterion->check->value : "");
	} else if (type == &ellu_column_type) {
		const struct ellu_column *column = record;

		fprintf(out, "%s  (%s%s%s)", column->name, column->type,
			column->default_value ? ", by default " : "",
			column->default_value ? column->default_value : "");
	} else if (type == &ellu_validator_type) {
		const struct ellu_validator *validator = record;

		print_struct(out, &ellu_ref_type, validator->evaluator);
		if (validator->threshold > 0)
			fprintf(out, "  (at least %.10g)", validator->threshold);
	} else if (type == &ellu_message_type) {
		const struct ellu_message *message = record;

		fprintf(out, "%s: %s", message->role, message->content ? message->content : "");
	} else if (record_to_text(type, record, TO_CLIENT, &json, NULL) == 0) {
		fputs(json, out);
		free(json);
	}
}

static void print_single(FILE *out, const struct record_field *field, const void *value)
{
	char text[MONEY_TEXT_SIZE];

	switch (field->kind) {
	case FIELD_BOOL:
		fputs(*(const int *) value ? "yes" : "no", out);
		break;
	case FIELD_INT:
		print_integer(out, field, *(const int64_t *) value);
		break;
	case FIELD_FLOAT:
		print_float(out, field, *(const double *) value);
		break;
	case FIELD_TIME:
		fputs(time_local_text(text, *(const int64_t *) value), out);
		break;
	case FIELD_MONEY:
		money_format(*(const int64_t *) value, text);
		fprintf(out, "$%s", text);
		break;
	case FIELD_STRUCT:
		print_struct(out, field->type, value);
		break;
	default:
		fputs(value, out);
	}
}

/* One item a line. */
static void print_items(FILE *out, const struct record_field *field, const void *record)
{
	size_t n = *(const size_t *) ((const char *) record + field->count_offset);
	const void *const *items = *(const void *const *const *) at(field, record);

	for (size_t i = 0; items && i < n; i++) {
		fputs(i > 0 ? "\n" : "", out);
		if (field->kind == FIELD_INT)
			print_integer(out, field, ((const int64_t *) items)[i]);
		else if (field->kind == FIELD_FLOAT)
			print_float(out, field, ((const double *) items)[i]);
		else
			print_single(out, field, items[i]);
	}
}

/* A field in a few words, for people; free() it. NULL when there is nothing to say. */
static char *show_text(const struct record_field *field, const void *record)
{
	bool pointed = field->kind >= FIELD_STRING && field->kind != FIELD_TIME &&
		       field->kind != FIELD_MONEY;
	const void *value = pointed ? *(const void *const *) at(field, record) : scalar(field, record);
	char *text = NULL;
	size_t size;
	FILE *out = value && field->container != FIELD_MAP ? open_memstream(&text, &size) : NULL;

	if (!out)
		return NULL;
	if (field->container == FIELD_ARRAY)
		print_items(out, field, record);
	else
		print_single(out, field, value);
	fclose(out);
	return text;
}

/* ---- Rows ---- */

/* The next cell: a field at `path`; an empty one when it, or what holds it, is not there. */
static void show_cell(struct table *table, const struct record_type *type, const void *record,
		      const char *path)
{
	const struct record_field *field;
	char name[64], *text = NULL;

	for (const char *dot; record && (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(name, sizeof(name), "%.*s", (int) (dot - path), path);
		field = record_field_find(type, name);
		record = record_member(type, record, name);
		type = field ? field->type : NULL;
	}
	field = record ? record_field_find(type, path) : NULL;
	text = field ? show_text(field, record) : NULL;
	table_text(table, text);
	free(text);
}

/* The same as it is in the record's JSON. */
static void raw_cell(struct table *table, json_object *json, const char *path)
{
	char name[64];

	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(name, sizeof(name), "%.*s", (int) (dot - path), path);
		json = json_object_object_get(json, name);
	}
	json = json_object_object_get(json, path);
	table_text(table, !json ? NULL
			  : json_object_is_type(json, json_type_string) ? json_object_get_string(json)
								       : json_text(json, NULL));
}

void show_columns(struct table *table, const struct column *columns)
{
	for (; columns->title; columns++)
		table_column(table, columns->title);
}

void show_row(struct table *table, const struct column *columns, const struct record_type *type,
	      const void *record)
{
	json_object *json = NULL;
	const bool is_raw = output.format == FORMAT_CSV && record_encode(type, record, TO_CLIENT, &json) == 0;

	for (; columns->title; columns++)
		if (columns->add)
			columns->add(table, record);
		else if (is_raw)
			raw_cell(table, json, columns->path);
		else
			show_cell(table, type, record, columns->path);
	json_object_put(json);
}

/* What a record is called by, where one is: its id; its name, as what is built in has none; the id of what it
 * belongs to. Or NULL. */
static const struct record_field *naming_field(const struct record_type *type, const void *record)
{
	const struct record_field *field = record_field_find(type, "id");

	if (field && field->kind == FIELD_INT && scalar(field, record))
		return field;
	field = record_field_find(type, "name");
	if (field && field->kind == FIELD_STRING && *(const char *const *) at(field, record))
		return field;
	field = &type->fields[0];
	return type->n_fields > 0 && field->kind == FIELD_INT && ends_with(field->name, "_id") &&
			       field->container == FIELD_SINGLE && scalar(field, record) ?
		       field :
		       NULL;
}

bool show_id(FILE *out, const struct record_type *type, const void *record)
{
	const struct record_field *field = naming_field(type, record);

	if (field && field->kind == FIELD_INT)
		fprintf(out, "%" PRId64 "\n", *(const int64_t *) scalar(field, record));
	else if (field)
		text_print(out, *(const char *const *) at(field, record));
	if (field && field->kind == FIELD_STRING)
		putc('\n', out);
	return field != NULL;
}

/* ---- Field by field ---- */

/* Where the field's name is not what people call it. */
static const char *label_of(const struct record_field *field, char *buffer, size_t size)
{
	static const struct {
		const char *name, *label;
	} labels[] = {
		{ "llm_model_name", "Model" }, { "llm_base_url", "URL" },	 { "api_key_ref", "Key from" },
		{ "has_api_key", "Key" },      { "max_connections", "Connections" }, { "hold", "On hold" },
		{ "owner_uid", "Owner" },      { "linked_prompt_templates", "Templates" },
		{ "ca_file", "CA file" },	 { "default_llm_config", "LLM config" },
		{ "rating_llm_config", "Judge" },
	};
	static const char *const endings[] = { "_seconds", "_at", "_id", "_count" };

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcmp(field->name, labels[i].name) == 0)
			return labels[i].label;
	snprintf(buffer, size, "%s", strcmp(field->name, "id") == 0 ? "ID" : field->name);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (ends_with(buffer, endings[i]))
			buffer[strlen(buffer) - strlen(endings[i])] = '\0';
	for (char *c = buffer; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	*buffer = (char) (*buffer >= 'a' && *buffer <= 'z' ? *buffer - 'a' + 'A' : *buffer);
	return buffer;
}

/* Results are shown with their experiment, rows by a list of their own. */
static bool is_shown(const struct record_field *field)
{
	return field->type != &ellu_experiment_results_type;
}

static void show_lines(FILE *out, const char *label, int width, char *text, enum meaning meaning)
{
	for (char *line = text, *rest = text; (line = strsep(&rest, "\n")); label = "") {
		fprintf(out, "%-*s %s", width, label, meaning_on(&output, meaning));
		text_print(out, line);
		fprintf(out, "%s\n", meaning_off(&output, meaning));
	}
}

static enum meaning meaning_of(const struct record_field *field, const char *text)
{
	return field->type == &ellu_error_type	     ? MEANING_BAD
	       : strcmp(field->name, "status") == 0 ? meaning_of_status(text)
						     : MEANING_NONE;
}

static void show_fields(FILE *out, const struct record_type *type, const void *record)
{
	int width = NAME_COLUMNS;
	char buffer[64];

	for (size_t i = 0; i < type->n_fields; i++) {
		int needed = (int) strlen(label_of(&type->fields[i], buffer, sizeof(buffer)));
		char *text = needed > width ? show_text(&type->fields[i], record) : NULL;

		width = text && is_shown(&type->fields[i]) ? needed : width;
		free(text);
	}
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		char *text = is_shown(field) ? show_text(field, record) : NULL;

		if (text && *text)
			show_lines(out, label_of(field, buffer, sizeof(buffer)), width, text,
				   meaning_of(field, text));
		free(text);
	}
}

/* A row for each field; in CSV a row of all. */
static void show_as_table(FILE *out, const struct record_type *type, const void *record)
{
	static const struct column fields[] = { { "FIELD", "", NULL }, { "VALUE", "", NULL }, { NULL, NULL, NULL } };
	struct column columns[TABLE_COLUMNS_MAX + 1] = { { NULL, NULL, NULL } };
	struct table *table = table_new();
	char buffer[64];
	size_t n = 0;

	for (size_t i = 0; i < type->n_fields && n < TABLE_COLUMNS_MAX; i++)
		if (!(type->fields[i].flags & FIELD_WRITE_ONLY))
			columns[n++] = (struct column){ type->fields[i].name, type->fields[i].name, NULL };
	show_columns(table, output.format == FORMAT_CSV ? columns : fields);
	if (output.format == FORMAT_CSV)
		show_row(table, columns, type, record);
	for (size_t i = 0; output.format == FORMAT_MD && i < type->n_fields; i++) {
		char *text = is_shown(&type->fields[i]) ? show_text(&type->fields[i], record) : NULL;

		if (text && *text) {
			table_text(table, label_of(&type->fields[i], buffer, sizeof(buffer)));
			table_text(table, text);
		}
		free(text);
	}
	table_print(table, out);
	table_free(table);
}

void show_record(FILE *out, const struct record_type *type, const void *record)
{
	if (type->n_fields == 0)
		return;
	if (output.format == FORMAT_TABLE)
		show_fields(out, type, record);
	else
		show_as_table(out, type, record);
}

static void show_part(FILE *out, const struct ellu_message_part *part)
{
	const struct ellu_media *media = part->image ? part->image : part->document;

	if (part->text) {
		text_print(out, part->text);
		return;
	}
	fputs(part->image ? "[image" : "[document", out);
	if (media->name || media->url) {
		putc(' ', out);
		text_print(out, media->name ? media->name : media->url);
	}
	putc(']', out);
}

void show_message(FILE *out, const struct ellu_message *message)
{
	fprintf(out, "%s: ", message->role);
	text_print(out, message->content ? message->content : "");
	for (size_t i = 0; i < message->n_parts; i++) {
		putc('\n', out);
		show_part(out, message->parts[i]);
	}
	putc('\n', out);
}

void show_criteria(FILE *out, const struct ellu_criterion *const *criteria, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_print(out, criteria[i]->criterion_str);
		putc('\n', out);
	}
}
