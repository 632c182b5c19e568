#include "daemon/store/resources/collections/columns.h"

#include <errno.h>
#include <string.h>

#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

int collection_has_column(struct tx *tx, int64_t id, const char *name)
{
	int64_t one;

	return db_int(tx->db, &one, "SELECT 1 FROM collection_columns WHERE collection_id = ?1"
				    " AND name = ?2 AND position IS NOT NULL", "is", id, name);
}

int collection_need_column(struct tx *tx, int64_t id, const char *field, const char *column,
			   struct fault *rejected)
{
	struct collection_state state;
	int r;

	if (rejected->code)
		return 0;
	r = collection_has_column(tx, id, column);
	if (r != 0)
		return r < 0 ? r : 0;
	r = collection_state(tx, id, &state);
	if (r < 0)
		return r;
	fault_invalid(rejected, field, "only columns of the collection '%s'; '%s' is none of them",
		      state.name, column);
	return 0;
}

static json_object *default_of(const char *type, const char *value)
{
	struct json_problem problem;
	json_object *json = NULL;

	/* A default is text; where the column holds JSON it stands for what it says. */
	if ((strcmp(type, "json") == 0 || strcmp(type, "conversation") == 0) &&
	    json_check(value, strlen(value), &problem) == 0)
		json = tx_parse(value);
	return json ? json : json_object_new_string(value);
}

int collection_defaults(struct tx *tx, int64_t id, const char **ret_defaults)
{
	json_object *defaults = NULL;
	QUERY q = NULL;
	int r;

	*ret_defaults = NULL;
	r = db_query(tx->db, &q, "SELECT name, type, default_value FROM collection_columns"
				 " WHERE collection_id = ?1 AND default_value IS NOT NULL"
				 " ORDER BY position", "i", id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		if (!defaults)
			defaults = json_object_new_object();
		if (!defaults || json_object_object_add(defaults, column_peek(q, 0),
							default_of(column_peek(q, 1),
								   column_peek(q, 2))) < 0)
			r = -ENOMEM;
	}
	if (r >= 0 && defaults)
		*ret_defaults = tx_strdup(tx, json_text(defaults, NULL));
	json_object_put(defaults);
	return r < 0 ? r : 0;
}

int collection_fill(struct tx *tx, const char *defaults, const char *input_values,
		    const char **ret_values)
{
	json_object *values, *fallbacks;
	bool changed = false;

	*ret_values = input_values;
	if (!defaults || !input_values)
		return 0;
	values = tx_parse(input_values);
	fallbacks = tx_parse(defaults);
	if (!values || !fallbacks) {
		json_object_put(values);
		json_object_put(fallbacks);
		return -ENOMEM;
	}
	json_object_object_foreach(fallbacks, key, value)
	{
		if (json_object_object_get_ex(values, key, NULL))
			continue;
		json_object_object_add(values, key, json_object_get(value));
		changed = true;
	}
	if (changed)
		*ret_values = tx_strdup(tx, json_text(values, NULL));
	json_object_put(values);
	json_object_put(fallbacks);
	return 0;
}

/* Looked up once: the search goes over all columns. */
static int find_next_position(struct tx *tx, struct collection_state *state)
{
	if (state->next_position >= 0)
		return 0;
	return db_int(tx->db, &state->next_position, "SELECT coalesce(max(position) + 1, 0)"
						     " FROM collection_columns WHERE collection_id = ?1",
		      "i", state->id);
}

/* While there are rows, a column can only come to take more. */
static int check_type(struct tx *tx, const struct collection_state *state,
		      const struct ellu_column *column, const char *former)
{
	if (same_text(former, column->type) || strcmp(column->type, "json") == 0 ||
	    state->variables_count == 0 || state->rows_fit)
		return 0;
	return fault_conflict(tx->fault, "collection", state->name, state->id,
			      "it has rows, so that its column '%s' of type %s cannot become one of type %s",
			      column->name, former, column->type);
}

static int check_input(struct tx *tx, const struct collection_state *state,
		       const struct ellu_column *column)
{
	const char *name, *type;
	int r = column_is_input(column->type) ? collection_input(tx, state->id, &name, &type) : 0;

	if (r <= 0 || strcmp(name, column->name) == 0)
		return r < 0 ? r : 0;
	return fault_conflict(tx->fault, "collection", state->name, state->id,
			      "its column '%s' is of type %s, and only one may be of this type or of type "
			      "%s", name, type, column->type);
}

static int insert_column(struct tx *tx, struct collection_state *state,
			 const struct ellu_column *column, bool inferred)
{
	int r = find_next_position(tx, state);

	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO collection_columns (owner_uid, project_id,"
				   " collection_id, name, type, default_value, position, inferred)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
				   " ON CONFLICT (collection_id, name) DO UPDATE SET type = ?5,"
				   "  default_value = ?6, position = ?7, inferred = ?8",
			   "iiisssib", state->owner_uid, state->project_id, state->id, column->name,
			   column->type, column->default_value, state->next_position++, (int)inferred);
	return r;
}

int collection_check_count(struct tx *tx, int64_t id, const char *field)
{
	int64_t there;
	int r = db_int(tx->db, &there, "SELECT count(position) FROM collection_columns"
				       " WHERE collection_id = ?1", "i", id);

	if (r >= 0 && there > COLUMNS_MAX)
		return fault_invalid(tx->fault, field, "at most %d different keys", COLUMNS_MAX);
	return r < 0 ? r : 0;
}

/* 1 with its type and default, or 0. */
static int find_column(struct tx *tx, int64_t id, const char *name, const char **ret_type,
		       const char **ret_default, bool *ret_inferred)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT type, default_value, inferred FROM collection_columns"
			       " WHERE collection_id = ?1 AND name = ?2 AND position IS NOT NULL",
		   "is", id, name);
	if (r <= 0)
		return r;
	*ret_type = tx_text(tx, q, 0);
	*ret_default = tx_text(tx, q, 1);
	*ret_inferred = column_int(q, 2) != 0;
	return tx->oom ? -ENOMEM : 1;
}

/* A new one, or new type and default of an old one. */
static int put_column(struct tx *tx, struct collection_state *state,
		      const struct ellu_column *column)
{
	const char *type, *fallback;
	bool inferred;
	int r = find_column(tx, state->id, column->name, &type, &fallback, &inferred);

	if (r < 0 || (r > 0 && same_text(type, column->type) && same_text(fallback, column->default_value)))
		return r < 0 ? r : 0;
	if (r > 0) {
		r = check_type(tx, state, column, type);
		if (r >= 0)
			r = check_input(tx, state, column);
		return r < 0 ? r : db_run(tx->db, "UPDATE collection_columns SET type = ?3,"
						  " default_value = ?4, inferred = 0"
						  " WHERE collection_id = ?1 AND name = ?2",
					  "isss", state->id, column->name, column->type,
					  column->default_value);
	}
	r = check_input(tx, state, column);
	return r < 0 ? r : insert_column(tx, state, column, /* inferred= */ false);
}

/* A key's type, and what its column is. */
static int bring_column(struct tx *tx, struct collection_state *state, const char *name,
			const char *type)
{
	bool is_text = strcmp(type, "json") != 0 && strcmp(type, "conversation") != 0;
	const char *needed = is_text ? "text" : "json", *former, *fallback;
	bool inferred;
	int r = find_column(tx, state->id, name, &former, &fallback, &inferred);

	if (r == 0)
		return insert_column(tx, state, &(struct ellu_column){ .name = name, .type = needed },
				     /* inferred= */ true);
	if (r < 0 || strcmp(former, type) == 0)
		return r < 0 ? r : 0;
	if (inferred && (!is_text || state->variables_count == 0))
		return db_run(tx->db, "UPDATE collection_columns SET type = ?3"
				      " WHERE collection_id = ?1 AND name = ?2", "iss", state->id, name,
			      needed);
	if (inferred || strcmp(former, "json") == 0)
		return 0;
	return fault_conflict(tx->fault, "collection", state->name, state->id,
			      "its column '%s' is of type %s by now", name, former);
}

int collection_add_columns(struct tx *tx, struct collection_state *state, const char *keys)
{
	json_object *types;
	int r = 0;

	if (!keys)
		return 0;
	types = tx_parse(keys);
	if (!types)
		return -ENOMEM;
	json_object_object_foreach(types, name, type)
	{
		r = bring_column(tx, state, name, json_object_get_string(type));
		if (r < 0)
			break;
	}
	json_object_put(types);
	return r < 0 ? r : collection_check_count(tx, state->id, "variables");
}

int collection_retire_columns(struct tx *tx, struct collection_state *state, const char *keys,
			      bool declared)
{
	int r;

	state->next_position = -1;
	r = db_run(tx->db, "DELETE FROM collection_columns WHERE collection_id = ?1"
			   " AND (?3 OR default_value IS NULL)"
			   " AND name NOT IN (SELECT key FROM json_each(?2))"
			   " AND NOT EXISTS (SELECT 1 FROM runs WHERE collection_id = ?1)",
		   "isb", state->id, keys, (int)declared);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE collection_columns SET position = NULL, default_value = NULL"
				   " WHERE collection_id = ?1 AND (?3 OR default_value IS NULL)"
				   " AND name NOT IN (SELECT key FROM json_each(?2))",
			   "isb", state->id, keys, (int)declared);
	return r < 0 ? r : 0;
}

/* ---- Types ---- */

int collection_input(struct tx *tx, int64_t id, const char **ret_name, const char **ret_type)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT name, type FROM collection_columns WHERE collection_id = ?1"
			       " AND type IN ('conversation', 'raw_input') AND position IS NOT NULL LIMIT 1",
		   "i", id);
	if (r <= 0)
		return r;
	*ret_name = tx_text(tx, q, 0);
	*ret_type = tx_text(tx, q, 1);
	return tx->oom ? -ENOMEM : 1;
}

int collection_types(struct tx *tx, int64_t id, const char **ret_types)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT json_group_object(name, type) FROM collection_columns"
			       " WHERE collection_id = ?1 AND position IS NOT NULL AND NOT inferred",
		   "i", id);
	if (r > 0)
		*ret_types = tx_text(tx, q, 0);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

static bool is_category(const char *text)
{
	size_t size = strlen(text), length = utf8_length(text, size);

	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return length >= 1 && length <= NAME_MAX_CHARS;
}

int cell_check(const char *type, json_object *value, const char *path, struct fault *fault)
{
	if (!value || strcmp(type, "json") == 0)
		return 0;
	if (strcmp(type, "conversation") == 0)
		return conversation_check(value, path, fault);
	if (!json_object_is_type(value, json_type_string))
		return fault_invalid(fault, path, "a string, since its column is of type %s", type);
	if (strcmp(type, "category") == 0 && !is_category(json_object_get_string(value)))
		return fault_invalid(fault, path, "1 to %d characters, none a control character",
				     NAME_MAX_CHARS);
	return 0;
}

int collection_columns(struct tx *tx, int64_t id, struct tx_list *columns)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT name, type, default_value"
				 " FROM collection_columns WHERE collection_id = ?1"
				 " AND position IS NOT NULL ORDER BY position", "i", id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_column *column = TX_RECORD(tx, struct ellu_column);

		if (!column)
			return -ENOMEM;
		column->name = tx_text(tx, q, 0);
		column->type = tx_text(tx, q, 1);
		column->default_value = tx_text(tx, q, 2);
		column->position = tx_int_value(tx, (int64_t)columns->n);
		r = tx_append(tx, columns, column);
	}
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

static int check_default(struct tx *tx, const struct ellu_column *column, const char *path)
{
	json_object *value;
	int r;

	if (!column->default_value)
		return 0;
	value = default_of(column->type, column->default_value);
	if (value && !json_object_is_type(value, json_type_string) &&
	    json_depth(column->default_value, strlen(column->default_value)) >= OBJECT_DEPTH_MAX)
		r = fault_invalid(tx->fault, path, "fewer than %d arrays and objects inside each other",
				  OBJECT_DEPTH_MAX);
	else
		r = value ? cell_check(column->type, value, path, tx->fault) : -ENOMEM;
	json_object_put(value);
	return r;
}

/* Against those before it. */
static int check_column(struct tx *tx, const struct ellu_collection *content, size_t i,
			const char *path)
{
	const struct ellu_column *column = content->columns[i];

	for (size_t j = 0; j < i; j++) {
		const struct ellu_column *other = content->columns[j];

		if (strcmp(column->name, other->name) == 0)
			return fault_invalid(tx->fault, tx_printf(tx, "%s.columns[%zu].name", path, i),
					     "a name that no other column has");
		if (column_is_input(column->type) && column_is_input(other->type))
			return fault_invalid(tx->fault, tx_printf(tx, "%s.columns[%zu].type", path, i),
					     "one column of type conversation or raw_input at most");
	}
	return check_default(tx, column, tx_printf(tx, "%s.columns[%zu].default_value", path, i));
}

int collection_check_columns(struct tx *tx, const struct ellu_collection *content,
			     const char *path)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < content->n_columns; i++)
		r = check_column(tx, content, i, path);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

static bool column_equal(const struct ellu_column *a, const struct ellu_column *b)
{
	return same_text(a->name, b->name) && same_text(a->type, b->type) &&
	       same_text(a->default_value, b->default_value);
}

int collection_has_columns(struct tx *tx, const struct collection_state *state,
			   const struct ellu_collection *content)
{
	struct tx_list columns = { 0 };
	bool equal;
	int r;

	if (!content->columns)
		return 1;
	r = collection_columns(tx, state->id, &columns);
	equal = state->variables_count > 0 || columns.n == content->n_columns;
	for (size_t i = 0; r >= 0 && equal && i < content->n_columns; i++)
		equal = i < columns.n && column_equal(columns.items[i], content->columns[i]);
	return r < 0 ? r : equal;
}

static int64_t rank(const struct ellu_column *column, const struct ellu_collection *content)
{
	for (size_t i = 0; i < content->n_columns; i++)
		if (strcmp(content->columns[i]->name, column->name) == 0)
			return (int64_t)i;
	return -1;
}

/* Those that are declared in front. */
static bool are_ordered(const struct tx_list *columns, const struct ellu_collection *content)
{
	for (size_t i = 0; i < columns->n && i < content->n_columns; i++) {
		const struct ellu_column *column = columns->items[i];

		if (strcmp(column->name, content->columns[i]->name) != 0)
			return false;
	}
	return true;
}

/* Behind where they were, since no two may have one position. */
static int order_columns(struct tx *tx, struct collection_state *state,
			 const struct ellu_collection *content)
{
	int64_t next, others;
	struct tx_list columns = { 0 };
	int r = collection_columns(tx, state->id, &columns);

	if (r < 0 || are_ordered(&columns, content))
		return r;
	state->next_position = -1;
	r = find_next_position(tx, state);
	next = state->next_position;
	others = next + (int64_t)content->n_columns;
	for (size_t i = 0; r >= 0 && i < columns.n; i++) {
		const struct ellu_column *column = columns.items[i];
		int64_t position = rank(column, content);

		r = db_run(tx->db, "UPDATE collection_columns SET position = ?3"
				   " WHERE collection_id = ?1 AND name = ?2",
			   "isi", state->id, column->name, position < 0 ? others++ : next + position);
	}
	state->next_position = others;
	return r < 0 ? r : 0;
}

int collection_set_columns(struct tx *tx, struct collection_state *state,
			   const struct ellu_collection *content)
{
	int r = 0;

	/* Which columns there are follows from rows; without any, from what is declared. */
	if (state->variables_count == 0)
		r = collection_retire_columns(tx, state, "{}", /* declared= */ true);
	for (size_t i = 0; r >= 0 && i < content->n_columns; i++)
		r = put_column(tx, state, content->columns[i]);
	if (r >= 0)
		r = collection_has_columns(tx, state, content);
	return r == 0 ? order_columns(tx, state, content) : r < 0 ? r : 0;
}
